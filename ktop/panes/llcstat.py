"""Last-level cache: whose memory accesses it serves, and whose go to memory."""

from __future__ import annotations

import numpy as np

from ktop.frame import Array, Facts, Reading, Sample
from ktop.pane import CGROUP, COMMAND, STARTED, Column, Fold, Lines, Pane, Unit
from ktop.perf_event import (
    HW_CACHE_MISSES,
    HW_CACHE_REFERENCES,
    SW_CPU_CLOCK,
    TYPE_HARDWARE,
    TYPE_SOFTWARE,
    PerfEvent,
)
from ktop.records import by_cpu, process_deltas
from ktop.stats import ratio

_COUNTERS = ("references", "misses", "on_ns", "references_off_ns", "misses_off_ns")


def compute(previous: Reading, current: Reading, _facts: Facts) -> Sample:
    """Return the references and misses between two Readings."""
    rows = _scaled(process_deltas(previous, current, _COUNTERS))
    before, now = by_cpu(previous, current, "cpus")
    grew = {name: now["all"][name] - before["all"][name] for name in _COUNTERS}
    counted = int(grew["references"].sum())
    everything = {name: float(column.sum()) for name, column in _scaled(grew).items()}
    unattributed = int((now["unattributed"] - before["unattributed"]).sum())
    host = {"references": everything["references"], "misses": everything["misses"]}
    if host["references"] > 0:
        host["hit_ratio"] = max(1 - host["misses"] / host["references"], 0.0)
    return Sample(rows, host, unattributed_ratio=unattributed / counted if counted else None)


def derive(rows: dict[str, Array]) -> dict[str, Array]:
    """Add hit_ratio; at least 0, for the two events are counted apart."""
    rows["hit_ratio"] = np.maximum(1 - ratio(rows["misses"], rows["references"]), 0.0)
    return rows


def _scaled(rows: dict[str, Array]) -> dict[str, Array]:
    """Make of counts and times in ``rows`` the counts of counters that are never off; return ``rows``.

    Where events outnumber the hardware's counters they take turns; perf scales
    the same way (tools/perf/Documentation/perf-stat.txt).  What was off all the
    time was not measured: NaN.
    """
    on = rows.pop("on_ns").astype(np.float64)
    for name in ("references", "misses"):
        off = rows.pop(f"{name}_off_ns")
        share = ratio(on - off, on)
        share[(on == 0) & (off == 0)] = 1.0
        scaled = np.full(len(on), np.nan)
        np.divide(rows[name], share, out=scaled, where=share > 0)
        rows[name] = np.round(scaled)
    return rows


PANE = Pane(
    name="llcstat",
    question="Whose memory accesses miss the CPU's caches?",
    family="llc",
    columns=(
        Column("pid", "PID", Unit.NUMBER, "Process (thread group); its threads are added up.", Fold.LAST),
        COMMAND,
        Column(
            "references",
            "REFERENCES",
            Unit.COUNT,
            "Accesses that reached the last-level cache, in user space and kernel, as the CPU's event "
            "cache-references counts them (some AMD models: the second level). Read at each task switch and "
            "ten times a second; interrupts count for the process they met.",
        ),
        Column(
            "misses",
            "MISSES",
            Unit.COUNT,
            "Those of them that went to memory, as the CPU's event cache-misses counts them.",
        ),
        Column(
            "hit_ratio",
            "HIT RATIO",
            Unit.RATIO,
            "Share of the references that did not miss. The two are counted apart: where more misses than "
            "references were counted, 0.",
            Fold.DERIVED,
        ),
        CGROUP,
        STARTED,
    ),
    key=("pid", "start_ns"),
    sort="misses",
    compute=compute,
    derive=derive,
    chart=Lines("last-level cache", (("hit_ratio",), ("references", "misses"))),
    groups=("switch", "exit"),
    perf_events={
        "references": PerfEvent(TYPE_HARDWARE, HW_CACHE_REFERENCES, label="cache-references"),
        "misses": PerfEvent(TYPE_HARDWARE, HW_CACHE_MISSES, label="cache-misses"),
        "flush": PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK, 10, exclude_idle=True, label="CPU clock, 10 Hz"),
    },
    taken="misses",
)
