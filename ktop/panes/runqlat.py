"""Run-queue latency: how long a thread that could run waits for a CPU."""

from __future__ import annotations

import numpy as np

from ktop.frame import Array, Facts, Histogram, Reading, Sample
from ktop.pane import CGROUP, COMMAND, STARTED, Column, Fold, Heatmap, Pane, Unit
from ktop.records import by_cpu, process_deltas
from ktop.stats import LATENCY_BOUNDS_US, LOG2_BOUNDS_US, highest, percentile


def compute(previous: Reading, current: Reading, _facts: Facts) -> Sample:
    """Return the waits that ended between two Readings: host and CPUs log-linear, processes log2."""
    before, now = by_cpu(previous, current, "latency")
    counts = now["slots"] - before["slots"]
    rows = process_deltas(previous, current, ("wait_ns", "slots"), ("max_ns",), times=("ran_ns",))
    rows["waits"] = rows["slots"].sum(axis=1)  # each is in one of them
    rows["wait_us"] = rows.pop("wait_ns") / 1000
    rows["cpu_us"] = rows.pop("ran_ns") / 1000
    rows["longest_us"] = rows.pop("max_ns") / 1000
    of_cpus = [
        Histogram(LATENCY_BOUNDS_US, counts[cpu], cpu) for cpu in range(len(counts)) if counts[cpu].any()
    ]
    host = counts.sum(axis=0)
    return Sample(
        rows,
        histograms=(Histogram(LATENCY_BOUNDS_US, host), *of_cpus),
        unattributed_ratio=_unattributed(rows["waits"], host),
    )


def _unattributed(waits: Array, host: Array) -> float | None:
    """Return the share of the host's waits that no row has; None without waits."""
    total = int(host.sum())
    # Processes are read after the host, so they may have some waits more.
    return max(0.0, 1 - int(waits.sum()) / total) if total else None


def derive(rows: dict[str, Array]) -> dict[str, Array]:
    """Add p50_us, p99_us and max_us from the folded histogram and maximum."""
    # Two CPUs that end a wait of one process at once may keep the smaller maximum, and one that
    # ended as the last interval was read is of two: the highest slot in use says what it can be.
    top = highest(rows["slots"])
    most = np.minimum(LOG2_BOUNDS_US[top + 1], rows["wait_us"])
    longest_us = np.clip(rows["longest_us"], LOG2_BOUNDS_US[top], most)  # most, where that is the smaller
    rows["max_us"] = np.where(rows["waits"] > 0, longest_us, np.nan)  # who only ran has none
    rows["p50_us"], rows["p99_us"] = percentile(rows["slots"], LOG2_BOUNDS_US, (0.50, 0.99), rows["max_us"])
    return rows


PANE = Pane(
    name="runqlat",
    question="Who waits for a CPU, and for how long?",
    family="sched",
    columns=(
        Column(
            "pid",
            "PID",
            Unit.NUMBER,
            "Process (thread group); its threads are added up. PID 0, idle, never counts.",
        ),
        COMMAND,
        Column("waits", "WAITS", Unit.COUNT, "Times a thread got a CPU after it was woken or preempted."),
        Column(
            "wait_us",
            "TOTAL",
            Unit.US,
            "Time those threads waited, added up; threads wait in parallel, so it can exceed the interval. "
            "Throttling by a CPU limit (the screen of the process says so), and what the hypervisor steals "
            "meanwhile, count as waiting; not what "
            "it takes until a CPU is awake that has nothing to do: tasks come into its queue only then "
            "(before 6.0 those that were woken from another cache).",
        ),
        Column(
            "p50_us",
            "P50",
            Unit.US,
            "Half of the waits were shorter; from a histogram in powers of two, interpolated.",
            Fold.DERIVED,
        ),
        Column(
            "p99_us",
            "P99",
            Unit.US,
            "99 of 100 waits were shorter; from a histogram in powers of two, interpolated.",
            Fold.DERIVED,
        ),
        Column("max_us", "MAX", Unit.US, "The longest wait that ended in the interval.", Fold.DERIVED),
        Column(
            "cpu_us",
            "ON CPU",
            Unit.US,
            "Time its threads ran, added up, those that run now to the last tick of their CPU (1 to 10 ms): "
            "who takes the CPU that others wait for.",
        ),
        CGROUP,
        STARTED,
        Column(
            "longest_us",
            "LONGEST",
            Unit.US,
            "Longest wait as the kernel side kept it.",
            Fold.MAX,
            hidden=True,
        ),
        Column(
            "slots",
            "WAITS BY LENGTH",
            Unit.HISTOGRAM,
            "Waits by power of two of 0.512 µs: each row has its own scale, all have the same axis.",
            from_width=100,
            bounds=LOG2_BOUNDS_US,
            longest="max_us",
        ),
    ),
    key=("pid", "start_ns"),
    sort="wait_us",
    compute=compute,
    derive=derive,
    chart=Heatmap("run-queue latency", counts="waits", by_cpu=True, longest="max_us"),
    groups=("wakeup", "wakeup_new", "switch"),
    taken="cpu_us",
    pressure="cpu",
)
