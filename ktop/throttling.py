"""CPU limits of cgroups (cpu.max, in version 1 cpu.cfs_quota_us), and how often they were used up.

The kernel does not tell a thread that waits for its cgroup's next period from one that waits for a CPU.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Limit(NamedTuple):
    """What one cgroup may use of the CPUs; the counts only grow."""

    path: bytes
    cpus: float
    periods: int
    """In which it wanted any CPU."""
    used_up: int
    """Of these, in which the limit was not enough."""


def of(cgroups: bytes, root: Path = Path("/proc")) -> tuple[Limit, ...]:
    """Return the limits that hold for whom ``cgroups`` (/proc/PID/cgroup) is of, the innermost first."""
    found: list[Limit] = []
    for line in cgroups.split(b"\n"):
        controllers, _, path = line.partition(b":")[2].partition(b":")
        place = _mounts(root).get(controllers != b"")
        relevant = controllers == b"" or b"cpu" in controllers.split(b",")
        # Outside of this one's cgroup namespace paths begin with /.., and lead elsewhere.
        if relevant and place is not None and not path.startswith(b"/.."):
            while path.strip(b"/"):
                limit = _limit(place + os.fsdecode(path), path)
                found += [limit] if limit is not None else []
                path = path.rpartition(b"/")[0]
    return tuple(found)


def used_up(before: Sequence[Limit], now: Sequence[Limit]) -> Limit | None:
    """Return the limit that was used up most often since ``before``, with what its counts grew by."""
    had = {limit.path: limit for limit in before}
    grown = [
        limit._replace(periods=limit.periods - old.periods, used_up=limit.used_up - old.used_up)
        for limit in now
        if (old := had.get(limit.path)) is not None
    ]
    worst = max(grown, key=lambda limit: limit.used_up, default=None)
    return worst if worst is not None and worst.used_up > 0 else None


@cache
def _mounts(root: Path) -> Mapping[bool, str]:
    """Return where cgroups that have to do with CPUs are mounted: of version 2 (False) and 1 (True)."""
    places: dict[bool, str] = {}
    with contextlib.suppress(OSError):
        for line in (root / "self/mountinfo").read_bytes().split(b"\n"):
            before, _, after = line.partition(b" - ")
            kind, _, options = after.partition(b" ")
            if kind == b"cgroup2" or (kind == b"cgroup" and b"cpu" in options.split(b" ")[-1].split(b",")):
                top, place = before.split(b" ")[3:5]
                if top == b"/":
                    places.setdefault(kind == b"cgroup", os.fsdecode(place.replace(b"\\040", b" ")))
    return places


def _limit(directory: str, path: bytes) -> Limit | None:
    """Return the limit of the cgroup at ``directory``; None where it has none, or is gone."""
    base = Path(directory)
    try:
        if (base / "cpu.max").exists():
            quota, period = (base / "cpu.max").read_text("ascii").split()
        else:
            quota, period = ((base / f"cpu.cfs_{name}_us").read_text("ascii") for name in ("quota", "period"))
        if quota == "max" or int(quota) < 0:
            return None
        stat = dict(line.split() for line in (base / "cpu.stat").read_text("ascii").splitlines())
        return Limit(path, int(quota) / int(period), int(stat["nr_periods"]), int(stat["nr_throttled"]))
    except (OSError, ValueError, KeyError):
        return None
