"""Perf events as the kernel understands them."""

from __future__ import annotations

import mmap
import os
import struct
import subprocess

from ktop.kernel import perf
from ktop.perf_event import SW_CPU_CLOCK, TYPE_SOFTWARE, PerfEvent

DATA_HEAD = 1024  # in struct perf_event_mmap_page (include/uapi/linux/perf_event.h)
SAMPLE = 9
PAGE = mmap.PAGESIZE


def records(ring: mmap.mmap) -> set[int]:
    """Return the types of the records in a perf event's ring buffer."""
    (head,) = struct.unpack_from("Q", ring, DATA_HEAD)
    kinds, at = set(), PAGE
    while at < PAGE + min(head, PAGE):
        kind, _misc, size = struct.unpack_from("IHH", ring, at)
        kinds.add(kind)
        at += size
    return kinds


def test_an_event_says_nothing_of_what_processes_map():
    """That would cost every process that starts some microseconds."""
    fd = perf.open_on_cpu(PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK, 999, exclude_idle=True), 0)
    try:
        with mmap.mmap(fd, 2 * PAGE) as ring:
            while not records(ring):
                subprocess.run(["/bin/true"], preexec_fn=lambda: os.sched_setaffinity(0, {0}), check=True)
            assert records(ring) == {SAMPLE}
    finally:
        os.close(fd)
