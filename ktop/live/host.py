"""The header's figures: what the host as a whole is doing, and what ktop costs it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from ktop.live import procfs

PRESSURE = Path("/proc/pressure")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class HostSampler:
    """Reads the figures of ``ktop.source.HOST``; keeps the counters that shares are differences of."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._own = time.process_time()
        self._cpu: tuple[float, float] | None = None
        self._cpus = os.cpu_count() or 1

    def sample(self) -> dict[str, float]:
        """Return the figures by name (see ``ktop.source.HOST``); those the host has not are absent.

        Shares are those since the last call; ``cpu_ratio`` is absent in the first, and where CPUs
        came or went since.
        """
        # Not at the top: psutil takes 15 ms and is not needed before the first paint.
        import psutil

        figures: dict[str, float] = {}
        with suppress(OSError):
            figures["uptime_s"] = time.clock_gettime(time.CLOCK_BOOTTIME)
            figures["load1"], figures["load5"], figures["load15"] = os.getloadavg()
        with suppress(OSError, psutil.Error):
            self._follow_the_cpus(os.cpu_count() or 1)
            figures["cpus"] = float(self._cpus)
            figures.update(self._cpu_ratio(psutil.cpu_times()))
        with suppress(OSError, KeyError):
            # Not psutil's: its swap_memory also reads vmstat, the dearest file there.
            memory = procfs.numbers("meminfo")
            figures["memory_total_bytes"] = float(memory["MemTotal"])
            figures["memory_used_bytes"] = float(memory["MemTotal"] - memory["MemAvailable"])
            figures["swap_used_bytes"] = float(memory["SwapTotal"] - memory["SwapFree"])
        for name in ("cpu", "io", "memory"):
            with suppress(OSError, ValueError):
                figures[f"pressure_{name}"] = pressure(PRESSURE / name)
        with suppress(OSError):
            figures["self_rss_bytes"] = float(resident())
        figures.update(self._own_ratio())
        return figures

    def _follow_the_cpus(self, cpus: int) -> None:
        """Compare no times with those before where CPUs came or went: a CPU's idle time jumps then."""
        if cpus != self._cpus:
            self._cpus, self._cpu = cpus, None

    def _cpu_ratio(self, times: tuple[float, ...]) -> dict[str, float]:
        """Return the share of all CPUs' time that was neither idle nor waiting for I/O."""
        # guest and guest_nice are contained in user and nice.
        named = times._asdict()  # type: ignore[attr-defined]  # a namedtuple, of which psutil has no types
        total = sum(value for name, value in named.items() if not name.startswith("guest"))
        now = (total - named["idle"] - named.get("iowait", 0.0), total)
        before, self._cpu = self._cpu, now
        if before is None or now[1] <= before[1]:
            return {}
        # iowait may run backwards (proc(5)), so the share can leave its range.
        return {"cpu_ratio": min(max((now[0] - before[0]) / (now[1] - before[1]), 0.0), 1.0)}

    def _own_ratio(self) -> dict[str, float]:
        """Return ktop's own share of one core, all threads together."""
        wall, own = time.monotonic(), time.process_time()
        passed, used = wall - self._wall, own - self._own
        if passed <= 0:
            return {}
        self._wall, self._own = wall, own
        return {"self_cpu_ratio": used / passed}


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - at every tick, and open costs half
        return int(file.read().split()[1]) * _PAGE


def pressure(path: Path) -> float:
    """Return the share (0 to 1) of the last 10 s in which some task was stalled.

    OSError where the kernel has no pressure figures (PSI may be built in and off: EOPNOTSUPP).
    """
    for line in path.read_text(encoding="ascii").splitlines():
        kind, *fields = line.split()
        if kind == "some":
            return float(dict(field.split("=", 1) for field in fields)["avg10"]) / 100
    raise ValueError(f"{path} has no line 'some'")
