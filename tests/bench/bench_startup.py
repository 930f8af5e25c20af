"""From exec to the first paint, beside an idle Textual + numpy application; and until all panes live.

    sudo .venv/bin/python -m tests.bench.bench_startup [ROUNDS]

Goals: at most 1.2 times the idle application; the last pane's first figures
at most 300 ms after the first paint.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.pty_app import IDLE, KTOP, PtyApp

TIMED = (sys.executable, "-m", "tests.bench.timed_ktop")


def paint(command: tuple[str, ...], mark: bytes) -> float:
    """Return ms from exec to the output that has ``mark``."""
    with PtyApp(command) as app:
        return 1e3 * (app.wait_for(mark) - app.exec_s)


def panes() -> dict[str, float]:
    """Return ms from the first paint to each resident pane's attachment and first Frame."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "times"
        with PtyApp(TIMED, KTOP_BENCH_TIMES=str(file)) as app:
            painted = app.wait_for(b"quit")
            deadline = time.monotonic() + 30
            while not file.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
        times: dict[str, float] = json.loads(file.read_text("utf-8"))
    return {name: 1e3 * (at - painted) for name, at in times.items()}


def main() -> None:
    """Print medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    idle, ktop = [], []
    for _ in range(rounds):
        idle.append(paint(IDLE, b"painted 0"))
        ktop.append(paint(KTOP, b"quit"))
    ratio = statistics.median(ktop) / statistics.median(idle)
    for name, times in (("idle", idle), ("ktop", ktop)):
        spread = f"min {min(times):.0f}, max {max(times):.0f}"
        print(f"{name}: first paint {statistics.median(times):6.0f} ms  ({spread})")
    print(f"ratio {ratio:.2f}  goal 1.20  (of the minima {min(ktop) / min(idle):.2f})")
    runs = [panes() for _ in range(rounds)]
    for name in runs[0]:
        values = [run[name] for run in runs if name in run]
        print(f"{name:20} {statistics.median(values):6.0f} ms after the first paint")


if __name__ == "__main__":
    main()
