"""How long BPF programs run, while the kernel counts it."""

from __future__ import annotations

import contextlib
import time

from ktop.kernel.facts import runtime_statistics


class RunTime:
    """The kernel's statistics, switched on for a moment: each run is some 58 ns dearer meanwhile."""

    def __init__(self, seconds: float) -> None:
        """Switch them on; OSError where that is refused."""
        self.until = time.monotonic() + seconds
        """When they are to be switched off."""
        self.measured = False
        """Whether there was a share to tell already."""
        self._on = contextlib.ExitStack()
        self._on.enter_context(runtime_statistics())
        self._before: tuple[int, int] | None = None

    def take(self, run_time_ns: int) -> float | None:
        """Return the share of one core since the last call, None at the first.

        ``run_time_ns``: of all programs since they were loaded.
        """
        before, self._before = self._before, (run_time_ns, time.monotonic_ns())
        if before is None:
            return None
        self.measured = True
        return (run_time_ns - before[0]) / max(self._before[1] - before[1], 1)

    def close(self) -> None:
        """Switch them off."""
        self._on.close()
