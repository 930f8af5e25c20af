"""How long BPF programs run, while the kernel counts it."""

from __future__ import annotations

import contextlib
import time

from ktop.kernel.facts import runtime_statistics

SHORTEST_NS = 50_000_000
"""Over less than this a share says nothing: a tick can be due just after they were switched on."""


class RunTime:
    """The kernel's statistics, switched on for a moment: each run is some 58 ns dearer meanwhile."""

    def __init__(self, seconds: float) -> None:
        """Switch them on; OSError where that is refused."""
        self.until = time.monotonic() + seconds
        """When they are to be switched off: so long after the first look, however late that is."""
        self.measured = False
        """Whether there was a share to tell already."""
        self._on = contextlib.ExitStack()
        self._on.enter_context(runtime_statistics())
        self._before: tuple[int, int] | None = None
        self._seconds = seconds
        self._shortest_ns = min(SHORTEST_NS, seconds * 1e9 / 2)

    def take(self, run_time_ns: int) -> float | None:
        """Return the share of one core since the last one, None at the first call and right after it.

        ``run_time_ns``: of all programs since they were loaded.
        """
        before, now = self._before, (run_time_ns, time.monotonic_ns())
        if before is not None and now[1] - before[1] < self._shortest_ns:
            return None
        self._before = now
        if before is None:
            self.until = time.monotonic() + self._seconds
            return None
        self.measured = True
        return (now[0] - before[0]) / (now[1] - before[1])

    def close(self) -> None:
        """Switch them off."""
        self._on.close()
