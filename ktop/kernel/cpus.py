"""Which CPUs there are (Documentation/admin-guide/cputopology.rst)."""

from __future__ import annotations

from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")


def online() -> list[int]:
    """Return the numbers of the CPUs that are online; OSError where /sys does not tell."""
    return parse_list((_CPUS / "online").read_text(encoding="ascii"))


def present() -> int:
    """Return how many CPUs there are, online or not, gaps in their numbers included; 0: /sys does not tell.

    In guests many more may be possible: 240 under Hyper-V, with two.
    """
    try:
        there = parse_list((_CPUS / "present").read_text(encoding="ascii"))
    except OSError:
        return 0
    return max(there, default=-1) + 1


def parse_list(text: str) -> list[int]:
    """Return the numbers in a CPU list such as ``0-3,8``."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus
