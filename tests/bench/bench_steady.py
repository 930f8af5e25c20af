"""CPU and memory of ktop at 1 s in 200x50, each pane in sight in turn.

    sudo .venv/bin/python -m tests.bench.bench_steady [SECONDS [PANE...]]

Goals on an idle host: at most 1 % of one core, at most 75 MiB resident while
bcc is not loaded (profile and the process screen load it).
"""

from __future__ import annotations

import sys
import time

from ktop import registry
from tests.bench.pty_app import IDLE, KTOP, PtyApp

SETTLE_S = 4


def measured(command: tuple[str, ...], mark: bytes, seconds: float) -> tuple[float, float]:
    """Return CPU per cent of one core over ``seconds`` and MiB resident at their end."""
    with PtyApp(command) as app:
        app.wait_for(mark)
        time.sleep(SETTLE_S)
        began, used = time.monotonic(), app.cpu_s()
        time.sleep(seconds)
        cpu, rss = 100 * (app.cpu_s() - used) / (time.monotonic() - began), app.rss_mib()
        if app.process.poll() is not None:
            raise RuntimeError(f"it ended: {app.output[-2000:].decode(errors='replace')}")
        return cpu, rss


def main() -> None:
    """Print a line for each pane."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    names = sys.argv[2:] or registry.names()
    print(f"{'':12} {'CPU %':>6} {'MiB':>6}   (goals 1.00, 75)")
    for name, command, mark in (
        ("idle app", IDLE, b"painted 0"),
        *((name, (*KTOP, "--pane", name), b"quit") for name in names),
    ):
        cpu, rss = measured(command, mark, seconds)
        print(f"{name:12} {cpu:6.2f} {rss:6.1f}", flush=True)


if __name__ == "__main__":
    main()
