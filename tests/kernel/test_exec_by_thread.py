"""A thread that executes a program takes its leader's place: what was counted stays the process's."""

from __future__ import annotations

import mmap
import subprocess
import sys

import pytest

from ktop.panes.llcstat import PANE as LLCSTAT
from ktop.perf_event import SW_PAGE_FAULTS, TYPE_SOFTWARE, PerfEvent

PAGES = 2_000
NAPS = 200

LEADER = f"""
import mmap, os, resource, sys, threading, time
def slept(): return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
fd = os.open(sys.argv[1], os.O_RDONLY)
memory = mmap.mmap(-1, {PAGES} * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
print(1, flush=True)
input()
for page in range({PAGES}):
    memory[page * mmap.PAGESIZE] = 1
    os.pread(fd, mmap.PAGESIZE, page * mmap.PAGESIZE)
began = slept()
while slept() < began + {NAPS}:  # a nap can be over before its CPU has gone to another
    time.sleep(0.001)
print(2, flush=True)
input()
threading.Thread(target=lambda: os.execv("/bin/sh", ["sh", "-c", "echo 3; read line"])).start()
threading.Event().wait()
"""

FAULTS = {
    "references": PerfEvent(TYPE_SOFTWARE, SW_PAGE_FAULTS),
    "misses": PerfEvent(TYPE_SOFTWARE, SW_PAGE_FAULTS),
    "flush": LLCSTAT.perf_events["flush"],
}


CASES = {"cachestat": ("accesses", PAGES), "runqlat": ("waits", NAPS), "llcstat": ("references", PAGES)}
"""What the leader does so often, at least."""


@pytest.mark.parametrize("reading_between", [False, True])
@pytest.mark.parametrize("pane", CASES)
def test_what_the_leader_did_is_the_processs(observe, tmp_path, pane, reading_between):
    column, least = CASES[pane]
    path = tmp_path / "file"
    path.write_bytes(bytes(PAGES * mmap.PAGESIZE))
    observed = observe(pane, perf_events=FAULTS if pane == "llcstat" else None)
    child = subprocess.Popen(
        [sys.executable, "-c", LEADER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def go_on() -> None:
        child.stdin.write("\n")
        child.stdin.flush()
        child.stdout.readline()

    def counted() -> int:
        rows = observed.rows(pid=child.pid)
        return int(rows[column].sum())

    child.stdout.readline()
    observed.begin()
    go_on()
    before = counted() if reading_between else 0
    go_on()
    after = counted()
    child.communicate("\n")
    if reading_between:
        assert before >= least
        # Neither from nothing nor all over again.
        assert 0 < after < least
    else:
        assert after >= least
