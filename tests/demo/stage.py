"""The workload of the demo recording: its disk, its network, its processes, and their end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ktop.kernel.cgroups import mount

ROOT = Path("/srv/demo")
"""A neutral place: paths of it are in the recording, as arguments of programs."""
BIN, DATA = ROOT / "bin", ROOT / "data"
MEMORY = Path("/dev/shm/ktop-demo")
VOLUME = ROOT / "volume"
WORKLOAD = Path(__file__).with_name("workload.c")
ROLES = (
    "postgres",
    "backup",
    "report",
    "api-server",
    "session-cache",
    "frontend",
    "chatty-client",
    "walsender",
    "replica",
    "hog",
    "cron",
)
UNITS = {
    "postgres": "postgresql@acme.service",
    "walsender": "postgresql@acme.service",
    "report": "report@acme.service",
    "api-server": "api@acme.service",
    "session-cache": "cache@acme.service",
    "frontend": "web@acme.service",
    "chatty-client": "worker@acme.service",
    "replica": "standby@acme.service",
    "cron": "cron.service",
    "backup": "backup@globex.service",
    "hog": "thumbnails@globex.service",
}
"""Whose each role is: those of one tenant suffer from those of another."""
SLICE = "ktop-demo.slice"
MIB = 1 << 20
FILES = {"table": 64, "wal.1": 8, "wal.2": 8, "archive": 192, "journal.csv": 80}
"""In MiB."""
DISK = 448 * MIB
READ_RATE, WRITE_RATE = "48M", "24M"
"""Of the disk, bytes a second: what a small network volume of a cloud gives."""
ROUTER, REMOTE, NEAR = "ktop-demo-router", "ktop-demo-remote", "10.77.0.1"
POSTGRES, WWW = 999, 33
"""User IDs; there need not be names for them."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


def run(*command: str) -> None:
    """Run ``command``; CalledProcessError when it fails."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Troupe:
    """Processes, started one by one and ended by their PIDs."""

    def __init__(self, units: Path) -> None:
        """``units``: where their cgroups are."""
        self._slice = units
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    @property
    def pids(self) -> list[int]:
        """Return the processes that were started here."""
        return [process.pid for _, process in self._running]

    def start(
        self,
        role: str,
        *arguments: str,
        cpu: int | None = None,
        nice: int = 0,
        user: int | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        """Start ``role``; ``inside``: the command that brings it into a namespace."""
        before = os.sched_getaffinity(0)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})  # a child inherits it, its threads too
        try:
            process = subprocess.Popen(
                [*inside, str(BIN / role), *arguments],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                user=user,
                group=user,
                extra_groups=[] if user is not None else None,
            )
        finally:
            os.sched_setaffinity(0, before)
        self._running.append((role, process))
        if role in UNITS:
            (self._slice / UNITS[role] / "cgroup.procs").write_text(str(process.pid), encoding="ascii")
        if nice:
            os.setpriority(os.PRIO_PROCESS, process.pid, nice)

    def end(self, role: str = "") -> None:
        """End those of ``role``, or all."""
        for each, process in self._running:
            if role in {each, ""}:
                process.kill()
                process.wait()
        self._running = [(each, process) for each, process in self._running if process.returncode is None]


@contextlib.contextmanager
def units() -> Iterator[Path]:
    """Make a cgroup for each of UNITS, in one that is returned; all go at the end."""
    parent = Path(os.fsdecode(mount())) / SLICE
    made = [parent, *(parent / name for name in dict.fromkeys(UNITS.values()))]
    with contextlib.ExitStack() as undo:
        for path in made:
            path.mkdir()
            undo.callback(_remove, path)
        yield parent


def _remove(cgroup: Path) -> None:
    """Remove ``cgroup`` when the last of its processes has gone, those that others started too."""
    while "populated 1" in (cgroup / "cgroup.events").read_text(encoding="ascii"):
        time.sleep(0.01)
    cgroup.rmdir()


@contextlib.contextmanager
def programs() -> Iterator[None]:
    """Compile the programs, one copy a role; all of ROOT is removed at the end."""
    BIN.mkdir(parents=True)
    try:
        flags = ["-O2", "-g", "-Wall", "-Wextra", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
        built = BIN / "workload"
        # By its bare name: the path would be in the debug information.
        command = ["cc", *flags, "-o", str(built), WORKLOAD.name, "-lpthread"]
        subprocess.run(command, cwd=WORKLOAD.parent, check=True)
        for role in ROLES:
            shutil.copy(built, BIN / role)
        yield
    finally:
        shutil.rmtree(ROOT)


@contextlib.contextmanager
def slow_disk(troupe: Troupe) -> Iterator[None]:
    """Mount a file system on DATA whose disk does READ_RATE and WRITE_RATE and no more.

    It is a loop device on a file behind bindfs, which limits the rates; the
    file is in memory, so that no other disk has a part in it.
    """
    with contextlib.ExitStack() as undo:
        for directory in (MEMORY, VOLUME, DATA):
            directory.mkdir()
            undo.callback(directory.rmdir)
        image = MEMORY / "disk"
        undo.callback(image.unlink)
        with image.open("wb") as file:
            file.truncate(DISK)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        run("mount", "-o", "loop", str(image), str(DATA))
        try:
            _fill()
        finally:
            run("umount", str(DATA))
        (BIN / "bindfs").symlink_to(shutil.which("bindfs") or "bindfs")
        troupe.start(
            "bindfs", "-f", f"--read-rate={READ_RATE}", f"--write-rate={WRITE_RATE}", str(MEMORY), str(VOLUME)
        )
        undo.callback(run, "umount", str(VOLUME))
        while not (VOLUME / image.name).exists():
            pass
        losetup = ["losetup", "--find", "--show", "--direct-io=on", str(VOLUME / image.name)]
        disk = subprocess.run(losetup, check=True, capture_output=True, text=True).stdout.strip()
        undo.callback(run, "losetup", "--detach", disk)
        run("mount", disk, str(DATA))
        undo.callback(run, "umount", str(DATA))
        yield


def _fill() -> None:
    for name, size in FILES.items():
        with (DATA / name).open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(MIB))
        os.chown(DATA / name, POSTGRES, POSTGRES)
    words = "\n".join(f"{os.urandom(4).hex()} {number}" for number in range(20_000))
    (DATA / "words").write_text(words, encoding="ascii")


@contextlib.contextmanager
def thin_line() -> Iterator[None]:
    """Make a second host behind a router whose line does 8 Mbit/s and whose queue overflows.

    The queue is a hop away: TCP does not overflow one that it can see.
    """
    with contextlib.ExitStack() as undo:
        for name in (ROUTER, REMOTE):
            run("ip", "netns", "add", name)
            undo.callback(run, "ip", "netns", "delete", name)
        run("ip", "link", "add", "demo0", "type", "veth", "peer", "name", "demo1", "netns", ROUTER)
        # By itself it goes only with the last socket of the namespace, which takes its time.
        undo.callback(run, "ip", "link", "delete", "demo0")
        line = ["demo2", "type", "veth", "peer", "name", "demo3", "netns", REMOTE]
        run("ip", "-n", ROUTER, "link", "add", *line)
        for place, device, address in (
            ([], "demo0", NEAR),
            (["-n", ROUTER], "demo1", "10.77.0.2"),
            (["-n", ROUTER], "demo2", "10.77.1.1"),
            (["-n", REMOTE], "demo3", "10.77.1.2"),
        ):
            run("ip", *place, "address", "add", f"{address}/24", "dev", device)
            run("ip", *place, "link", "set", device, "up")
        run("ip", "route", "add", "10.77.1.0/24", "via", "10.77.0.2")
        run("ip", "-n", REMOTE, "route", "add", "default", "via", "10.77.1.1")
        inside = ["ip", "netns", "exec", ROUTER]
        run(*inside, "sysctl", "-q", "net.ipv4.ip_forward=1")
        shape = ["tbf", "rate", "8mbit", "burst", "16kb", "limit", "32kb"]
        run(*inside, "tc", "qdisc", "add", "dev", "demo2", "root", *shape)
        yield
