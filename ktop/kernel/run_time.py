"""How long BPF programs run, while the kernel counts it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from ktop.kernel import libbpf

_STATS_RUN_TIME = 0
"""BPF_STATS_RUN_TIME of enum bpf_stats_type."""
SHORTEST_NS = 50_000_000
"""Over less than this a share says nothing: a tick can be due just after they were switched on."""


@contextlib.contextmanager
def runtime_statistics() -> Iterator[None]:
    """Have the kernel count run_time_ns and run_cnt of BPF programs (5.8, d46edd671a14).

    Held by a file descriptor: it ends with the block or the process, whichever is first.
    """
    fd = libbpf.library().bpf_enable_stats(_STATS_RUN_TIME)
    try:
        yield
    finally:
        os.close(fd)


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
