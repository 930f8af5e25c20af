"""What a process is given, where ktop needs more than the usual."""

from __future__ import annotations

import contextlib
import resource

OPEN_FILES = 1 << 16
"""llcstat and profile have six perf events a CPU; the usual 1,024 would do for 140 CPUs or so."""


def raise_open_files() -> None:
    """Raise the soft limit of open files as far as the hard one lets; no error where that is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
