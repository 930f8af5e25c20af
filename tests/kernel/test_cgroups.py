"""Whose a process is: every pane against /proc/PID/cgroup, and the names against the directories."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ktop.cgroup import label
from ktop.kernel import cgroups, checks
from ktop.kernel.cgroups import GONE, Cgroups
from ktop.panes.llcstat import PANE as LLCSTAT
from ktop.panes.profile import PANE as PROFILE
from ktop.perf_event import SW_PAGE_FAULTS, TYPE_SOFTWARE, PerfEvent

BUSY = """
import mmap, os, socket, subprocess, sys, time
print(1, flush=True)
input()
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
with mmap.mmap(-1, 4096) as block:
    for _ in range(200):  # at times some milliseconds of them are not seen: see test_biotop.py
        os.preadv(fd, [block], 0)
with open(sys.argv[1], "rb") as file:
    file.read()
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
    other, _ = server.accept()
    one.sendall(b"x")
    other.recv(1)
subprocess.run(["/bin/true"])
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
time.sleep(0.001)
print(2, flush=True)
input()
"""
"""Does something that each pane counts."""

FAULTS = {
    "references": PerfEvent(TYPE_SOFTWARE, SW_PAGE_FAULTS),
    "misses": PerfEvent(TYPE_SOFTWARE, SW_PAGE_FAULTS),
    "flush": LLCSTAT.perf_events["flush"],
}
EVENTS = {"llcstat": FAULTS, "profile": PROFILE.perf_events}
PANES = ("runqlat", "biotop", "tcptop", "cachestat", "llcstat", "execsnoop", "profile")


@pytest.fixture
def hierarchy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where cgroups of version 2 are mounted; for the test alone where the host has them nowhere."""
    if there := cgroups.mount():
        yield Path(os.fsdecode(there))
        return
    if subprocess.run(["mount", "-t", "cgroup2", "none", tmp_path], check=False).returncode:
        pytest.skip("cgroups of version 2 cannot be mounted here")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
def make_cgroup(hierarchy: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that makes a cgroup; all are removed at the end, when their processes have gone."""
    base = hierarchy / f"ktop-test-{os.getpid()}.slice"
    made = [base]
    try:
        base.mkdir()
    except OSError as error:  # as in a container that only sees its own
        pytest.skip(f"no cgroup can be made here: {error}")

    def make(name: str) -> Path:
        path = base / name
        path.mkdir()
        made.append(path)
        return path

    try:
        yield make
    finally:
        for path in reversed(made):
            remove(path)


def remove(cgroup: Path) -> None:
    """Remove it, if it is still there; a process that was reaped can be in it for a moment."""
    deadline = time.monotonic() + 10
    while cgroup.exists():
        try:
            cgroup.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    """A process that waits to be told to do what BUSY does, and then to end."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:  # on a disk, which /tmp need not be
        file.write(os.urandom(1 << 16))
        file.flush()
        os.fsync(file.fileno())
        command = [sys.executable, "-c", BUSY, file.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield process
            finally:
                process.kill()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


def enter(cgroup: Path, process: subprocess.Popen[str]) -> bytes:
    """Put ``process`` there; return what /proc then calls it."""
    (cgroup / "cgroup.procs").write_text(str(process.pid), encoding="ascii")
    lines = Path(f"/proc/{process.pid}/cgroup").read_bytes().split(b"\n")
    return label(next(line[3:] for line in lines if line.startswith(b"0::")))


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("pane", PANES)
def test_rows_say_whose_the_process_is(observe, make_cgroup, busy, pane, ended):
    observed = observe(pane, perf_events=EVENTS.get(pane))
    name = enter(make_cgroup("backup.service"), busy)
    assert name == b"backup.service"
    observed.begin()
    go_on(busy)
    if ended:
        busy.communicate("\n")
    rows = observed.sample().rows
    mine = (rows["ppid"] if pane == "execsnoop" else rows["pid"]) == busy.pid
    if pane == "biotop" and os.major(Path("/var/tmp").stat().st_dev) == 0:
        pytest.skip("/var/tmp is on no disk")
    assert set(rows["cgroup"][mine].tolist()) == {name}


def test_who_moves_is_anothers(observe, make_cgroup, busy):
    runqlat = observe("runqlat")
    enter(make_cgroup("one.service"), busy)
    runqlat.rows()
    enter(make_cgroup("two.service"), busy)
    go_on(busy)
    assert set(runqlat.rows(pid=busy.pid)["cgroup"].tolist()) == {b"two.service"}


LIMITED = """
import mmap, os, sys
disk = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
block = mmap.mmap(-1, 1 << 16)
print(1, flush=True)
input()
for number in range(32):
    os.preadv(disk, [block], number << 16)
print(2, flush=True)
input()
"""


@pytest.fixture
def limited(hierarchy, make_cgroup, attach_loop):
    """Return a cgroup that may read 4 MiB/s from a disk, and that disk."""
    if "io" not in (hierarchy / "cgroup.controllers").read_text().split():
        pytest.skip("I/O is not to be limited by cgroups of version 2 here")
    cgroup = make_cgroup("limited.service")
    controls = [above / "cgroup.subtree_control" for above in (hierarchy, cgroup.parent)]
    switched = [control for control in controls if "io" not in control.read_text().split()]
    for control in switched:
        control.write_text("+io")
    with tempfile.NamedTemporaryFile() as image:
        image.truncate(2 << 20)
        disk = attach_loop(Path(image.name))
        number = disk.stat().st_rdev
        (cgroup / "io.max").write_text(f"{os.major(number)}:{os.minor(number)} rbps={4 << 20}")
        yield cgroup, disk
    remove(cgroup)
    for control in reversed(switched):
        control.write_text("-io")


def test_what_a_limit_held_up_is_still_the_cgroups(observe, limited):
    """A worker of the kernel submits it later, and only the I/O itself knows for whom."""
    cgroup, disk = limited
    biotop = observe("biotop")
    command = [sys.executable, "-c", LIMITED, disk]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        name = enter(cgroup, process)
        biotop.begin()
        go_on(process)
        rows = biotop.sample().rows
        process.kill()
    held_up = (rows["comm"] == b"(kthrotld)") & (rows["cgroup"] == name)
    assert np.count_nonzero(held_up) == 1
    assert rows["read_bytes"][held_up | (rows["pid"] == process.pid)].sum() == 2 << 20


TALK = """
import socket
here, there = socket.socket(), socket.create_server(("127.0.0.1", 0))
here.connect(there.getsockname())
peer, _ = there.accept()
print(1, flush=True)
while input():
    here.sendall(b"x")
    peer.recv(1)
    print(2, flush=True)
"""


def test_a_connection_goes_with_who_moves(observe, make_cgroup):
    tcptop = observe("tcptop")
    command = [sys.executable, "-c", TALK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        for name in ("ssh.service", "session-3.scope"):
            enter(make_cgroup(name), process)
            process.stdin.write("go on\n")
            process.stdin.flush()
            process.stdout.readline()
            rows = tcptop.rows(pid=process.pid)
            assert rows["cgroup"].tolist() == [name.encode()] * 2
        process.kill()


def labels(known: Cgroups, *ids: int) -> list[bytes | None]:
    found: list[bytes | None] = known.labels(np.array(ids, dtype=np.uint64)).tolist()
    return found


def number(cgroup: Path) -> int:
    return cgroup.stat().st_ino


def test_names(hierarchy, make_cgroup):
    unit, container = make_cgroup("a b.service"), make_cgroup(f"docker-{'0123456789abcdef' * 4}.scope")
    known = Cgroups()
    assert labels(known) == []
    ids = (number(unit), number(container), number(hierarchy), number(unit))
    assert labels(known, *ids) == [b"a b.service", b"0123456789ab", b"/", b"a b.service"]
    assert labels(known, number(unit), 0) == [b"a b.service", None]


def test_a_cgroup_that_is_gone(make_cgroup):
    known, asked, unasked = Cgroups(), make_cgroup("asked.scope"), make_cgroup("unasked.scope")
    ids = number(asked), number(unasked)
    assert labels(known, ids[0]) == [b"asked.scope"]
    asked.rmdir()
    unasked.rmdir()
    assert labels(known, *ids) == [b"asked.scope", GONE]


def test_what_fails_for_now_is_asked_again(monkeypatch, make_cgroup):
    unit = number(make_cgroup("x.service"))
    known = Cgroups()
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(errno.EMFILE, "")))
        assert labels(known, unit) == [None]
    with monkeypatch.context() as patched:
        patched.setattr(known, "_name", lambda *_: (_ for _ in ()).throw(OSError(errno.ENFILE, "")))
        assert labels(known, unit) == [None]
    assert labels(known, unit) == [b"x.service"]


def test_what_is_known_is_bounded(monkeypatch, make_cgroup):
    monkeypatch.setattr(cgroups, "_MOST_KNOWN", 3)
    ids = [number(make_cgroup(f"{name}.scope")) for name in "abcde"]
    known = Cgroups()
    assert labels(known, *ids[:2]) == [b"a.scope", b"b.scope"]
    assert labels(known, *ids[1:4]) == [b"b.scope", b"c.scope", b"d.scope"]
    assert len(known._known) == 1 + 3
    assert labels(known, *ids) == [b"a.scope", b"b.scope", b"c.scope", b"d.scope", b"e.scope"]


def test_where_nobody_may_ask_nothing_is_known(monkeypatch, make_cgroup):
    unit = number(make_cgroup("x.service"))
    assert checks._cgroups().ok
    os.seteuid(65534)  # takes CAP_DAC_READ_SEARCH with it
    try:
        assert labels(Cgroups(), unit) == [None]
        assert "CAP_DAC_READ_SEARCH" in checks._cgroups().detail
    finally:
        os.seteuid(0)
    monkeypatch.setattr(cgroups, "mount", lambda: b"")
    assert labels(Cgroups(), unit) == [None]
    assert "not mounted" in checks._cgroups().detail
    monkeypatch.setattr(cgroups, "mount", lambda: b"/nowhere/to be/found")
    assert labels(Cgroups(), unit) == [None]
