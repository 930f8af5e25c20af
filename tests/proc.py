"""What /proc says of a process: a source that is not ktop."""

from __future__ import annotations

import contextlib
from pathlib import Path


def state(pid: int) -> str:
    """Return the letter of its state; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    return stat.rpartition(b")")[2].split()[0].decode()


def is_alive(pid: int) -> bool:
    """Return whether it runs: a zombie does not."""
    return state(pid) not in {"", "Z", "X"}


def waits_in_write(pid: int) -> bool:
    """Return whether a thread of it waits in write(2)."""
    calls = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            calls += (task / "syscall").read_text("ascii").split()[:1]
    # "running" when it does not wait; write is 1 on x86_64, 64 on arm64.
    return "1" in calls or "64" in calls


def schedstat(pid: int) -> tuple[int, int, int]:
    """Return (time on CPU in ns, time waiting in ns, times on a CPU): sched-stats.rst of the kernel."""
    on_cpu, waiting, runs = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(on_cpu), int(waiting), int(runs)
