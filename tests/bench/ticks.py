"""CPU time of one sampling tick of all panes, and where it goes."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import ClassVar

from ktop import registry
from ktop.frame import Facts, Frame, Reading
from ktop.kernel.cgroups import Cgroups
from ktop.live.host import HostSampler
from ktop.live.live_pane import LivePane
from ktop.live.sampler import Sampler

REST_S = 0.1
TICK = "tick"

Spent = defaultdict[str, list[float]]
"""ms of the thread's CPU time by part, a value for each tick."""


class _TimedPane(LivePane):
    """A pane that notes what reading and computing cost."""

    spent: ClassVar[Spent] = defaultdict(list)

    def read(self, proc: object) -> Reading:
        """Read, and note the cost."""
        start = time.thread_time()
        try:
            return super().read(proc)  # type: ignore[arg-type]
        finally:
            self.spent[f"read {self.pane.family}"].append(1e3 * (time.thread_time() - start))

    def sample(self, reading: Reading, facts: Facts) -> Frame | None:
        """Compute, and note the cost."""
        start = time.thread_time()
        try:
            return super().sample(reading, facts)
        finally:
            self.spent[f"compute {self.pane.name}"].append(1e3 * (time.thread_time() - start))


class Ticker:
    """A sampler of all panes that ticks when it is asked to."""

    def __init__(self) -> None:
        """Load all panes."""
        self.rows: dict[str, int] = {}
        self._spent = _TimedPane.spent
        self._host = HostSampler()
        self._sampler = Sampler(registry.panes())
        cgroups = Cgroups()
        self._sampler._panes = {pane.name: _TimedPane(pane, {}, cgroups) for pane in registry.panes()}
        self._sampler._publish = self._publish
        self._sampler._load_all()
        unavailable = {name: status.unavailable for name, status in self._sampler.statuses().items()}
        failed = {name: reason for name, reason in unavailable.items() if reason and "sampling" in reason}
        if failed or all(unavailable.values()):
            raise RuntimeError(f"no figures: {failed or unavailable}")

    def _publish(self, frame: Frame) -> None:
        self.rows[frame.pane] = len(frame)

    def ticks(self, number: int, work: Callable[[], None] = lambda: None) -> dict[str, list[float]]:
        """Tick so often, ``work`` before each; return ms by part, the whole under TICK."""
        self._spent.clear()
        # The first tick after a change of scene makes room for it; it is not like the others.
        for _ in range(number + 1):
            work()
            time.sleep(REST_S)
            start = time.thread_time()
            self._sampler._tick(self._host.sample())
            self._spent[TICK].append(1e3 * (time.thread_time() - start))
        return {name: values[-number:] for name, values in self._spent.items()}

    def close(self) -> None:
        """Unload."""
        for family in self._sampler._families.values():
            family.close()


@contextlib.contextmanager
def ticker() -> Iterator[Ticker]:
    """Load all panes for the block."""
    made = Ticker()
    try:
        yield made
    finally:
        made.close()
