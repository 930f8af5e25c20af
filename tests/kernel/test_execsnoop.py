"""Execs against what was started here, and /proc/PID/cmdline."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ktop.frame import concatenate, take
from ktop.panes.execsnoop import count
from ktop.process import TICK_NS, read
from ktop.tables.totals import per_process, totals
from tests.excuses import EMULATED
from tests.waiting import eventually

NOBODY = 65534
SLACK_S = 0.5 if EMULATED else 0.01

THREAD_EXITS = """
import os, threading, time
threading.Thread(target=os._exit, args=(7,)).start()
time.sleep(20)
"""
THREAD_EXEC = """
import os, threading, time
threading.Thread(target=lambda: os.execv("/bin/sleep", ["sleep", "0.01"])).start()
time.sleep(20)
"""


def run(*argv: str | bytes, executable: str | None = None) -> int:
    """Run a program to its end; return its PID."""
    process = subprocess.Popen(
        argv, executable=executable, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    process.wait()
    return process.pid


def only(rows, pid):
    """Return the one row of ``pid`` as a dict."""
    found = take(rows, rows["pid"] == pid)
    assert len(found["pid"]) == 1, f"{len(found['pid'])} rows of {pid}"
    return {name: column[0] for name, column in found.items()}


PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode("latin-1"), 0, 0, 0)
for number in range(int(sys.argv[2])):
    os.waitpid(os.posix_spawn("/bin/true", ["true", str(number)], {}), 0)
"""
"""Calls itself as it is told, and starts as many."""


def start_from(name: bytes, count: int) -> int:
    """Have a process called ``name`` start ``count`` programs, one after the other; return its PID."""
    return run(sys.executable, "-c", PARENT, name.decode("latin-1"), str(count))


def started_at(pid: int) -> int:
    """Return when ``pid`` began as /proc has it: ns since boot, rounded down to a tick."""
    process = read(pid)
    assert process is not None
    return process.start_ns


def wait_for(execsnoop, pid):
    """Return the first row of ``pid``: vfork lets go of the parent a moment before exec is done."""

    def row():
        rows = execsnoop.sample().rows
        return only(rows, pid) if pid in rows["pid"] else None

    return eventually(row, f"no row of {pid}")


def test_every_exec_is_seen_with_its_arguments(observe):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    started = time.time()
    pids = {run("/bin/true", "x", f"y {number}"): number for number in range(200)}
    ended = time.time()
    rows = execsnoop.sample().rows
    mine = take(rows, np.isin(rows["pid"], list(pids)) & (rows["ppid"] == os.getpid()))
    assert len(mine["pid"]) == 200
    assert mine["argv"].tolist() == [b"/bin/true\0x\0y %d\0" % number for number in range(200)]
    assert [pids[pid] for pid in mine["pid"].tolist()] == list(range(200))
    assert (mine["comm"] == b"true").all()
    assert (mine["uid"] == os.getuid()).all()
    assert (mine["exit_code"] == 0).all()
    assert (mine["ts"] > started - 0.1).all()
    assert (mine["ts"] < ended + 0.1).all()
    assert (np.diff(mine["ts"]) > 0).all()
    assert (mine["duration_s"] > 0).all()
    assert mine["duration_s"].sum() < ended - started
    assert not mine["truncated"].any()
    assert execsnoop.lost == 0


def test_uid_is_that_of_proc(observe):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    process = subprocess.Popen(["sh", "-c", "read x"], stdin=subprocess.PIPE, user=NOBODY)
    assert process.stdin
    try:
        row = wait_for(execsnoop, process.pid)
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.stdin.close()
        process.wait()
    assert row["uid"] == int(status.split("\nUid:")[1].split()[0]) == NOBODY


@pytest.mark.parametrize("size", [1, 100, 4096 - 14, 4096 - 13, 100_000])
def test_arguments_are_proc_cmdline(observe, size):
    """Whole up to 4,096 bytes, cut and marked above."""
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    # "sh", "-c", "read x" and the NULs are 13 bytes, then ``size`` and one NUL more.
    process = subprocess.Popen(["sh", "-c", "read x", "A" * size], stdin=subprocess.PIPE)
    assert process.stdin
    try:
        row = wait_for(execsnoop, process.pid)
        cmdline = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        process.stdin.close()
        process.wait()
    assert row["argv"] == cmdline[:4096]
    assert row["truncated"] == (len(cmdline) > 4096)
    assert np.isnan(row["exit_code"])
    assert np.isnan(row["duration_s"])


def test_hostile_arguments_and_names_are_raw_bytes(observe, tmp_path):
    name = b"\x1b[2J[b]\xff\n\xe2\x80\xae"
    program = os.fsencode(tmp_path) + b"/" + name
    program_path = Path(os.fsdecode(program))
    program_path.write_bytes(Path("/bin/true").read_bytes())
    program_path.chmod(0o755)
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    pid = run(program, b"", b"\x1b]0;title\x07", b"\xc3(", "🙂".encode())
    row = only(execsnoop.sample().rows, pid)
    assert row["argv"] == program + b"\0\0\x1b]0;title\x07\0\xc3(\0" + "🙂".encode() + b"\0"
    assert row["comm"] == name[:15]


@pytest.mark.parametrize(
    "name", [b"loop.sh", b"fifteen-letters", b"\x1b[2J[b]\xff\n\xe2\x80\xae", b"a b", b""]
)
def test_the_parent_has_the_name_it_had_then(observe, name):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    pid = start_from(name, 50)
    rows = execsnoop.rows(ppid=pid)
    assert rows["parent_comm"].tolist() == [name] * 50
    assert len(set(rows["parent_start_ns"].tolist())) == 1
    assert rows["parent_start_ns"][0] < rows["start_ns"][0]


def test_totals_are_of_the_parent_that_proc_has(observe):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    for _ in range(20):
        run("/bin/true")
    loop = start_from(b"loop.sh", 100)
    rows = execsnoop.sample().rows
    single = {**rows, **count(rows, 0.0, 1.0)}
    shown = per_process(execsnoop.pane)
    found = totals(execsnoop.pane, shown, single)
    mine = only(found | {"pid": found["ppid"]}, os.getpid())
    assert mine["parent_start_ns"] // TICK_NS * TICK_NS == started_at(os.getpid())
    assert (mine["parent_comm"], mine["mostly"]) == (Path("/proc/self/comm").read_bytes()[:-1], b"true")
    assert mine["execs"] == 21
    its = only(found | {"pid": found["ppid"]}, loop)
    assert (its["parent_comm"], its["execs"], its["mostly"]) == (b"loop.sh", 100, b"true")
    ended = rows["duration_s"][rows["ppid"] == loop]
    assert its["total_s"] == pytest.approx(ended.sum())
    assert its["avg_s"] == pytest.approx(ended.mean())
    assert its["latest"] == b"true\x0099\0"


LEAVES = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(15, b"short-lived", 0, 0, 0)
parent = os.getpid()
child = os.fork()
if not child:
    while sys.argv[1] == "before" and os.getppid() == parent:
        time.sleep(0.001)
    os.execv("/bin/true", ["true"])
print(parent, child, flush=True)
if sys.argv[1] == "after":
    os.waitpid(child, 0)
os._exit(0)
"""
"""Starts a program and is gone, at once after that has been executed, or before."""


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_parent_that_is_gone_has_its_name_if_it_was_there_then(observe, order):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    command = [sys.executable, "-c", LEAVES, order]
    # Its output ends with the last who has it.
    parent, child = map(int, subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split())
    assert not Path(f"/proc/{parent}").exists()
    row = only(execsnoop.sample().rows, child)
    if order == "after":
        assert (row["ppid"], row["parent_comm"]) == (parent, b"short-lived")
        return
    heir = read(int(row["ppid"]))
    assert heir is not None
    assert heir.pid != parent
    assert (row["parent_comm"], row["parent_start_ns"] // TICK_NS * TICK_NS) == (heir.comm, heir.start_ns)


def test_a_shells_exec_leaves_the_parent_as_it_is(observe):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    pid = run("sh", "-c", "exec /bin/sh -c 'exec /bin/true'")
    rows = execsnoop.rows(pid=pid)
    assert rows["comm"].tolist() == [b"sh", b"sh", b"true"]
    assert set(rows["ppid"].tolist()) == {os.getpid()}
    assert set(rows["parent_comm"].tolist()) == {Path("/proc/self/comm").read_bytes()[:-1]}


def test_the_parent_is_called_as_its_main_thread_calls_itself(observe):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    pids: list[int] = []

    def start() -> None:
        ctypes.CDLL(None).prctl(15, b"another-thread", 0, 0, 0)
        pids.append(run("/bin/true"))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    row = only(execsnoop.sample().rows, pids[0])
    assert (row["ppid"], row["parent_comm"]) == (os.getpid(), Path("/proc/self/comm").read_bytes()[:-1])


def test_how_they_end(observe):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    expected = {
        run("sh", "-c", "exit 3"): 3,
        run("sh", "-c", "exit 255"): 255,
        run("sh", "-c", "kill -9 $$"): -signal.SIGKILL,
        run("sh", "-c", "kill -TERM $$"): -signal.SIGTERM,
        run(sys.executable, "-c", "import os; os.abort()"): -signal.SIGABRT,
        # All threads end with exit_group, whichever calls it.
        run(sys.executable, "-c", THREAD_EXITS): 7,
    }
    rows = execsnoop.sample().rows
    assert {pid: only(rows, pid)["exit_code"] for pid in expected} == expected


def test_the_end_completes_an_earlier_row(observe):
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    began = time.monotonic()
    process = subprocess.Popen(["sh", "-c", "read x; exit 5"], stdin=subprocess.PIPE)
    assert process.stdin
    first = wait_for(execsnoop, process.pid)
    process.stdin.close()
    process.wait()
    lasted = time.monotonic() - began
    second = only(execsnoop.sample().rows, process.pid)
    for name in (*execsnoop.pane.key, "ppid", "parent_comm", "parent_start_ns", "uid", "comm", "truncated"):
        assert second[name] == first[name]
    assert second["ts"] == pytest.approx(first["ts"], abs=1e-3)  # one kernel stamp, two readings of the clock
    assert second["argv"] is None
    assert second["exit_code"] == 5
    assert 0 < second["duration_s"] <= lasted


def test_one_exec_ends_another(observe):
    """sh becomes sleep: two events of one process, and the first has no exit code."""
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    pid = run("sh", "-c", "exec /bin/sh -c 'exit 4'")
    rows = execsnoop.sample().rows
    rows = take(rows, rows["pid"] == pid)
    assert rows["argv"].tolist() == [b"sh\0-c\0exec /bin/sh -c 'exit 4'\0", b"/bin/sh\0-c\0exit 4\0"]
    assert np.isnan(rows["exit_code"][0])
    assert rows["exit_code"][1] == 4
    assert rows["ts"][0] + rows["duration_s"][0] == pytest.approx(rows["ts"][1], abs=1e-5)


def test_exec_from_another_thread(observe):
    """The calling thread takes the leader's PID; nothing is lost and the first program ends there."""
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    pid = run(sys.executable, "-c", THREAD_EXEC)
    rows = execsnoop.sample().rows
    rows = take(rows, rows["pid"] == pid)
    assert rows["argv"][1] == b"sleep\x000.01\0"
    assert len(rows["pid"]) == 2
    assert rows["duration_s"][0] > 0
    assert np.isnan(rows["exit_code"][0])
    assert rows["exit_code"][1] == 0
    assert rows["ts"][0] + rows["duration_s"][0] == pytest.approx(rows["ts"][1], abs=SLACK_S)


def test_failed_execs_on_demand(observe, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("no program")
    cases = {str(tmp_path / "missing"): b"ENOENT", str(plain): b"EACCES", str(tmp_path): b"EACCES"}

    def fail_all() -> None:
        for path in cases:
            for _ in range(10):
                with pytest.raises(OSError, match="Errno"):
                    os.execv(path, ["zero", "one"])

    execsnoop = observe("execsnoop", demand=("failed",))
    execsnoop.begin()
    fail_all()
    rows = execsnoop.rows(pid=os.getpid())
    failed = list(zip(rows["argv"].tolist(), rows["error"].tolist(), strict=True))
    assert failed == [(path.encode() + b"\0", error) for path, error in cases.items() for _ in range(10)]
    assert np.isnan(rows["exit_code"]).all()
    assert np.isnan(rows["duration_s"]).all()
    assert len(set(rows["exec_ns"].tolist())) == 30

    execsnoop.family.hooks.detach(("failed",))
    execsnoop.begin()
    fail_all()
    assert len(execsnoop.rows(pid=os.getpid())["pid"]) == 0


@pytest.mark.native
def test_500_a_second_and_none_lost(observe):
    """Read once a second, as the application does."""
    execsnoop = observe("execsnoop")
    execsnoop.begin()
    seconds, rate = 4, 500
    tables, pids = [], []
    stop = threading.Event()

    def start() -> None:
        deadline = time.monotonic()
        for number in range(seconds * rate):
            pids.append(os.posix_spawn("/bin/true", ["true", str(number)], {}))
            os.waitpid(pids[-1], 0)
            deadline += 1 / rate
            time.sleep(max(0.0, deadline - time.monotonic()))
        stop.set()

    thread = threading.Thread(target=start)
    thread.start()
    lost = 0
    while not stop.wait(1):
        tables.append(execsnoop.sample().rows)
        lost += execsnoop.lost
    thread.join()
    tables.append(execsnoop.sample().rows)
    rows = concatenate(tables)
    mine = (rows["ppid"] == os.getpid()) & np.isin(rows["pid"], pids)
    begun = mine & np.array([argv is not None for argv in rows["argv"]])
    assert lost + execsnoop.lost == 0
    numbers = [int(argv.split(b"\0")[1]) for argv in rows["argv"][begun]]
    assert numbers == list(range(seconds * rate))
    assert np.count_nonzero(mine & ~np.isnan(rows["duration_s"])) == seconds * rate
