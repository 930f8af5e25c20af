"""The page cache: pages that reads asked for, and those that had to be brought in."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ktop.frame import Array, Facts, Reading, Rows, Sample
from ktop.pane import CGROUP, COMMAND, STARTED, Column, Fold, Lines, Pane, Unit
from ktop.records import process_deltas
from ktop.stats import ratio

COUNTERS = ("accesses", "read_in", "mapped_in", "write_in", "mixed_in", "mixed_out", "dirtied")


def compute(previous: Reading, current: Reading, _facts: Facts) -> Sample:
    """Return what each process and the host asked of the cache between two Readings, in pages."""
    grew = process_deltas(previous, current, COUNTERS)
    rows = {name: grew[name] for name in ("pid", "start_ns", "comm", "cgroup")} | _figures(grew)
    host = {
        name: current.maps["host"][name].sum(dtype=np.int64) - previous.maps["host"][name].sum(dtype=np.int64)
        for name in COUNTERS
    }
    charged = {name: grew[name].sum(dtype=np.int64) for name in COUNTERS}
    # Misses are known by process: another's readahead is no miss of one's own.  Host
    # and processes are read one after the other, so the rest can be a little below 0.
    rest = _figures({name: np.maximum(host[name] - charged[name], 0) for name in COUNTERS})
    total = _figures(host)
    accesses = int(total["accesses"])
    misses = min(int(rows["misses"].sum() + rest["misses"]), accesses)
    return Sample(
        rows,
        {
            "accesses": accesses,
            "hits": accesses - misses,
            "misses": misses,
            "dirtied": int(total["dirtied"]),
            "hit_ratio": (accesses - misses) / accesses if accesses else math.nan,
            "readahead_surplus": int(rows["readahead_surplus"].sum() + rest["readahead_surplus"]),
            "mapped_in": int(total["mapped_in"]),
            **_sizes(current.proc.get("meminfo", {})),
        },
        unattributed_ratio=float(rest["accesses"]) / accesses if accesses else None,
    )


def _figures(grew: Rows) -> dict[str, Array]:
    """Return the columns that follow from what the counters grew by, int64.

    A page that a call both brought in and dirtied was made to be written.
    """
    count = {name: np.asarray(values).astype(np.int64) for name, values in grew.items() if name in COUNTERS}
    read_in = np.maximum(count["read_in"] + count["mixed_in"] - count["mixed_out"], 0)
    misses = np.minimum(read_in, count["accesses"])
    return {
        "accesses": count["accesses"],
        "misses": misses,
        "dirtied": count["dirtied"],
        "readahead_surplus": read_in - misses,
        "mapped_in": count["mapped_in"],
    }


def _sizes(meminfo: Mapping[str, int]) -> dict[str, float]:
    """Return the size of the cache and of what is dirty in it; NaN where /proc/meminfo does not say."""
    cached = meminfo.get("Cached", math.nan) + meminfo.get("Buffers", math.nan)
    return {"cached_bytes": cached, "dirty_bytes": meminfo.get("Dirty", math.nan)}


def derive(rows: dict[str, Array]) -> dict[str, Array]:
    """Add hits and hit_ratio, and what only the host has as not measured."""
    rows["hits"] = np.maximum(rows["accesses"] - rows["misses"], 0)
    rows["hit_ratio"] = ratio(rows["hits"], rows["accesses"])
    rows["cached_bytes"] = np.full(len(rows["hits"]), np.nan)
    rows["dirty_bytes"] = np.full(len(rows["hits"]), np.nan)
    return rows


PANE = Pane(
    name="cachestat",
    question="Does memory serve the reads of files, or the disk?",
    family="cache",
    columns=(
        Column(
            "pid",
            "PID",
            Unit.NUMBER,
            "Process (thread group) that read or wrote; its threads are added up. Kernel threads (before "
            "Linux 5.12 io_uring's workers too) are those that did it themselves.",
        ),
        COMMAND,
        Column(
            "accesses",
            "ACCESSES",
            Unit.COUNT,
            "Pages that reads asked the page cache for: a page read in eight pieces is eight accesses. Not "
            "in it: O_DIRECT, which passes the cache by, tmpfs, and memory-mapped files, whose hits the "
            "kernel does not see. In files partly in memory the kernel does not tell all of reads that do "
            "not wait: of io_uring's a few accesses in 100 lack or count twice, and with them a miss in 100; "
            "of RWF_NOWAIT's hits lack. Nor, from 6.18 on, of sendfile and splice, where pages are on their "
            "way into memory: hits before them lack.",
        ),
        Column("hits", "HITS", Unit.COUNT, "Accesses that are no misses.", Fold.DERIVED_SUM),
        Column(
            "misses",
            "MISSES",
            Unit.COUNT,
            "Pages brought in for reads and their readahead, at most as many as there were accesses in the "
            "interval.",
        ),
        Column(
            "dirtied",
            "DIRTIED",
            Unit.COUNT,
            "Pages that became dirty, to be written to disk later; a page that already is does not count. "
            "The kernel marks whole folios, which can be many pages for one byte.",
        ),
        Column("hit_ratio", "HIT RATIO", Unit.RATIO, "Hits / accesses.", Fold.DERIVED),
        Column(
            "readahead_surplus",
            "SURPLUS",
            Unit.COUNT,
            "Pages brought in beyond the accesses of the interval: read ahead in vain, or for later. "
            "readahead(2) and fadvise(2) count here too.",
        ),
        Column(
            "cached_bytes",
            "CACHED",
            Unit.BYTES,
            "Size of the page cache: Cached and Buffers of /proc/meminfo, tmpfs and shared memory "
            "included. Known of the host only.",
            Fold.DERIVED,
            host_only=True,
        ),
        Column(
            "dirty_bytes",
            "DIRTY",
            Unit.BYTES,
            "Waiting to be written to disk: Dirty of /proc/meminfo. Known of the host only.",
            Fold.DERIVED,
            host_only=True,
        ),
        Column(
            "mapped_in",
            "MAPPED IN",
            Unit.COUNT,
            "Pages brought in because a program touched a memory-mapped file; neither accesses nor misses. "
            "Those that a system call touched (write or send of mapped memory, MAP_POPULATE) are its own.",
        ),
        CGROUP,
        STARTED,
    ),
    key=("pid", "start_ns"),
    sort="accesses",
    compute=compute,
    derive=derive,
    chart=Lines(
        "page cache",
        (
            ("accesses", "misses"),
            ("hit_ratio",),
            ("dirtied",),
            ("cached_bytes",),
            ("dirty_bytes",),
            ("mapped_in", "readahead_surplus"),
        ),
    ),
    groups=("access", "add", "dirty"),
    proc=("meminfo",),
    host_row=True,
    taken="misses",
)
