"""Question 6: from a key press to the changed screen, idle and with both CPUs saturated.

    sudo .venv/bin/python -m tests.bench.keys [--priorities]

A press counts as shown when the terminal has got what it must lead to: in a
table of 10,000 rows that all change each second, the line on the cursor's
ground with the name of the row that the cursor must now be on; in ktop on the
live host, the question of the pane that was chosen.  Presses come at random
moments, so they meet ticks, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ktop import registry
from ktop.cli.application import NICE
from tests.bench.figures import Goal, Section, quantile
from tests.bench.many_rows import ROWS, name
from tests.bench.peers import end
from tests.bench.pty_app import KTOP, PtyApp

MANY = (sys.executable, "-m", "tests.bench.many_rows")
DOWN, UP, END, HOME, PAGE = b"j", b"k", b"G", b"g", b"\x1b[6~"
PANES = ("runqlat", "biotop", "tcptop", "cachestat", "hardirqs", "execsnoop")
QUOTED = "ktop, panes"
GOAL_MS = 50.0
WATCH_NICE = -20
HOGS_RUN = "the scheduler lets each hog of the group run for its slice first"
TICK_DRAWS = "a press that meets the drawing of a tick waits for its end"
AS_IT_IS = "as started"
PRIORITIES: dict[str, tuple[int, bool, int]] = {
    "nice 0": (0, True, 0),
    "nice -5": (-5, True, 0),
    "nice -10": (-10, True, 0),
    "nice -10, UI thread only": (-10, False, 0),
    "nice 0, slices of 0.1 ms": (0, True, 100_000),
}
"""The nice value, whether all threads get it, and the slice asked for in ns, 0 for the kernel's own."""
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}


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


GROUND = rb"48;2;\d+;\d+;\d+"


def line(ground: bytes, row: int | None) -> re.Pattern[bytes]:
    """Return what the line of ``row`` begins with on a ground that matches; None: not the first."""
    cells = rb"\d+  row-(?!00000)" if row is None else b"%d  %s" % (row + 1, name(row).encode())
    # What it has in common with the cells written before is not written again: its ink, for one.
    return re.compile(rb"\x1b\[(?:[0-9;]*;)?(%s)m *%s" % (ground, cells))


def cursor_ground(app: PtyApp) -> bytes:
    """Return the ground of the cursor's line, by moving it down and up again until no tick comes between."""
    for _ in range(10):
        found = []
        for key, row in ((DOWN, 1), (UP, 0)):
            app.press(key)
            app.wait_match(line(GROUND, row))
            match = line(GROUND, row).search(app.output)
            assert match is not None
            found.append(match[1])
            time.sleep(0.3)
        if found[0] == found[1]:
            return re.escape(found[0])
    raise RuntimeError("the cursor's ground was not found")


Shown = Iterator[tuple[bytes, re.Pattern[bytes]]]


def rows(app: PtyApp) -> Callable[[int], Shown]:
    """Wait for the table; return what makes keys and what each leads to."""
    app.wait_for(name(20).encode())
    time.sleep(3)
    ground = cursor_ground(app)
    return lambda number: ((key, line(ground, row)) for key, row in presses(number))


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


def set_priority(pid: int, nice: int, *, whole: bool = True, slice_ns: int = 0) -> None:
    """Give all threads of a process, or its first alone, this nice value and slice (6.12, 857b158dc5e8)."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period.
    attr = struct.pack("=IIQiIQQQ", 48, 0, 0, nice, 0, slice_ns, 0, 0)
    for task in Path(f"/proc/{pid}/task").iterdir() if whole else (Path(str(pid)),):
        if call(_SCHED_SETATTR[os.uname().machine], int(task.name), attr, 0) < 0:
            number = ctypes.get_errno()
            if number != errno.ESRCH:
                raise OSError(number, os.strerror(number))


@contextlib.contextmanager
def burning(hogs: int) -> Iterator[None]:
    """Have so many processes that only compute; ends with the block, or after five minutes."""
    if not hogs:
        yield
        return
    process = subprocess.Popen(
        ["stress-ng", "--cpu", str(hogs), "-t", "300"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=partial(os.setpriority, os.PRIO_PROCESS, 0, 0),  # noqa: PLW1509 - no lock is held here
    )
    try:
        time.sleep(1)
        yield
    finally:
        end(process)


@dataclass(frozen=True, slots=True)
class Scene:
    """One application under some loads."""

    kind: str
    priority: str = AS_IT_IS
    together: bool = False
    """Whether the hogs are of the application's own session, so that the scheduler does not part them."""

    @property
    def where(self) -> str:
        """Return where the hogs are."""
        return "same session" if self.together else "another session"


def latencies(scene: Scene, number: int, hogs: tuple[int, ...]) -> dict[int, list[float]]:
    """Return ms from press to screen of so many presses in one application, by number of hogs."""
    command, prepare = APPS[scene.kind]
    moments = random.Random(1)
    found: dict[int, list[float]] = {}
    with PtyApp(command, session=not scene.together) as app:
        make = prepare(app)
        if scene.priority != AS_IT_IS:
            nice, whole, slice_ns = PRIORITIES[scene.priority]
            set_priority(app.process.pid, nice, whole=whole, slice_ns=slice_ns)
        # Who holds the watch must not wait for a CPU itself.
        set_priority(os.getpid(), WATCH_NICE)
        for load in hogs:
            with burning(load):
                for key, shown in make(number):
                    time.sleep(moments.uniform(0.05, 0.15))
                    before = app.press(key)
                    found.setdefault(load, []).append(1e3 * (app.wait_match(shown) - before))
            # The next begins where this one did.
            app.press(HOME if command is MANY else b"1")
            time.sleep(0.5)
        set_priority(os.getpid(), 0)
    return found


def scenes(*, priorities: bool) -> list[Scene]:
    """Return what is measured: as it is started, or with each priority."""
    if priorities:
        return [Scene(kind, priority, together=True) for kind in APPS for priority in PRIORITIES]
    return [Scene(kind, together=together) for kind in APPS for together in (False, True)]


def run(*, quick: bool = False, priorities: bool = False) -> Section:
    """Measure everything."""
    number = 40 if quick else 150
    cpus = os.cpu_count() or 1
    section = Section(
        "keys",
        "6. Latency of the interface",
        "From the write of a key to a pseudo-terminal of 200x50 until the changed screen has been read from "
        "it. *10,000 rows* is the application on a table of 10,000 rows whose figures all change each "
        "second (cursor, page, end, home); *ktop, panes* is ktop on the live host, the keys choose panes. "
        f"*Hogs* are as many processes of `stress-ng --cpu` at nice 0, on {cpus} CPUs, of another session, "
        "as a service is, or of ktop's own: the scheduler groups by session (`sched_autogroup_enabled`), or "
        f"by cgroup. ktop gives itself nice {NICE} (`python -m tests.bench.keys --priorities` compares "
        f"others); who holds the watch runs at {WATCH_NICE}.",
        ["python -m tests.bench.many_rows", "ktop"],
    )
    lines = []
    for scene in scenes(priorities=priorities):
        hogs = (cpus, 4 * cpus) if scene.together else (0, cpus, 4 * cpus)
        for load, values in latencies(scene, number, hogs).items():
            p99 = quantile(values, 0.99)
            beside = f"{load} hogs, {scene.where}" if load else "idle"
            figures = (f"{quantile(values, 0.5):.1f}", f"{p99:.1f}", f"{max(values):.1f}")
            lines.append((f"{scene.kind}, {beside}", scene.priority, *figures))
            section.raw[f"{scene.kind}, {scene.priority}, {beside}"] = values
            if scene.kind == QUOTED:
                section.short.append(
                    (f"ms from key to new pane (p50, p99), {beside}", ", ".join(figures[:2]), "")
                )
            asked = f"{scene.kind}, {beside}: at most {GOAL_MS:g} ms at the 99th percentile"
            section.goals.append(
                Goal(asked, f"{p99:.0f} ms", p99 <= GOAL_MS, HOGS_RUN if load else TICK_DRAWS)
            )
    section.table(("", "priority", "p50 ms", "p99 ms", "most ms"), lines)
    return section


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv, priorities="--priorities" in sys.argv).text())
