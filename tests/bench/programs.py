"""Run time and run count of every BPF program in the kernel, ours and others'; and one that does nothing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ktop.kernel import libbpf
from ktop.kernel.run_time import runtime_statistics
from tests.kernel_objects import programs

_RAW_TRACEPOINT = 17
"""BPF_PROG_TYPE_RAW_TRACEPOINT (include/uapi/linux/bpf.h)."""
_NOTHING = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)
"""r0 = 0; exit."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one program cost while it was watched."""

    name: str
    runs: int
    total_ns: int

    @property
    def ns(self) -> float:
        """Nanoseconds a run, the statistics' own share included."""
        return self.total_ns / self.runs if self.runs else float("nan")


def snapshot() -> dict[int, Cost]:
    """Return the totals of all programs, by id."""
    return {
        number: Cost(info.name.decode(), info.run_cnt, info.run_time_ns)
        for number, info in programs().items()
    }


@contextlib.contextmanager
def measured(among: set[int]) -> Iterator[list[Cost]]:
    """Fill the yielded list with what each program of these ids cost while the block ran, those that ran."""
    costs: list[Cost] = []
    with runtime_statistics():
        before = snapshot()
        yield costs
        after = snapshot()
    for number in among & before.keys() & after.keys():
        was, now = before[number], after[number]
        if now.runs > was.runs:
            costs.append(Cost(now.name, now.runs - was.runs, now.total_ns - was.total_ns))


@contextlib.contextmanager
def nothing_at(tracepoint: str) -> Iterator[set[int]]:
    """Attach a program that does nothing to ``tracepoint``; yield its id, alone in a set."""
    lib = ctypes.CDLL(libbpf.SONAME, use_errno=True)
    before = snapshot().keys()
    code = ctypes.create_string_buffer(_NOTHING, len(_NOTHING))
    program = lib.bpf_prog_load(_RAW_TRACEPOINT, b"nothing", b"GPL", code, ctypes.c_size_t(2), None)
    if program < 0:
        raise OSError(-program, os.strerror(-program))
    link = lib.bpf_raw_tracepoint_open(tracepoint.encode(), program)
    try:
        if link < 0:
            raise OSError(-link, f"{os.strerror(-link)} ({tracepoint})")
        yield {number for number, cost in snapshot().items() if cost.name == "nothing"} - before
    finally:
        for fd in (link, program):
            if fd >= 0:
                os.close(fd)
