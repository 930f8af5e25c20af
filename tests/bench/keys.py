"""Question 6: from a key press to the changed screen, idle and with both CPUs saturated.

    sudo .venv/bin/python -m tests.bench.keys [--priorities]

A press counts as shown when the terminal has got what it must lead to: in a
table of 10,000 rows that all change each second, the line in the cursor's
colours with the name of the row that the cursor must now be on; in ktop on the
live host, the question of the pane that was chosen.  Presses come at random
moments, so they meet ticks, too.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ktop import registry
from tests.bench.figures import Goal, Section, quantile
from tests.bench.many_rows import ROWS, name
from tests.bench.peers import end
from tests.bench.pty_app import KTOP, PtyApp

MANY = (sys.executable, "-m", "tests.bench.many_rows")
DOWN, UP, END, HOME, PAGE = b"j", b"k", b"G", b"g", b"\x1b[6~"
PANES = ("runqlat", "biotop", "tcptop", "cachestat", "hardirqs", "execsnoop")
GOAL_MS = 50.0
AS_IT_IS = "as started"
PRIORITIES: dict[str, tuple[int, bool]] = {
    "nice 0": (0, True),
    "nice -5": (-5, True),
    "nice -10": (-10, True),
    "nice -10, UI thread only": (-10, False),
}
"""The nice value, and whether all threads get it."""


def presses(number: int) -> Iterator[tuple[bytes, int | None]]:
    """Yield keys and the row that each leads to; None where the page's height decides."""
    at = 0
    for index in range(number):
        if index % 20 == 10:
            at = ROWS - 1
            yield END, at
        elif index % 20 == 15:
            at = 0
            yield HOME, at
        elif index % 20 == 16:
            yield PAGE, None
            at = -1
        elif at == -1:
            at = 0
            yield HOME, at
        elif at == ROWS - 1 or 10 < index % 20 < 15:
            at -= 1
            yield UP, at
        else:
            at += 1
            yield DOWN, at


def line(style: bytes, row: int | None) -> re.Pattern[bytes]:
    """Return what the line of ``row`` begins with in colours that match ``style``; None: not the first."""
    cells = rb"\d+  row-(?!00000)" if row is None else b"%d  %s" % (row + 1, name(row).encode())
    return re.compile(rb"\x1b\[(%s)m *%s" % (style, cells))


def cursor_style(app: PtyApp) -> bytes:
    """Return the colours of the cursor's line, by moving it down and up again until no tick comes between."""
    for _ in range(10):
        found = []
        for key, row in ((DOWN, 1), (UP, 0)):
            app.press(key)
            app.wait_match(line(rb"[0-9;]*", row))
            match = line(rb"[0-9;]*", row).search(app.output)
            assert match is not None
            found.append(match[1])
            time.sleep(0.3)
        if found[0] == found[1]:
            return re.escape(found[0])
    raise RuntimeError("the cursor's colours were not found")


Shown = Iterator[tuple[bytes, re.Pattern[bytes]]]


def rows(app: PtyApp) -> Callable[[int], Shown]:
    """Wait for the table; return what makes keys and what each leads to."""
    app.wait_for(name(20).encode())
    time.sleep(3)
    style = cursor_style(app)
    return lambda number: ((key, line(style, row)) for key, row in presses(number))


def tabs(app: PtyApp) -> Callable[[int], Shown]:
    """Wait for ktop's figures, see each pane once; return what makes keys and what each leads to."""
    app.wait_for(b"quit")
    time.sleep(2)
    order = registry.names()
    keys = [
        (str(order.index(pane) + 1).encode(), re.compile(re.escape(registry.get(pane).question.encode())))
        for pane in PANES
    ]

    def made(number: int) -> Shown:
        for index in range(number):
            yield keys[(index + 1) % len(keys)]

    for key, shown in made(len(keys)):
        app.press(key)
        app.wait_match(shown)
    return made


APPS = {"10,000 rows": (MANY, rows), "ktop, panes": (KTOP, tabs)}


def set_nice(app: PtyApp, nice: int, *, whole: bool) -> None:
    """Give all threads of the application, or its first alone, this nice value."""
    for task in Path(f"/proc/{app.process.pid}/task").iterdir() if whole else ():
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(task.name), nice)
    os.setpriority(os.PRIO_PROCESS, app.process.pid, nice)


@contextlib.contextmanager
def burning(hogs: int) -> Iterator[None]:
    """Have so many processes that only compute; ends with the block, or after five minutes."""
    if not hogs:
        yield
        return
    process = subprocess.Popen(
        ["stress-ng", "--cpu", str(hogs), "-t", "300"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(1)
        yield
    finally:
        end(process)


def latencies(
    kind: str, number: int, hogs: tuple[int, ...], priority: str = AS_IT_IS
) -> dict[int, list[float]]:
    """Return ms from press to screen of so many presses in one application, by number of hogs."""
    command, prepare = APPS[kind]
    moments = random.Random(1)
    found: dict[int, list[float]] = {}
    with PtyApp(command) as app:
        make = prepare(app)
        if priority != AS_IT_IS:
            nice, whole = PRIORITIES[priority]
            set_nice(app, nice, whole=whole)
        for load in hogs:
            with burning(load):
                for key, shown in make(number):
                    time.sleep(moments.uniform(0.05, 0.15))
                    before = app.press(key)
                    found.setdefault(load, []).append(1e3 * (app.wait_match(shown) - before))
            # The next begins where this one did.
            app.press(HOME if kind == "10,000 rows" else b"1")
            time.sleep(0.5)
    return found


def table(section: Section, results: dict[tuple[str, str], dict[int, list[float]]]) -> None:
    """Add the percentiles."""
    lines = []
    for (kind, priority), by_load in results.items():
        for hogs, values in by_load.items():
            p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
            lines.append(
                (
                    kind,
                    priority,
                    str(hogs),
                    str(len(values)),
                    f"{p50:.1f}",
                    f"{p99:.1f}",
                    f"{max(values):.1f}",
                )
            )
            section.raw[f"{kind}, {priority}, {hogs} hogs"] = values
    section.table(("", "priority", "hogs", "presses", "p50 ms", "p99 ms", "most ms"), lines)


def run(*, quick: bool = False, priorities: bool = False) -> Section:
    """Measure everything."""
    number = 40 if quick else 100 if priorities else 150
    cpus = os.cpu_count() or 1
    hogs = (0, cpus, 4 * cpus)
    section = Section(
        "keys",
        "6. Latency of the interface",
        "From the write of a key to a pseudo-terminal of 200x50 until the changed screen has been read from "
        "it. *10,000 rows* is the application on a table of 10,000 rows whose figures all change each "
        "second (cursor, page, end, home); *ktop, panes* is ktop on the live host, the keys choose panes. "
        f"*Hogs* are as many processes of `stress-ng --cpu` at nice 0, on {cpus} CPUs.",
        ["python -m tests.bench.many_rows", "ktop"],
    )
    results = {}
    for kind in APPS:
        for priority in PRIORITIES if priorities else (AS_IT_IS,):
            results[kind, priority] = latencies(kind, number, hogs, priority)
    table(section, results)
    for kind in APPS:
        values = results[kind, next(iter(PRIORITIES)) if priorities else AS_IT_IS]
        for load in hogs:
            p99 = quantile(values[load], 0.99)
            section.goals.append(
                Goal(
                    f"{kind}, {load} hogs: at most {GOAL_MS:g} ms at the 99th percentile",
                    f"{p99:.0f} ms",
                    p99 <= GOAL_MS,
                )
            )
    return section


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv, priorities="--priorities" in sys.argv).text())
