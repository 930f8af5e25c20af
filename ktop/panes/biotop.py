"""Block I/O by process and disk: what was read and written, and how long the disk took."""

from __future__ import annotations

import numpy as np

from ktop.frame import Array, Facts, Histogram, Losses, Reading, Sample
from ktop.losses import DROPPED
from ktop.pane import CGROUP, Column, Fold, Heatmap, Pane, Unit
from ktop.records import by_cpu, keyed_deltas
from ktop.stats import LATENCY_BOUNDS_US, LOG2_BOUNDS_US, highest, percentile, ratio

COUNTERS = (
    "read_ops",
    "write_ops",
    "read_bytes",
    "write_bytes",
    "total_ns",
    "queue_ns",
    "unqueued_ops",
    "errors",
    "slots",
)


def compute(previous: Reading, current: Reading, _facts: Facts) -> Sample:
    """Return the I/O completed between two Readings: host log-linear, processes log2."""
    old, new = by_cpu(previous, current, "totals")
    keys, rows = keyed_deltas(
        previous.maps["issuers"],
        current.maps["issuers"],
        COUNTERS,
        maxima=("max",),
        last=("comm", "disk", "cgroup"),
    )
    rows["pid"], rows["start_ns"] = keys["pid"], keys["start_ns"]
    untimed = (rows["read_ops"] + rows["write_ops"] > 0) & ~rows["slots"].any(axis=1)
    rows["total_us"] = np.where(untimed, np.nan, rows.pop("total_ns") / 1000)
    rows["queue_us"] = rows.pop("queue_ns") / 1000
    # An I/O that ends just then may be read in one of the two alone.
    unqueued = rows.pop("unqueued_ops").astype(np.int64)
    rows["queue_ops"] = np.maximum(rows["slots"].sum(axis=1, dtype=np.int64) - unqueued, 0)
    rows["longest_us"] = rows.pop("max") / 1000
    counts = new["slots"] - old["slots"]
    return Sample(
        rows,
        {
            "flush_ops": float((new["flushes"] - old["flushes"]).sum()),
            "discard_ops": float((new["discards"] - old["discards"]).sum()),
        },
        (Histogram(LATENCY_BOUNDS_US, counts.sum(axis=0)),),
        _unattributed(rows),
        _dropped(previous, current, int(counts.sum()) - int(rows["slots"].sum())),
    )


def _unattributed(rows: dict[str, Array]) -> float | None:
    """Return the share of bytes that workqueues submitted for nobody knows whom; None without I/O."""
    size = rows["read_bytes"] + rows["write_bytes"]
    total = int(size.sum())
    return int(size[rows["pid"] == 0].sum()) / total if total else None


def _dropped(previous: Reading, current: Reading, missing: int) -> Losses:
    """Return how many I/Os have no row: the map had no room, or its LRU dropped an entry before it was read.

    ``missing`` are those that the host's histogram has and the rows have not.
    The two are read one after the other, so that it says nothing as long as
    all entries that were ever asked for are there.
    """
    before, now = (
        max(0, int(reading.maps["totals"]["issuers_made"].sum()) - len(reading.maps["issuers"]))
        + int(reading.maps["totals"]["unplaced"].sum())
        for reading in (previous, current)
    )
    return {DROPPED: missing} if now > before and missing > 0 else {}


def derive(rows: dict[str, Array]) -> dict[str, Array]:
    """Add queued_us, avg_us, p99_us and max_us from the folded sums, histogram and maximum."""
    slots = rows["slots"]
    whole = slots.sum(axis=1)
    top = highest(slots)
    longest = np.clip(rows["longest_us"], LOG2_BOUNDS_US[top], LOG2_BOUNDS_US[top + 1])
    rows["queued_us"] = ratio(rows["queue_us"], rows["queue_ops"])
    rows["avg_us"] = ratio(rows["total_us"], whole)
    rows["max_us"] = np.where(whole > 0, np.fmax(longest, rows["avg_us"]), np.nan)
    rows["p99_us"] = percentile(slots, LOG2_BOUNDS_US, 0.99, rows["max_us"])
    return rows


_DEVICE_TIME = (
    "Device time: from the issue to the disk, as the kernel's own statistics stamp it (of requests issued "
    "in one batch, the start of the batch), to completion; of a disk whose queue does not stamp the issue, "
    "from submission; – where it keeps no statistics at all (iostats). Flushes are not in it."
)

PANE = Pane(
    name="biotop",
    question="Who reads and writes the disks, and how long do the disks take?",
    family="block",
    columns=(
        Column(
            "pid",
            "PID",
            Unit.NUMBER,
            "Process that submitted the I/O, or the first that did where several were merged into one "
            "request. 0: a kernel workqueue did, and no process can be charged with it: dirty pages, and "
            "what the limit of a cgroup (io.max) held up. CGROUP says whose it is where the kernel knows.",
        ),
        Column(
            "comm",
            "COMMAND",
            Unit.TEXT,
            "Name of the process; in parentheses that of a workqueue, `(writeback)` for dirty pages that "
            "the kernel wrote later. A process that waits for its own pages (fsync) writes them itself.",
            Fold.LAST,
        ),
        Column(
            "disk",
            "DISK",
            Unit.TEXT,
            "Disk that did the I/O; of a stacked device (device mapper, RAID) the disks below it. Those "
            "that have no queue of requests (zram and swap on it, pmem, ramdisks) are not seen.",
            Fold.LAST,
            width=8,
        ),
        Column(
            "read_ops",
            "READS",
            Unit.COUNT,
            "Read requests completed, after merging: of one that the disk does not answer nothing is told.",
        ),
        Column(
            "write_ops",
            "WRITES",
            Unit.COUNT,
            "Write requests completed, after merging; flushes and discards are not among them.",
            width=6,
        ),
        Column("read_bytes", "READ", Unit.BYTES, "Bytes of read requests, those that failed included."),
        Column(
            "write_bytes",
            "WRITE",
            Unit.BYTES,
            "Bytes of write requests, those that failed included; zeroes written by command count, "
            "discarded bytes do not.",
        ),
        Column("avg_us", "AVG", Unit.US, "The mean of reads and writes. " + _DEVICE_TIME, Fold.DERIVED),
        Column(
            "p99_us",
            "P99",
            Unit.US,
            "99 of 100 took less device time; from a histogram in powers of two, interpolated.",
            Fold.DERIVED,
        ),
        Column(
            "max_us",
            "MAX",
            Unit.US,
            "The longest device time of those that ended.",
            Fold.DERIVED,
            from_width=80,  # the first to go: it is near P99, and QUEUED tells what neither does
        ),
        Column(
            "queued_us",
            "QUEUED",
            Unit.US,
            "Mean time in the queue of the kernel's I/O scheduler, from submission to issue, before the "
            "device time: long where others keep the disk busy. Limits (io.max) and waits for a free "
            "request come before both, and are in neither. – where the queue does not stamp both.",
            Fold.DERIVED,
        ),
        Column(
            "errors",
            "ERR",
            Unit.COUNT,
            "Reads and writes that the disk failed, or a part of them; the reason is in the kernel's log.",
            alarm=True,
        ),
        Column(
            "total_us",
            "TIME",
            Unit.US,
            "Device time added up; a disk works on many requests at once, so it can exceed the interval.",
            from_width=90,
        ),
        CGROUP,
        Column(
            "start_ns",
            "START",
            Unit.NUMBER,
            "Start of the process, ns since boot; of a workqueue a number of its own.",
            Fold.LAST,
            hidden=True,
        ),
        Column("queue_us", "QUEUED IN ALL", Unit.US, "Time in the queue added up.", hidden=True),
        Column("queue_ops", "QUEUED", Unit.COUNT, "Requests that say when they were issued.", hidden=True),
        Column(
            "longest_us",
            "LONGEST",
            Unit.US,
            "Longest device time as the kernel side kept it.",
            Fold.MAX,
            hidden=True,
        ),
        Column(
            "slots",
            "I/O BY TIME",
            Unit.HISTOGRAM,
            "Requests by power of two of 0.512 µs: each row has its own scale, all have the same axis.",
            from_width=128,
            bounds=LOG2_BOUNDS_US,
            longest="max_us",
        ),
    ),
    key=("pid", "start_ns", "disk"),
    sort="total_us",
    compute=compute,
    derive=derive,
    chart=Heatmap("time in the disk", counts="I/Os", longest="max_us"),
    groups=("start", "complete"),
    taken="total_us",
    pressure="io",
    # Of a disk that does not answer, too.
    idle="no request ended in this interval; those on their way have no row yet",
)
