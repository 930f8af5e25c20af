"""Names through bcc, for addresses that are known."""

from __future__ import annotations

import ctypes
import os
import queue
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ktop.frame import Frame
from ktop.kernel import symbols
from ktop.kernel.symbols import Namer, Symbols, object_column

PRINTF = ctypes.cast(ctypes.CDLL(None).printf, ctypes.c_void_p).value or 0


def start_ns(pid: int) -> int:
    """Return what /proc says, which is as good as the kernel's own to 10 ms."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat[stat.rindex(b")") + 2 :].split()[19]) * 10_000_000


def frame(*rows, pid=None, start=None):
    """Return a Frame of rows (samples, user addresses, kernel addresses) of one process."""
    pid = pid or os.getpid()
    samples, user, kernel = zip(*rows, strict=True)
    return Frame(
        "profile",
        0.0,
        1.0,
        {
            "pid": np.full(len(rows), pid, dtype=np.uint32),
            "comm": np.full(len(rows), b"comm"),
            "samples": np.array(samples),
            "user_stack": object_column(list(user)),
            "kernel_stack": object_column(list(kernel)),
            "start_ns": np.full(len(rows), start if start is not None else start_ns(pid), dtype=np.uint64),
            "exec_id": np.zeros(len(rows), dtype=np.uint64),
        },
    )


def kernel_address(name: str) -> int:
    for line in Path("/proc/kallsyms").read_text().splitlines():
        address, _kind, symbol, *_module = line.split()
        if symbol == name:
            return int(address, 16)
    raise AssertionError(name)


@pytest.fixture
def namer():
    namer = Namer()
    yield namer
    namer.close()


def test_user_and_kernel(namer):
    rows = namer.name(frame((3, (PRINTF + 1,), (kernel_address("vfs_read") + 2,)))).rows
    assert rows["user_stack"].tolist() == [["printf"]]
    assert rows["kernel_stack"].tolist() == [["vfs_read"]]
    assert rows["samples"].tolist() == [3]


def test_a_return_address_belongs_to_the_call_before_it(namer):
    """The last instruction of a function may be a call that never returns."""
    rows = namer.name(frame((1, (), (kernel_address("vfs_read"), kernel_address("vfs_write"))))).rows
    outer, inner = rows["kernel_stack"][0]
    assert inner == "vfs_write"
    assert outer != "vfs_read"


def test_equal_names_are_one_row(namer):
    rows = namer.name(frame((2, (PRINTF,), ()), (5, (PRINTF + 4,), ()), (1, (PRINTF,), None))).rows
    assert rows["samples"].tolist() == [7, 1]
    assert rows["kernel_stack"].tolist() == [[], None]


def test_frames_share_equal_stacks(namer):
    first = namer.name(frame((1, (PRINTF,), ()))).rows["user_stack"][0]
    assert namer.name(frame((1, (PRINTF + 1,), ()))).rows["user_stack"][0] is first


def test_unknown_callers_are_left_out(namer):
    rows = namer.name(frame((1, (16, 32, PRINTF + 8, 48, 64, PRINTF), ()), (1, (16, 32), ()))).rows
    assert rows["user_stack"].tolist() == [["printf", "[unknown]", "printf"], ["[unknown]"]]


def test_a_pid_used_again_has_no_names(namer):
    rows = namer.name(frame((1, (PRINTF,), ()), start=5)).rows
    assert rows["user_stack"].tolist() == [["[unknown]"]]


def test_symbols_of_ended_processes_are_freed(namer):
    process = subprocess.Popen(["sleep", "60"])
    try:
        namer.name(frame((1, (PRINTF,), ()), pid=process.pid))
        assert [key[0] for key in namer._spaces] == [process.pid]
    finally:
        process.kill()
        process.wait()
    namer.name(frame((1, (PRINTF,), ())))
    assert [key[0] for key in namer._spaces] == [os.getpid()]


def test_the_number_of_address_spaces_is_bounded(namer, monkeypatch):
    monkeypatch.setattr(symbols, "SPACES_MAX", 2)
    processes = [subprocess.Popen(["sleep", "60"]) for _ in range(4)]
    try:
        for process in processes:
            namer.name(frame((1, (PRINTF,), ()), pid=process.pid))
        assert [key[0] for key in namer._spaces] == [process.pid for process in processes[2:]]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_unknown_addresses_are_asked_for_again(namer, monkeypatch):
    """A library that is loaded later, or JIT code."""
    monkeypatch.setattr(symbols, "PROCESS_FOR_S", 0.0)
    namer.name(frame((1, (16,), ())))
    assert namer._spaces == {}
    namer.name(frame((1, (PRINTF,), ())))
    assert len(namer._spaces) == 1


def test_jit_maps(namer, tmp_path):
    """What a JIT compiler wrote to /tmp/perf-PID.map: hostile names stay as they are, in valid text."""
    import mmap

    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC | mmap.PROT_WRITE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    path = Path(f"/tmp/perf-{os.getpid()}.map")
    path.write_bytes(b"%x 100 [red]\x1b[2J\xff\n" % address)
    try:
        rows = namer.name(frame((1, (address + 8,), ()))).rows
    finally:
        path.unlink()
    assert rows["user_stack"].tolist() == [["[red]\x1b[2J\\xff"]]


PROGRAM_IN_MEMORY = """
import ctypes, mmap, os
fd = os.memfd_create("code")
os.ftruncate(fd, 4096)
map_at = ctypes.CDLL(None).mmap
map_at.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
map_at(1 << 20, 4096, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_SHARED, fd, 0)  # the first that bcc meets
print(flush=True)
input()
"""


def leave_numbers_behind(fd: int) -> None:
    """Fill memory that is free with ``fd``: there bcc, before 0.33, finds what it closes."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    blocks = [ctypes.c_void_p(libc.malloc(88)) for _ in range(200)]
    for block in blocks:
        (ctypes.c_int * 22).from_address(block.value or 0)[:] = [fd] * 22
    for block in blocks:
        libc.free(block)


def test_bcc_closes_no_file_of_ours(namer, monkeypatch):
    """It did with .NET and whatever else runs code in a memfd."""
    read_symbols = namer._cache

    def read_symbols_next_to_numbers(pid: int) -> object:
        leave_numbers_behind(mine)
        return read_symbols(pid)

    monkeypatch.setattr(namer, "_cache", read_symbols_next_to_numbers)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM_IN_MEMORY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    mine = os.open(os.devnull, os.O_RDONLY)
    try:
        process.stdout.readline()
        namer.name(frame((1, (PRINTF,), ()), pid=process.pid))
        namer.free()
        os.fstat(mine)
    finally:
        os.close(mine)
        process.communicate(b"\n")


def test_freed_symbols_are_read_again(namer):
    names = namer.name(frame((1, (PRINTF,), (kernel_address("vfs_read"),)))).rows
    namer.free()
    assert namer._spaces == {}
    again = namer.name(frame((1, (PRINTF,), (kernel_address("vfs_read"),)))).rows
    assert again["user_stack"].tolist() == names["user_stack"].tolist() == [["printf"]]
    assert again["kernel_stack"].tolist() == names["kernel_stack"].tolist()


def test_in_the_background_and_in_order():
    named: queue.Queue[Frame] = queue.Queue()
    background = Symbols(named.put)
    try:
        for samples in (1, 2, 3):
            background.name(frame((samples, (PRINTF,), ())))
        assert [named.get(timeout=30).rows["samples"][0] for _ in range(3)] == [1, 2, 3]
    finally:
        background.stop()


def test_without_bcc(monkeypatch):
    monkeypatch.setitem(sys.modules, "bcc", None)
    named: queue.Queue[Frame] = queue.Queue()
    background = Symbols(named.put)
    try:
        background.name(frame((1, (255, 16), None)))
        result = named.get(timeout=30)
    finally:
        background.stop()
    assert result.rows["user_stack"].tolist() == [["0xff", "0x10"]]
    assert result.rows["kernel_stack"].tolist() == [None]
    assert "apt install python3-bpfcc" in result.status.refused["symbols"]
