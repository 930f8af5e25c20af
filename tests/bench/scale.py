"""Question 5: one tick's cost against the number of processes, connections, disks and CPUs.

sudo .venv/bin/python -m tests.bench.scale
"""

from __future__ import annotations

import contextlib
import itertools
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

BEND = (
    "for every 32 KiB of output the kernel looks for its place in the list of sockets from the head "
    "(`bpf_sk_storage_map_seq_find_next`, two thirds of the time at 40,000), and there are as many lists as "
    "CPUs"
)

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


def marginal(points: Points) -> list[str]:
    """Return what one more costs between each point and the one before, in us."""
    numbers = list(points)
    cells = [""]
    for before, now in itertools.pairwise(numbers):
        grown = spread(points[now]).median - spread(points[before]).median
        cells.append(f"{1e3 * grown / (now - before):.2f}")
    return cells


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


def add(section: Section, what: str, title: str, points: Points, reason: str = "") -> None:
    """Add one line of costs, and hold it against a straight one; ``reason``: why it bends if it does."""
    slope, base, far = fit(points)
    section.note(
        f"**{title}**: {slope:.2f} us for each of the {what}, {base:.1f} ms without any; at most "
        f"{100 * far:.0f} % off the line."
    )
    lines = zip(points.items(), marginal(points), strict=True)
    section.table(
        (what, "ms a tick", "us for one more"),
        [(f"{number:,}", spread(values).text(2), more) for (number, values), more in lines],
    )
    section.raw[title] = points
    section.goals.append(
        Goal(f"straight line: {title}", f"{100 * far:.0f} % off at most", far <= STRAIGHT, reason)
    )


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
    add(section, "processes", "processes that sleep", asleep)
    add(section, "processes", "processes that have all run", awake)
    add(section, "connections", "connections that are silent", silent)
    add(section, "connections", "connections that send both ways", talking, BEND)
    cpus = synthetic.by_cpus(CPUS)
    for name in synthetic.PANES:
        add(section, "CPUs", f"{name}, simulated CPUs", {number: cpus[number][name] for number in CPUS})
    add(section, "disks", "biotop, simulated disks", synthetic.by_disks(DISKS))
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
