"""Frames with something to see in them: a load that comes and goes, made by arithmetic from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktop.frame import Array, Frame, Histogram
from ktop.stats import log2_bounds, log_linear_bounds

START = 1_790_000_000.0
BOUNDS = log_linear_bounds(264, 1000.0)


def latency(count: int = 180, cpus: int = 4, seed: int = 1, *, log2: bool = False) -> list[Frame]:
    """A host that is calm, then has a hog (a second mode at 3 ms), then a few stalls of 40 ms."""
    random = np.random.default_rng(seed)
    bounds = log2_bounds(26, unit=1 / 0.512) if log2 else BOUNDS
    frames = []
    for tick in range(count):
        hog = 0.5 * (1 + np.tanh((tick - count * 0.55) / 4)) * 0.5 * (1 + np.tanh((count * 0.85 - tick) / 4))
        histograms = []
        for cpu in range(cpus):
            total = int(2000 + 1500 * np.sin(tick / 9) + random.integers(0, 400))
            calm = random.lognormal(np.log(7), 0.55, total)
            busy = random.lognormal(np.log(3000), 0.35, int(hog * 260 * (2 if cpu == 1 else 0.4)))
            stall = random.lognormal(np.log(40_000), 0.1, 3 if tick % 47 == 30 and cpu == 0 else 0)
            values = np.concatenate([calm, busy, stall])
            counts = np.histogram(values, np.append(bounds[:-1], 1e12))[0]
            histograms.append(Histogram(bounds, counts, cpu))
        everything = np.sum([histogram.counts for histogram in histograms], axis=0)
        frames.append(
            Frame("runqlat", START + tick, 1.0, {}, histograms=(Histogram(bounds, everything), *histograms))
        )
    return frames


def quiet(count: int = 60) -> list[Frame]:
    """A host on which nothing is counted."""
    zero = np.zeros(len(BOUNDS) - 1, np.uint64)
    return [
        Frame("biotop", START + tick, 1.0, {}, histograms=(Histogram(BOUNDS, zero),)) for tick in range(count)
    ]


def cache(count: int = 180) -> list[Frame]:
    """A page cache: warm, then a cold scan, and a gap where nothing was measured."""
    frames = []
    for tick in range(count):
        cold = np.exp(-(((tick - count * 0.6) / 9) ** 2))
        accesses = 40_000 + 8_000 * np.sin(tick / 6)
        hits = accesses * (0.985 - 0.6 * cold)
        host: dict[str, Any] = {
            "accesses": accesses,
            "hits": hits,
            "misses": accesses - hits,
            "hit_ratio": hits / accesses,
            "dirtied": 300 + 250 * np.sin(tick / 15) ** 8 * 10,
            "readahead_surplus": 4000 * cold,
            "cached_bytes": 3.1e9 + 1.2e9 / (1 + np.exp(-(tick - count * 0.6) / 6)),
            "dirty_bytes": 4e6 + 6e7 * (np.sin(tick / 15) ** 8),
        }
        if count * 0.3 < tick < count * 0.34:
            host = dict.fromkeys(host, float("nan"))
        frames.append(Frame("cachestat", START + tick, 1.0, {}, host=host))
    return frames


def stack_rows(*rows: tuple[int, bytes, int, list[str] | None, list[str] | None]) -> dict[str, Array]:
    """Rows as the profile pane has them: pid, comm, samples, user stack, kernel stack."""
    table: dict[str, Array] = {
        "pid": np.array([row[0] for row in rows], np.int64),
        "comm": np.array([row[1] for row in rows], "S16"),
        "samples": np.array([row[2] for row in rows], np.int64),
    }
    for place, name in ((3, "user_stack"), (4, "kernel_stack")):
        stacks = np.empty(len(rows), object)
        for index, row in enumerate(rows):
            stacks[index] = row[place]
        table[name] = stacks
    return table


def profile() -> dict[str, Array]:
    """A database that sorts and reads, a shell, and a kernel thread."""
    start = ["_start", "__libc_start_main", "main", "PostmasterMain", "BackendRun", "exec_simple_query"]
    syscall = ["entry_SYSCALL_64_after_hwframe", "do_syscall_64"]
    read = [*syscall, "ksys_read", "vfs_read", "ext4_file_read_iter", "filemap_read"]
    return stack_rows(
        (
            4242,
            b"postgres",
            190,
            [*start, "PortalRun", "ExecSort", "tuplesort_performsort", "qsort_tuple"],
            [],
        ),
        (4242, b"postgres", 60, [*start, "PortalRun", "ExecSort", "tuplesort_performsort"], []),
        (
            4242,
            b"postgres",
            80,
            [*start, "PortalRun", "ExecScan", "heap_getnext", "__read"],
            [*read, "copy_to_user"],
        ),
        (4242, b"postgres", 12, [*start, "PortalRun", "ExecScan", "heap_getnext", "__read"], read),
        (4242, b"postgres", 22, [*start, "pg_parse_query", "raw_parser"], []),
        (99, b"ba\x1b[31msh", 9, ["main", "std::vector<[bold]int>::push_back(int&&)"], []),
        (12, b"kworker/0:1", 17, None, ["ret_from_fork", "kthread", "worker_thread", "blk_mq_run_work_fn"]),
    )
