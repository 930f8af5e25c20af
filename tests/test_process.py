"""What /proc says of a process whose names were made to mislead."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ktop.process import TICK_NS, living_thread, read
from tests.proc import state
from tests.waiting import eventually

STAT = b"7 (x\rVmSwap: x) S 1 " + b"0 " * 9 + b"30 12 " + b"0 " * 4 + b"1 0 500 " + b"0 " * 30
STATUS = b"Name:\tx\rVmSwap: x\nUid:\t12\t12\t12\t12\nVmRSS:\t    8 kB\nVmSwap:\t    4 kB\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Return a /proc with two processes."""
    for pid, comm in ((7, b"x\rVmSwap: x\n"), (1, b"in\rit\n\n")):
        base = tmp_path / str(pid)
        base.mkdir()
        (base / "stat").write_bytes(STAT)
        (base / "status").write_bytes(STATUS)
        (base / "cmdline").write_bytes(b"")
        (base / "cgroup").write_bytes(b"1:cpu:/long/and/wrong/a\n0::/a\rb\n")
        (base / "comm").write_bytes(comm)
    (tmp_path / "stat").write_bytes(b"cpu 0\nbtime 100\n")
    return tmp_path


def test_a_carriage_return_in_a_name_ends_no_line(proc: Path) -> None:
    process = read(7, proc)
    assert process is not None
    assert process.comm == b"x\rVmSwap: x"
    assert (process.uid, process.rss_bytes, process.swap_bytes) == (12, 8192, 4096)
    assert process.cgroup == b"/a\rb"
    assert process.parent == b"in\rit\n"
    assert process.threads == 1


@pytest.mark.parametrize(
    ("cmdline", "argv"),
    [
        (b"", b""),
        (b"a\0b c\0", b"a\0b c\0"),
        (b"nginx: worker process\0\0\0\0\0", b"nginx: worker process\0"),
        (b"title", b"title\0"),
    ],
)
def test_what_a_title_left_of_the_arguments_are_no_arguments(proc: Path, cmdline: bytes, argv: bytes) -> None:
    (proc / "7" / "cmdline").write_bytes(cmdline)
    process = read(7, proc)
    assert process is not None
    assert process.argv == argv


def test_the_cpus_that_a_process_kept_busy(proc: Path) -> None:
    before = read(7, proc)
    assert before is not None
    assert before.cpu_ns == 42 * TICK_NS
    after = replace(before, cpu_ns=before.cpu_ns + 300_000_000, read_ns=before.read_ns + 200_000_000)
    assert after.cpus_since(before) == pytest.approx(1.5)
    assert before.cpus_since(before) == 0
    aged = replace(before, read_ns=before.start_ns + 840_000_000)
    assert aged.cpus() == pytest.approx(0.5 * TICK_NS / 1e7)


def test_what_is_gone_has_no_thread_that_lives(proc: Path) -> None:
    """It can go while it is asked: that is no failure of whoever asks."""
    assert living_thread(7, proc) == 7
    assert living_thread(8, proc) == 8
    (proc / "7" / "stat").write_bytes(STAT.replace(b") S ", b") Z "))
    assert living_thread(7, proc) == 7


LEADERLESS = """import ctypes, os, sys, threading, time
def spin():
    while not os.path.exists(sys.argv[1]): time.sleep(0.01)
    os._exit(0)
threading.Thread(target=spin).start()
ctypes.CDLL(None).syscall(int(sys.argv[2]), 0)
"""


def test_a_process_goes_on_without_its_first_thread(tmp_path: Path) -> None:
    """Of that /proc has a zombie's files, but it is the others' that say who it is."""
    exit_of_one_thread = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
    end = tmp_path / "end"
    command = [sys.executable, "-c", LEADERLESS, str(end), str(exit_of_one_thread)]
    with subprocess.Popen(command) as child:
        eventually(lambda: state(child.pid) == "Z")
        assert living_thread(child.pid) != child.pid
        process = read(child.pid)
        end.touch()
    assert process is not None
    assert process.state in "RSD"
    assert process.argv.split(b"\0")[:3] == [part.encode() for part in command[:3]]
    assert process.rss_bytes
    assert (process.pid, process.ppid) == (child.pid, os.getpid())
