"""Processes with a name and a rhythm; they end with the test, and by themselves after two minutes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence


def unique(name: str) -> str:
    """Return a name of at most 15 bytes that no other run of the tests uses."""
    return f"{name}-{os.getpid() % 100_000:05d}"


_PRELUDE = """
import ctypes, os, signal, sys, time
libc = ctypes.CDLL(None)
libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing outlives the tests
name = bytes.fromhex(sys.argv[1])
libc.prctl(15, name)           # PR_SET_NAME
end = time.monotonic() + 120
print(flush=True)
"""
SLEEPER = (
    _PRELUDE
    + """
while time.monotonic() < end:
    time.sleep(0.005)
"""
)
SPINNER = (
    _PRELUDE
    + """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
while time.monotonic() < end:
    pass
"""
)


@contextlib.contextmanager
def running(program: str, names: Sequence[bytes]) -> Iterator[list[int]]:
    """Run ``program`` once for each of ``names``, under that name, and yield the PIDs."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for name in names:
            command = [sys.executable, "-I", "-S", "-c", program, name.hex()]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


CHURN = """
import os, sys, time
path, count, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
start = time.monotonic()
for number in range(count):
    time.sleep(max(0.0, start + number / rate - time.monotonic()))
    os.waitpid(os.posix_spawn(path, [path], {}), 0)
print(time.monotonic() - start, flush=True)
"""


@contextlib.contextmanager
def churning(path: str, count: int, rate: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``path`` ``count`` times, ``rate`` times a second; yields the process that does."""
    command = [sys.executable, "-I", "-S", "-c", CHURN, path, str(count), str(rate)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
