"""A process that reads and writes pages as it is told, and what ktop and the kernel say of it."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ktop.frame import Facts
from ktop.records import process_deltas

PAGE = mmap.PAGESIZE
PAGES = 4096
COUNTERS = ("accesses", "read_in", "mapped_in", "write_in", "mixed_in", "mixed_out", "dirtied")

CHILD = """
import ctypes, mmap, os, platform, random, struct, sys, threading
path, page, pages = sys.argv[1], {page}, {pages}
fd = os.open(path, os.O_RDONLY)
def read(size):
    while os.read(fd, size): pass
def io():
    with open("/proc/self/io") as file: return int(file.read().split("\\nread_bytes: ")[1].split()[0])
def aio(write, fd, offset, context=ctypes.c_ulong(), buffer=ctypes.create_string_buffer(page)):
    setup, submit, wait = (206, 209, 208) if platform.machine() == "x86_64" else (0, 2, 4)
    call = ctypes.CDLL(None).syscall
    call.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 5]
    if not context:
        call(setup, 8, ctypes.addressof(context), None, None, None)
    asked = "QIIHhIQQqQII", 0, 0, 0, write, 0, fd, ctypes.addressof(buffer), page, offset, 0, 0, 0
    asked = ctypes.create_string_buffer(struct.pack(*asked))
    pointers = (ctypes.c_void_p * 1)(ctypes.addressof(asked))
    assert call(submit, context.value, 1, ctypes.addressof(pointers), None, None) == 1
    event = (ctypes.c_long * 4)()
    assert call(wait, context.value, 1, 1, ctypes.addressof(event), None) == 1
    assert event[2] == page
def uring(size, by_workers=True, waits=True):
    # All at once.  Workers are begun while this is in user space, as databases that poll are.
    call = ctypes.CDLL(None).syscall
    call.argtypes = [ctypes.c_long] * 7
    many = pages * page // size
    about = ctypes.create_string_buffer(120)
    ring = call(425, many, ctypes.addressof(about), 0, 0, 0, 0)
    submitted, completed = struct.unpack_from("10I", about, 40), struct.unpack_from("10I", about, 80)
    room, = struct.unpack_from("I", about)
    sq = mmap.mmap(ring, submitted[6] + 4 * room)
    entries = mmap.mmap(ring, 64 * room, offset=0x10000000)
    cq = mmap.mmap(ring, completed[5], offset=0x8000000)
    buffer = ctypes.create_string_buffer(pages * page)
    for number in range(many):
        read, flags, where = 22, 16 * by_workers, number * size
        about = read, flags, 0, fd, where, ctypes.addressof(buffer) + where, size
        struct.pack_into("BBHiQQI28x", entries, 64 * number, *about)
        struct.pack_into("I", sq, submitted[6] + 4 * number, number)
    struct.pack_into("I", sq, submitted[1], many)
    awaited, wait = (0, 0) if by_workers or not waits else (many, 1)
    assert call(426, ring, many, awaited, wait, 0, 0) == many
    while struct.unpack_from("I", cq, completed[1])[0] < many: pass
def work():
    {work}
random.seed(1)
io()  # what Python loads at first use is loaded now
assert ctypes.CDLL(None).mlockall(1) == 0  # MCL_CURRENT: its own code may not have been used for long (DAMON)
print(flush=True)
sys.stdin.readline()
before = io()
work()
read_bytes = io() - before
print(read_bytes, flush=True)
sys.stdin.readline()
"""


@dataclass
class Seen:
    """What a child did to the cache: the kernel side's counters, its row, the kernel's own figure."""

    row: dict[str, float]
    read_in: int
    mapped_in: int
    write_in: int
    mixed_in: int
    mixed_out: int
    read_bytes: int

    def __getattr__(self, name: str) -> float:
        return self.row[name]


def make(path: Path, pages: int) -> Path:
    path.write_bytes(os.urandom(pages * PAGE))
    drop(path)
    return path


def drop(path: Path) -> None:
    """Have the file leave the cache."""
    give_up(path)
    assert cached(path) == 0


def give_up(path: Path) -> None:
    """Ask for what is cached of a file or a device to go."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    for call in (libc.mlock, libc.munmap):
        call.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return libc


@contextlib.contextmanager
def _mapped(path: Path, offset: int, size: int) -> Iterator[int]:
    """Map bytes of a file or a device; the address."""
    fd = os.open(path, os.O_RDONLY)
    where = _libc().mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, offset)
    os.close(fd)
    yield where
    _libc().munmap(where, size)


def cached(path: Path) -> int:
    """Return how many pages of the file are in the cache."""
    size = path.stat().st_size
    resident = ctypes.create_string_buffer(-(-size // PAGE))
    with _mapped(path, 0, size) as where:
        assert _libc().mincore(where, size, resident) == 0
    return sum(byte & 1 for byte in resident.raw[: -(-size // PAGE)])


@contextlib.contextmanager
def locked(path: Path, offset: int = 0, size: int = PAGES * PAGE) -> Iterator[None]:
    """Have these bytes in the cache and keep them there: the kernel may take what it finds cold (DAMON)."""
    with _mapped(path, offset, size) as where:
        assert _libc().mlock(where, size) == 0, os.strerror(ctypes.get_errno())
        yield


def start(path: Path, work: str) -> subprocess.Popen[str]:
    """Start a child that has all it needs and waits for a line to do its ``work``."""
    text = CHILD.format(page=PAGE, pages=PAGES, work=work)
    child = subprocess.Popen(
        [sys.executable, "-c", text, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child.stdout.readline()
    return child


def run(cachestat, path: Path, work: str, count: int = 1) -> list[Seen]:
    """Return what each of ``count`` children doing ``work`` at once did, that and nothing else."""
    children = [start(path, work) for _ in range(count)]
    try:
        cachestat.begin()
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        read_bytes = [int(child.stdout.readline()) for child in children]
        before = cachestat.before
        now = cachestat.reading()
    finally:
        for child in children:
            child.communicate("\n")
    assert now.losses == before.losses
    deltas = process_deltas(before, now, COUNTERS)
    rows = cachestat.pane.derive(dict(cachestat.pane.compute(before, now, Facts()).rows))
    found = []
    for child, kernels in zip(children, read_bytes, strict=True):
        row = {
            name: column[rows["pid"] == child.pid].sum() for name, column in rows.items() if name != "comm"
        }
        mine = deltas["pid"] == child.pid
        figures = {name: int(deltas[name][mine].sum()) for name in COUNTERS[1:-1]}
        found.append(Seen(row, **figures, read_bytes=kernels))
    return found
