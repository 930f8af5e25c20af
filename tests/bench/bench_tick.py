"""CPU time of one sampling tick of all panes, and where it goes.

    sudo .venv/bin/python -m tests.bench.bench_tick [TICKS]

On the host as it is, with 8,000 more processes, and with 10,000 loopback
connections more, silent and each sending both ways in every interval.
Goals: at most 10 ms idle, at most 60 ms with processes and connections.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable

from ktop import registry
from ktop.frame import Facts, Frame, Reading
from ktop.live_pane import LivePane
from ktop.sampler import Sampler
from tests.bench.crowd import connections, sleepers, talk

PROCESSES, CONNECTIONS = 8_000, 10_000
REST_S = 0.3

spent: defaultdict[str, list[float]] = defaultdict(list)
"""ms of the thread's CPU time in each part, a value for each run."""


def timed(name: str, start: float) -> None:
    """Add what the thread has used since ``start``."""
    spent[name].append(1e3 * (time.thread_time() - start))


class TimedPane(LivePane):
    """A pane that notes what reading and computing cost."""

    def read(self, proc: object) -> Reading:
        """Read, and note the cost."""
        start = time.thread_time()
        try:
            return super().read(proc)  # type: ignore[arg-type]
        finally:
            timed(f"read {self.pane.family}", start)

    def sample(self, reading: Reading, facts: Facts) -> Frame | None:
        """Compute, and note the cost."""
        start = time.thread_time()
        try:
            return super().sample(reading, facts)
        finally:
            timed(f"compute {self.pane.name}", start)


def ticks(title: str, sampler: Sampler, number: int, work: Callable[[], None]) -> None:
    """Run ``number`` ticks, ``work`` before each, and print the medians."""
    from ktop.host import HostSampler

    host = HostSampler()
    spent.clear()
    for _ in range(number + 1):
        work()
        time.sleep(REST_S)
        start = time.thread_time()
        figures = host.sample()
        timed("header", start)
        sampler._tick(figures)
        timed("tick", start)
    # The first tick after a change of scene makes room for it; it is not like the others.
    medians = {name: statistics.median(values[-number:]) for name, values in spent.items()}
    print(f"{title}: {medians.pop('tick'):.1f} ms")
    for name, value in sorted(medians.items(), key=lambda item: -item[1]):
        if value >= 0.1:
            print(f"    {name:22} {value:6.2f}")


def main() -> None:
    """Print the cost of a tick by scene and part."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    sampler = Sampler(registry.panes())
    sampler._panes = {pane.name: TimedPane(pane, {}) for pane in registry.panes()}
    rows: dict[str, int] = {}
    sampler._publish = lambda frame: rows.__setitem__(frame.pane, len(frame))
    sampler._load_all()
    try:
        ticks("as it is", sampler, number, lambda: None)
        with sleepers(PROCESSES):
            ticks(f"{PROCESSES} processes more", sampler, number, lambda: None)
            with connections(CONNECTIONS) as helpers:
                ticks(f"and {CONNECTIONS} silent connections", sampler, number, lambda: None)
                ticks("the same, each sending both ways", sampler, number, lambda: talk(helpers))
                print(f"    rows: {rows}")
    finally:
        for family in sampler._families.values():
            family.close()


if __name__ == "__main__":
    main()
