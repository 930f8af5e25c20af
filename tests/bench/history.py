"""What the codec and the history cost, in CPU time: ``python -m tests.bench.history``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ktop.frame import Array, Frame, Histogram
from ktop.history.history import History
from ktop.panes.runqlat import PANE
from ktop.recording.codec import decode, encode
from ktop.stats import LATENCY_BOUNDS_US
from ktop.tables.derived import strip

PANES = [replace(PANE, name=f"pane{number}") for number in range(8)]
MIB = 1 << 20


def frame(name: str, ts: float, pids: Array, random: np.random.Generator) -> Frame:
    """A Frame of run-queue latency of so many processes."""
    waits = random.poisson(20, len(pids)).astype(np.uint64)
    slots = np.zeros((len(pids), 26), dtype=np.uint64)
    slots[:, 3], slots[:, 6] = waits // 2, waits - waits // 2
    rows: dict[str, Array] = {
        "pid": pids,
        "start_ns": pids.astype(np.uint64) * 12_345_678_901,
        "comm": np.array([f"proc-{pid % 37}".encode() for pid in pids], dtype="S16"),
        "waits": waits,
        "wait_us": random.integers(0, 10**7, len(pids)) / 1000,
        "longest_us": random.integers(0, 10**6, len(pids)) / 1000,
        "slots": slots,
    }
    counts = np.zeros(264, dtype=np.uint64)
    counts[80:140] = random.poisson(30, 60)
    histograms = tuple(Histogram(LATENCY_BOUNDS_US, counts, cpu) for cpu in (None, 0, 1))
    return Frame(name, 1.7e9 + ts, 1.0, PANE.derive(rows), {}, histograms)


def median_us(function: Callable[[], object], times: int = 50) -> float:
    took = []
    for _ in range(times):
        started = time.process_time()
        function()
        took.append(time.process_time() - started)
    return float(np.median(took) * 1e6)


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / MIB


def codec(random: np.random.Generator) -> None:
    for count in (100, 1000):
        one = strip(PANE, frame("p", 0, np.arange(count, dtype=np.int32), random))
        data = encode([one])
        print(
            f"codec, {count:>5} rows: {len(data):>7} bytes, "
            f"encode {median_us(partial(encode, [one])):.0f} us, "
            f"decode {median_us(partial(decode, data)):.0f} us"
        )


def history(random: np.random.Generator, rows: int, intervals: int) -> None:
    kept = History(PANES)
    pids = np.sort(random.choice(30_000, rows, replace=False)).astype(np.int32)
    before, took = resident(), []
    for ts in range(intervals):
        frames = [frame(pane.name, ts, pids, random) for pane in PANES]
        started = time.process_time()
        for each in frames:
            kept.add(each)
        took.append((time.process_time() - started) * 1e3)
    pid = int(pids[rows // 2])
    print(
        f"history, 8 panes x {rows} rows x {intervals} intervals: {kept.nbytes / MIB:.1f} MiB as counted, "
        f"{resident() - before:.1f} MiB resident; adding a tick: {np.mean(took):.2f} ms, at most "
        f"{max(took):.1f} ms; one process in all panes: "
        f"{median_us(lambda: [kept.process(pane, pid).total for pane in PANES], 5) / 1e3:.0f} ms; "
        f"all frames of a pane: {median_us(lambda: kept.frames('pane0'), 5) / 1e3:.0f} ms; "
        f"rows dropped of the oldest: {kept.frames('pane0')[0].dropped}"
    )


if __name__ == "__main__":
    generator = np.random.default_rng(1)
    codec(generator)
    history(generator, 60, 600)
    history(generator, 8000, 100)
