"""A program in a pseudo-terminal that takes its output at once, and when what came."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
KTOP = (sys.executable, "-m", "ktop")
IDLE = (sys.executable, "-m", "tests.bench.idle_app")


class PtyApp:
    """The program, from exec to the end of the block; times are of CLOCK_MONOTONIC, in seconds."""

    def __init__(
        self,
        command: Sequence[str],
        width: int = 200,
        height: int = 50,
        *,
        session: bool = True,
        **environment: str,
    ) -> None:
        """Start it in a terminal of that size; ``session``: one of its own, which the scheduler groups by."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self._leader = leader
        self._came = threading.Condition()
        self.output = b""
        self.sent = 0
        """Bytes that came in all."""
        self.last_s = 0.0
        """When output came last."""
        plain = {
            name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}
        }
        self.exec_s = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            cwd=ROOT,
            env={**plain, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
            start_new_session=session,
        )
        os.close(follower)
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join(1)
        with contextlib.suppress(OSError):
            os.close(self._leader)

    def _drain(self) -> None:
        while True:
            try:
                data = os.read(self._leader, 1 << 16)
            except OSError:
                return
            now = time.monotonic()
            with self._came:
                self.output += data
                self.sent += len(data)
                self.last_s = now
                self._came.notify_all()

    def wait_for(self, text: bytes, timeout: float = 30) -> float:
        """Return when ``text`` had come, by the end of the read that brought it."""
        return self.wait_match(re.compile(re.escape(text)), timeout)

    def wait_match(self, pattern: re.Pattern[bytes], timeout: float = 30) -> float:
        """Return when something that matches ``pattern`` had come."""
        with self._came:
            if not self._came.wait_for(lambda: pattern.search(self.output), timeout):
                raise TimeoutError(f"{pattern.pattern!r} never came: {self.output[-2000:]!r}")
            return self.last_s

    def press(self, keys: bytes) -> float:
        """Forget the output so far, press ``keys``, and return when that was."""
        with self._came:
            self.output = b""
        now = time.monotonic()
        os.write(self._leader, keys)
        return now

    def cpu_s(self) -> float:
        """Return the CPU time it has used so far."""
        return cpu_s(self.process.pid)

    def peak_mib(self) -> float:
        """Return the most that was ever resident, in MiB."""
        return memory_mib(self.process.pid, "VmHWM")


def cpu_s(pid: int) -> float:
    """Return the CPU time of all threads of ``pid``, past ones too; to the ns, where stat counts in 10 ms."""
    # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED), include/linux/posix-timers_types.h.
    return time.clock_gettime((~pid << 3) | 2)


def memory_mib(pid: int, field: str) -> float:
    """Return a field of /proc/PID/status that is in kB, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024
