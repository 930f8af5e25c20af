"""How much ktop slows other people's work, beside six of Debian's libbpf-tools.

    sudo .venv/bin/python -m tests.bench.bench_workload [ROUNDS]

Context switches (goal: at most 1.35 times slower with all panes; nothing
measurable for fork+exec and direct reads).  Every round runs each load with
nothing, with ktop, and with the tools, so drift of the host hits all alike.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.pty_app import KTOP, PtyApp

SECONDS = 3
EXECS = 1500
TOOLS = ("runqlat", "hardirqs", "biolatency", "cachestat", "tcptop", "execsnoop")


def switches() -> float:
    """Return context-switch operations a second of CPU-bound ping-pong."""
    command = ["stress-ng", "--switch", "2", "-t", str(SECONDS), "--metrics-brief"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"\bswitch\s+(\d+)\s+([\d.]+)", done.stdout + done.stderr)
    assert found is not None, done.stdout + done.stderr
    return int(found[1]) / float(found[2])


def execs() -> float:
    """Return fork+exec+wait a second."""
    true = shutil.which("true") or "true"
    start = time.monotonic()
    for _ in range(EXECS):
        os.waitpid(os.posix_spawn(true, [true], {}), 0)
    return EXECS / (time.monotonic() - start)


def reads() -> float:
    """Return direct 4 KiB reads a second, one at a time."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
        command = [
            *("fio", "--name=x", f"--directory={scratch}", "--size=64m", "--rw=randread", "--bs=4k"),
            *("--direct=1", "--time_based", f"--runtime={SECONDS}", "--output-format=terse"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Terse format 3: field 8 is the reads' IOPS (fio's HOWTO).
    return float(next(line for line in done.stdout.splitlines() if line.startswith("3;")).split(";")[7])


@contextlib.contextmanager
def nothing() -> Iterator[None]:
    """Run the load alone."""
    yield


@contextlib.contextmanager
def ktop() -> Iterator[None]:
    """Run ktop beside it, all resident panes live."""
    with PtyApp(KTOP) as app:
        app.wait_match(re.compile(rb"measured .{0,80}?\d\.\d"))
        time.sleep(1)
        yield


@contextlib.contextmanager
def tools() -> Iterator[None]:
    """Run the six tools beside it."""
    running = [
        subprocess.Popen([tool, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for tool, *arguments in ((tool, "1") if tool != "execsnoop" else (tool,) for tool in TOOLS)
        if shutil.which(tool)
    ]
    try:
        time.sleep(2)
        yield
    finally:
        for each in running:
            each.send_signal(signal.SIGINT)
        for each in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.wait(5)
            each.kill()
            each.wait()


def main() -> None:
    """Print how many times slower each load ran."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print(f"missing, so not counted among the tools: {' '.join(missing)}")
    scenes = {"nothing": nothing, "ktop": ktop, "libbpf-tools": tools}
    loads: dict[str, Callable[[], float]] = {"switch": switches, "fork+exec": execs, "direct read": reads}
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for scene, around in scenes.items():
            with around():
                for load, run in loads.items():
                    rates.setdefault((load, scene), []).append(run())
    for load in loads:
        base = rates[load, "nothing"]
        for scene in scenes:
            mine = rates[load, scene]
            slower = statistics.median(alone / with_it for alone, with_it in zip(base, mine, strict=True))
            print(f"{load:12} {scene:13} {statistics.median(mine):10.0f} /s   {slower:5.2f} times slower")


if __name__ == "__main__":
    main()
