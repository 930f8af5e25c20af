"""Who a process is, from /proc: read when asked, never for every process."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ktop import throttling
from ktop.cgroup import container

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""In what steps /proc tells the start of a process."""
_TRIES = 3
"""To read a process whose threads end."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment; text is raw bytes, as the kernel has it."""

    pid: int
    comm: bytes
    argv: bytes
    """NUL-separated, empty for a kernel thread; without the room that a title of its own left over."""
    uid: int
    user: str
    ppid: int
    parent: bytes
    """The parent's comm; empty when it has gone."""
    cgroup: bytes
    container: str
    """The first 12 digits of the container's id, as its tools print it; empty outside containers."""
    threads: int
    rss_bytes: int | None
    """None where there is no memory of its own: a kernel thread."""
    swap_bytes: int | None
    start_ns: int
    """Since boot, as the panes have it, but rounded down to TICK_NS: with the PID, which process it is."""
    started: float
    """Unix time in seconds."""
    state: str
    """The kernel's letter: R running, S sleeping, D waiting for a disk, Z ended but not reaped ...

    Of a thread that goes on, where the first one has ended.
    """
    cpu_ns: int
    """CPU time of all its threads so far, rounded down to TICK_NS."""
    read_ns: int
    """When it was read, since boot."""
    limits: tuple[throttling.Limit, ...]
    """Of CPU time, of its cgroup and those above; none where they cannot be read."""

    def began_at(self, start_ns: int) -> bool:
        """Return whether it is the process of its PID that started at ``start_ns`` (ns since boot)."""
        return start_ns // TICK_NS * TICK_NS == self.start_ns

    @property
    def age_ns(self) -> int:
        """How long it ran."""
        return self.read_ns - self.start_ns

    def cpus(self) -> float:
        """Return how many CPUs it kept busy, on average, since it started."""
        return self.cpu_ns / max(self.age_ns, 1)

    def cpus_since(self, before: Process) -> float:
        """Return how many CPUs it kept busy, on average, since it was read ``before``."""
        return (self.cpu_ns - before.cpu_ns) / max(self.read_ns - before.read_ns, 1)


def read(pid: int, root: Path = Path("/proc")) -> Process | None:
    """Return the process ``pid``, or None when there is none.

    The figures come from several files and belong to one process unless it
    ended in between, which gives None too.
    """
    for _ in range(_TRIES):
        try:
            return _read(pid, root)
        except OSError:  # a thread that was looked at can have ended, and not the process
            if not (root / str(pid)).exists():
                break
    return None


def _read(pid: int, root: Path) -> Process:
    """Return the process ``pid``; OSError when it, or the thread that was looked at, is gone."""
    base = root / str(pid)
    read_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    comm, rest = _stat(base)
    state = rest[0]
    # The first thread can end before the others: it has no memory any more, and no command line.
    alive = living_thread(pid, root)
    if alive != pid:
        base = base / "task" / str(alive)
        state = _stat(base)[1][0]
    status = _fields((base / "status").read_bytes())
    argv = (base / "cmdline").read_bytes()
    cgroup = (base / "cgroup").read_bytes()
    uid = int(status.get(b"Uid", b"0").split()[0])
    ppid = int(rest[1])
    start_ns = _start_ns(rest)
    path = _cgroup_path(cgroup)
    return Process(
        pid=pid,
        comm=comm,
        argv=argv.rstrip(b"\0") + b"\0" if argv else b"",
        uid=uid,
        user=_user(uid),
        ppid=ppid,
        parent=_comm(root / str(ppid)),
        cgroup=path,
        container=container(path).decode("ascii"),
        threads=int(rest[17]),
        rss_bytes=_kib(status.get(b"VmRSS", b"")),
        swap_bytes=_kib(status.get(b"VmSwap", b"")),
        start_ns=start_ns,
        started=_boot_time(root) + start_ns / 1e9,
        state=state.decode("ascii", "replace"),
        cpu_ns=(int(rest[11]) + int(rest[12])) * TICK_NS,
        read_ns=read_ns,
        limits=throttling.of(cgroup),
    )


def start_of(pid: int) -> int | None:
    """Return when the process ``pid`` started (ns since boot, rounded down to TICK_NS); None: it is gone."""
    try:
        return _start_ns(_stat(Path(f"/proc/{pid}"))[1])
    except OSError:
        return None


def _start_ns(rest: Sequence[bytes]) -> int:
    """Return the start of the process whose ``stat`` ends in ``rest``."""
    return int(rest[19]) * TICK_NS


def _stat(base: Path) -> tuple[bytes, list[bytes]]:
    """Return the name and what follows it in ``stat``; raises OSError."""
    stat = (base / "stat").read_bytes()
    # comm may hold anything, brackets too: it ends at the last one.
    return stat[stat.index(b"(") + 1 : stat.rindex(b")")], stat[stat.rindex(b")") + 2 :].split()


def living_thread(pid: int, root: Path = Path("/proc")) -> int:
    """Return a thread of process ``pid`` that has not ended: itself where the first one has not, or none."""
    base = root / str(pid)
    if _goes_on(base):
        return pid
    try:
        return next((int(task.name) for task in (base / "task").iterdir() if _goes_on(task)), pid)
    except OSError:  # it is gone
        return pid


def _goes_on(base: Path) -> bool:
    try:
        return _stat(base)[1][0] not in {b"Z", b"X"}
    except OSError:
        return False


def _fields(text: bytes) -> dict[bytes, bytes]:
    """Return the lines ``Key: value`` of ``text``."""
    # Not splitlines: a comm may hold a carriage return, and the kernel escapes only line feeds.
    pairs = (line.split(b":", maxsplit=1) for line in text.split(b"\n") if b":" in line)
    return {name: value.strip() for name, value in pairs}


def _kib(text: bytes) -> int | None:
    """Return bytes for a field such as ``1234 kB``; None when it is not there."""
    return int(text.split()[0]) * 1024 if text else None


def _cgroup_path(text: bytes) -> bytes:
    """Return the unified (version 2) path, else the longest of the version 1 hierarchies."""
    paths = [line.split(b":", maxsplit=2) for line in text.split(b"\n")]
    for path in paths:
        if len(path) == 3 and path[0] == b"0" and path[2] != b"/":
            return path[2]
    return max((path[2] for path in paths if len(path) == 3), key=len, default=b"")


def _user(uid: int) -> str:
    """Return the name of ``uid`` on this host, its number when it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _comm(base: Path) -> bytes:
    """Return the comm of the process at ``base``; empty when it is gone."""
    try:
        return (base / "comm").read_bytes().removesuffix(b"\n")
    except OSError:
        return b""


def _boot_time(root: Path) -> float:
    """Return the Unix time of the boot; 0 when /proc/stat does not say."""
    for line in (root / "stat").read_bytes().split(b"\n"):
        if line.startswith(b"btime "):
            return float(line.split()[1])
    return 0.0
