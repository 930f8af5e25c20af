"""Run time and run count of every BPF program in the kernel, ours and others'."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ktop.kernel import libbpf
from ktop.kernel.facts import runtime_statistics


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
    lib = ctypes.CDLL(libbpf.SONAME, use_errno=True)
    found: dict[int, Cost] = {}
    number = ctypes.c_uint32(0)
    while lib.bpf_prog_get_next_id(number, ctypes.byref(number)) == 0:
        fd = lib.bpf_prog_get_fd_by_id(number)
        if fd < 0:
            continue
        info = libbpf.ProgInfo()
        size = ctypes.c_uint32(ctypes.sizeof(info))
        libbpf.library().bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
        os.close(fd)
        found[info.id] = Cost(info.name.decode(), info.run_cnt, info.run_time_ns)
    return found


@contextlib.contextmanager
def measured() -> Iterator[dict[str, Cost]]:
    """Fill the yielded dict with each program's cost while the block ran, by name."""
    costs: dict[str, Cost] = {}
    with runtime_statistics():
        before = snapshot()
        yield costs
        after = snapshot()
    for number, total in after.items():
        was = before.get(number, Cost(total.name, 0, 0))
        runs = total.runs - was.runs
        if runs:
            costs[total.name] = Cost(total.name, runs, total.total_ns - was.total_ns)
