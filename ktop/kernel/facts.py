"""What is so on this host: what panes compute with, and what kernel runs."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from ktop.frame import Facts

_TRIES, _QUICK_NS = 10, 20_000
_STEP_NS = 5_000_000
"""A difference that does not come from when the clocks were read."""
_HOST_PIDS = "pid:[4026531836]"
"""The first PID namespace (PROC_PID_INIT_INO of linux/proc_ns.h)."""


def for_compute() -> Facts:
    """Return the facts that panes compute with."""
    return Facts(os.sysconf("SC_PAGE_SIZE"), _boot_ns())


def renewed(facts: Facts) -> Facts:
    """Return ``facts`` with the present time of day; the same unless the clock has been set."""
    boot_ns = _boot_ns()
    return replace(facts, boot_ns=boot_ns) if abs(boot_ns - facts.boot_ns) > _STEP_NS else facts


def _boot_ns() -> int:
    """Return CLOCK_REALTIME minus CLOCK_BOOTTIME; a try in which the CPU was taken away counts for less."""
    tries = []
    for _ in range(_TRIES):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        real = time.clock_gettime_ns(time.CLOCK_REALTIME)
        took = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before
        tries.append((took, real - before - took // 2))
        if took < _QUICK_NS:
            break
    return min(tries)[1]


def sees_all_processes() -> bool:
    """Return whether this is the PID namespace of the host: iter/task lists only the reader's."""
    return not (own := _pid_namespace()) or own == _HOST_PIDS


def _pid_namespace() -> str:
    """Return which this process is in; empty when that cannot be told."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def kernel_version() -> tuple[int, int]:
    """Return major and minor of the running kernel.

    For what is said, or no longer needed; never for what is tried.
    """
    major, minor = os.uname().release.split(".")[:2]
    digits = "".join(character for character in minor if character.isdigit())
    return int(major), int(digits or 0)
