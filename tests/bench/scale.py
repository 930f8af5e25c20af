"""Question 5: one tick's cost against the number of processes, connections, disks and CPUs.

sudo .venv/bin/python -m tests.bench.scale
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.bench import crowd, synthetic
from tests.bench.figures import Goal, Section, spread
from tests.bench.ticks import TICK, Ticker, ticker

PROCESSES = (100, 1_000, 3_000, 8_000, 16_000, 30_000)
CONNECTIONS = (100, 1_000, 5_000, 10_000, 25_000, 50_000)
CPUS = (2, 16, 64, 128, 256)
DISKS = (1, 4, 16, 64, 256, 1_024)
SPARE_PIDS = 2_500
"""Left for everybody else."""
WAKES_A_SECOND = 20_000
STRAIGHT = 0.25
"""A line is called straight when no point is further from it than that share of the point."""
IDLE_MS, CROWD_MS = 10.0, 60.0

Points = dict[int, list[float]]
"""ms by number."""


def fit(points: Points) -> tuple[float, float, float]:
    """Return (us a unit, ms at none, largest distance of a median from the line, as a share of it).

    Least squares of relative distances, so that small numbers count as much as large ones.
    """
    number = np.array(list(points), dtype=np.float64)
    median = np.array([spread(values).median for values in points.values()])
    weighted = np.stack([number / median, 1 / median], axis=1)
    slope, base = np.linalg.lstsq(weighted, np.ones(len(number)), rcond=None)[0]
    return 1e3 * slope, base, float(np.abs(1 - weighted @ np.array([slope, base])).max())


def most_processes() -> int:
    """Return how many processes there may be besides those there are."""
    limit = int(Path("/proc/sys/kernel/pid_max").read_text("ascii"))
    return limit - SPARE_PIDS - sum(1 for each in Path("/proc").iterdir() if each.name.isdigit())


def processes(made: Ticker, numbers: tuple[int, ...], ticks: int) -> tuple[Points, Points]:
    """Return a tick's cost by number of processes: all asleep, and all having run since the last tick."""
    asleep: Points = {}
    awake: Points = {}
    with contextlib.ExitStack() as stack:
        wakers: list[Callable[[], None]] = []
        there = 0

        def wake() -> None:
            for each in wakers:
                each()
            time.sleep(there / WAKES_A_SECOND)

        for number in numbers:
            wakers.append(stack.enter_context(crowd.sleepers(number - there)))
            there = number
            asleep[number] = made.ticks(ticks)[TICK]
            awake[number] = made.ticks(max(2, ticks // 2), wake)[TICK]
    return asleep, awake


def connections(made: Ticker, numbers: tuple[int, ...], ticks: int) -> tuple[Points, Points]:
    """Return a tick's cost by number of connections: all silent, and all sending both ways in between."""
    silent: Points = {}
    talking: Points = {}
    with contextlib.ExitStack() as stack:
        helpers: list[subprocess.Popen[bytes]] = []
        there = 0
        for number in numbers:
            helpers += stack.enter_context(crowd.connections(number - there))
            there = number
            crowd.talk(helpers)
            silent[number] = made.ticks(ticks)[TICK]
            talking[number] = made.ticks(max(2, ticks // 2), partial(crowd.talk, helpers))[TICK]
    return silent, talking


def crowd_of_both(made: Ticker, ticks: int) -> list[float]:
    """Return a tick's cost with 8,000 processes and 10,000 connections that send both ways."""
    with crowd.sleepers(8_000), crowd.connections(10_000) as helpers:
        return made.ticks(ticks, lambda: crowd.talk(helpers))[TICK]


def add(section: Section, what: str, lines: dict[str, Points]) -> None:
    """Add some curves over the same numbers of ``what``, and hold them against straight lines."""
    numbers = list(next(iter(lines.values())))
    cells = [
        (f"{number:,}", *(spread(line[number]).text(2) for line in lines.values())) for number in numbers
    ]
    section.table((f"{what}; ms a tick", *lines), cells)
    for title, points in lines.items():
        slope, base, far = fit(points)
        section.raw[f"{title}, {what}"] = points
        found = f"{slope:.2f} us each and {base:.1f} ms, at most {100 * far:.0f} % off that"
        section.goals.append(Goal(f"{what}, {title}: a straight line", found, far <= STRAIGHT))


def run(*, quick: bool = False) -> Section:
    """Measure everything."""
    ticks = 3 if quick else 9
    room = most_processes()
    wanted = tuple(number for number in PROCESSES[: 3 if quick else None] if number <= room)
    section = Section(
        "scale",
        "5. Scale",
        "CPU time of one tick of all resident panes, reading and computing, in ms: medians (least to most) "
        f"of {ticks} ticks. Processes and connections are real ones; CPUs and disks are this host's "
        "Readings made larger (an element for each CPU and disk), through the panes' own `compute` and "
        "`derive`. Lines are fitted to relative distances.",
        ["tests/bench/crowd.py makes the processes and connections, tests/bench/synthetic.py the rest"],
    )
    with ticker() as made:
        idle = made.ticks(ticks)[TICK]
        asleep, awake = processes(made, wanted, ticks)
        silent, talking = connections(made, CONNECTIONS[: 3 if quick else None], ticks)
        both = [] if quick else crowd_of_both(made, ticks)
    add(section, "processes", {"asleep": asleep, "all have run": awake})
    add(section, "connections", {"silent": silent, "all send both ways": talking})
    cpus = synthetic.by_cpus(CPUS)
    lines = {name: {number: cpus[number][name] for number in CPUS} for name in synthetic.PANES}
    add(section, "simulated CPUs", lines)
    add(section, "simulated disks", {"biotop": synthetic.by_disks(DISKS)})
    most = max(awake)
    section.short.append((f"ms of CPU a tick, {most:,} processes", f"{spread(awake[most]).median:.0f}", ""))
    section.goals.insert(
        0,
        Goal(
            f"a tick on the host as it is: at most {IDLE_MS:g} ms",
            f"{spread(idle).text(1)} ms",
            spread(idle).median <= IDLE_MS,
        ),
    )
    if both:
        section.goals.insert(
            1,
            Goal(
                f"8,000 processes and 10,000 connections that send: at most {CROWD_MS:g} ms",
                f"{spread(both).text(1)} ms",
                spread(both).median <= CROWD_MS,
            ),
        )
    return section


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv).text())
