"""Question 3: from exec to the first paint and the first figures, and what it takes.

sudo .venv/bin/python -m tests.bench.startup
"""

from __future__ import annotations

import compileall
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import mounts
from tests.bench.figures import Goal, Section, ratios, spread
from tests.bench.peers import BPFTRACE, Tool, refusal
from tests.bench.pty_app import IDLE, ROOT, PtyApp

TIMED = (sys.executable, "-m", "tests.bench.timed_ktop")
IDLE_GOAL = 1.2


@dataclass(frozen=True, slots=True)
class Start:
    """One start, up to the first figures."""

    first_ms: float
    """From exec to the first paint, or the first line."""
    figures_ms: float
    """From exec to the first figures; NaN where that is an interval that was asked for."""
    cpu_s: float
    peak_mib: float


def _to_mark(command: tuple[str, ...], mark: bytes) -> Start:
    with PtyApp(command) as app:
        first = 1e3 * (app.wait_match(re.compile(mark)) - app.exec_s)
        return Start(first, float("nan"), app.cpu_s(), app.peak_mib())


def _ktop() -> Start:
    """Start ktop, and wait for the first Frame of every resident pane."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "times"
        with PtyApp(TIMED, KTOP_BENCH_TIMES=str(file)) as app:
            painted = app.wait_for(b"quit")
            deadline = time.monotonic() + 30
            while not file.exists() and time.monotonic() < deadline:
                time.sleep(0.005)
            cpu, peak = app.cpu_s(), app.peak_mib()
        times: dict[str, float] = json.loads(file.read_text("utf-8"))
    return Start(1e3 * (painted - app.exec_s), 1e3 * (max(times.values()) - app.exec_s), cpu, peak)


def starts() -> dict[str, tuple[str, Callable[[], Start]]]:
    """Return what is started, by name: as it is typed, and how."""
    bpftrace = BPFTRACE["runqlat"].command
    ready = (*bpftrace[:2], 'BEGIN { printf("begun\\n"); } ' + bpftrace[2])
    bcc = ("runqlat-bpfcc", "1")
    return {
        "idle Textual and numpy": ("python -m tests.bench.idle_app", lambda: _to_mark(IDLE, b"painted 0")),
        "ktop, all panes": ("ktop", _ktop),
        "libbpf-tools runqlat": ("runqlat 1", lambda: _to_mark(("runqlat", "1"), b"Tracing")),
        "bpftrace (the same)": (
            "bpftrace -e 'BEGIN { printf(\"begun\\n\"); } ...' (runqlat of question 1)",
            lambda: _to_mark(ready, rb"begun\r?\n"),
        ),
        "bcc runqlat": ("runqlat-bpfcc 1", lambda: _to_mark(bcc, b"Tracing")),
        "htop": ("htop", lambda: _to_mark(("htop",), b"Load average")),
    }


def run(*, quick: bool = False) -> Section:
    """Measure everything."""
    headers = mounts.prepare()
    # As an installation has them: a checkout's may be old, and not be written anew.
    compileall.compile_dir(ROOT / "ktop", quiet=2)
    number = 3 if quick else 9
    chosen = starts()
    section = Section(
        "startup",
        "3. Start",
        f"From exec, in a pseudo-terminal of 200x50, {number} rounds of each in turn after one to warm up. "
        "*First* is the first paint (of a tool: its first line, when its programs are attached); *figures* "
        "is the first sample of every resident pane of ktop (the tools print theirs after the interval "
        "asked for). CPU and peak memory are those up to then, of user space.",
        [line for line, _ in chosen.values()],
    )
    complaint = refusal(Tool("bcc", ("runqlat-bpfcc", "1")))
    if complaint:
        del chosen["bcc runqlat"]
        section.note(f"bcc's tools cannot run here; `runqlat-bpfcc 1` prints `{complaint}`.")
    elif headers:
        section.note(f"bcc compiles with kernel headers: here {headers}.")
    found: dict[str, list[Start]] = {name: [] for name in chosen}
    for index in range(number + 1):
        for name, (_, start) in chosen.items():
            one = start()
            if index:
                found[name].append(one)
    section.raw = {
        name: [(one.first_ms, one.figures_ms, one.cpu_s, one.peak_mib) for one in all_]
        for name, all_ in found.items()
    }
    rows = [
        (
            name,
            spread([one.first_ms for one in all_]).text(0),
            spread([one.figures_ms for one in all_]).text(0),
            spread([one.cpu_s for one in all_]).text(2),
            spread([one.peak_mib for one in all_]).text(0),
        )
        for name, all_ in found.items()
    ]
    section.table(("", "first, ms", "figures, ms", "CPU, s", "peak MiB"), rows)
    section.goals = goals(found)
    mine = found.pop("ktop, all panes")
    for what, value in (("ms to the first paint or line", "first_ms"), ("peak MiB until then", "peak_mib")):
        others = {name: spread([getattr(one, value) for one in all_]).median for name, all_ in found.items()}
        text = ", ".join(f"{name} {each:.0f}" for name, each in others.items())
        section.short.append((what, f"{spread([getattr(one, value) for one in mine]).median:.0f}", text))
    figures = spread([one.figures_ms for one in mine]).median
    bcc = spread([one.first_ms for one in found.get("bcc runqlat", [])]).median
    line = f"the first line of bcc's runqlat {bcc:.0f}" if found.get("bcc runqlat") else "–"
    section.short.insert(1, ("ms to the first figures of all resident panes", f"{figures:.0f}", line))
    return section


def goals(found: dict[str, list[Start]]) -> list[Goal]:
    """Hold the goals against what was found."""
    mine = found["ktop, all panes"]
    paint = ratios([one.first_ms for one in mine], [one.first_ms for one in found["idle Textual and numpy"]])
    figures = spread([one.figures_ms for one in mine])
    reached = [
        Goal(
            f"first paint: at most {IDLE_GOAL:g} times an idle Textual + numpy application's",
            paint.text(2),
            paint.median <= IDLE_GOAL,
            "the rest is the import of ktop's own modules and the drawing of a whole screen instead of one "
            "line",
        )
    ]
    bcc = spread([one.first_ms for one in found.get("bcc runqlat", [])])
    asked = "all panes have figures before one bcc tool prints its first line"
    if found.get("bcc runqlat"):
        text = f"{figures.median:.0f} and {bcc.median:.0f} ms"
        reached.append(Goal(asked, text, figures.median < bcc.median))
    else:
        reached.append(Goal(asked, f"{figures.median:.0f} ms", reached=False, reason="no bcc tool runs here"))
    return reached


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv).text())
