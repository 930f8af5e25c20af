"""Hard interrupts: how often, how long and on which CPUs each line's handlers run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ktop.frame import Array, Facts, Reading, Sample
from ktop.pane import Column, Fold, Pane, RowHistogram, Unit
from ktop.records import by_cpu, written_maximum
from ktop.stats import highest, log2_bounds, ratio

VECTORS = (
    (b"LOC", b"local timer"),
    (b"RES", b"reschedule"),
    (b"CAL", b"call function"),
    (b"CAL", b"call function"),  # call_function_single: /proc/interrupts does not tell them apart either
    (b"IWI", b"irq work"),
)
"""Label in /proc/interrupts and name of enum vector in bpf/irq.bpf.c, which follow the lines."""

IPIS = ((b"Rescheduling interrupts", 0), (b"Function call interrupts", 1))
"""Those of arm64 that are everywhere and often, with their place among all: the others follow in order."""

BOUNDS_US = log2_bounds(18, unit=1 / 0.128)


def compute(previous: Reading, current: Reading, _facts: Facts) -> Sample:
    """Return what the handlers of each interrupt did on all CPUs between two Readings."""
    before, now = (cpus["lines"] for cpus in by_cpu(previous, current, "interrupts"))
    spent = now["handled_ns"] + now["futile_ns"] - before["handled_ns"] - before["futile_ns"]
    cpu, place = np.nonzero(spent)  # one line on one CPU each
    old, new = before[cpu, place], now[cpu, place]
    slots = new["slots"] - old["slots"]  # 32 bits, and right when they have gone round
    count = slots.sum(axis=1, dtype=np.uint64)

    names = current.maps["names"]
    labels = _labels(place, new["irq"], now.shape[1], _ipis(names))
    label, interrupt = np.unique(labels, return_inverse=True)
    irqs = len(label)
    cpus = np.zeros((irqs, len(now)), np.uint32)
    np.add.at(cpus, (interrupt, cpu), count.astype(np.uint32))
    longest = np.zeros(irqs)
    np.maximum.at(longest, interrupt, _longest_us(old, new, slots))
    return Sample(
        {
            "irq": label,
            "name": _names(label, interrupt, new, names),
            "count": _sum(interrupt, count, irqs),
            "total_us": _sum(interrupt, spent[cpu, place], irqs) / 1000,
            "cpus": cpus,
            "handled_us": _sum(interrupt, new["handled_ns"] - old["handled_ns"], irqs) / 1000,
            "longest_us": longest,
            "slots": _sum(interrupt, slots, irqs),
        }
    )


def _sum(interrupt: Array, values: Array, irqs: int) -> Array:
    """Return ``values`` added up by interrupt: uint64, shape (irqs, ...)."""
    total = np.zeros((irqs, *values.shape[1:]), np.uint64)
    np.add.at(total, interrupt, values.astype(np.uint64))
    return total


def _ipis(names: Array) -> dict[int, bytes]:
    """Return what /proc/interrupts calls arm64's interrupts between processors, by number.

    It hides their numbers, which are in sequence and fixed at boot.
    """
    known = {
        bytes(each["value"]["text"]): int(each["key"]["irq"]) for each in names[names["value"]["is_ipi"] > 0]
    }
    first = next((known[name] - place for name, place in IPIS if name in known), None)
    return {} if first is None else {irq: b"IPI%d" % (irq - first) for irq in known.values()}


def _labels(place: Array, irq: Array, places: int, ipis: dict[int, bytes]) -> Array:
    """Return what /proc/interrupts calls each line: its number, or letters of what is no device's."""
    lines = places - len(VECTORS)
    vector = np.array([label for label, _name in VECTORS])[np.maximum(place - lines, 0)]
    label = np.where(place < lines, irq.astype("S10"), vector)
    for number, name in ipis.items():
        label[irq == number] = name  # 0, as vectors have it, is no number
    return label


def _names(label: Array, interrupt: Array, lines: Array, names: Array) -> Array:
    """Return the names of each interrupt's handlers that ran: ``S``, shape (irqs,).

    ``interrupt`` is the position in ``label`` that each of ``lines`` belongs to.
    """
    # In lists, for large hosts have thousands: elements of structured arrays take ten times as long.
    known = dict(zip(_handlers(names["key"]), names["value"]["text"].tolist(), strict=True))
    vectors = dict(VECTORS)
    found: list[dict[bytes, None]] = [{} for _ in label]  # in the order they are called, each once
    for place, (action, irq) in zip(interrupt.tolist(), _handlers(lines), strict=True):
        text = known.get((action, irq), b"") if action else vectors[bytes(label[place])]
        found[place].setdefault(text)
    return np.array([b", ".join(each) for each in found], dtype="S") if found else np.zeros(0, "S1")


def _handlers(of: Array) -> Iterator[tuple[int, int]]:
    """Return the action and the line's number of each."""
    return zip(of["action"].tolist(), of["irq"].tolist(), strict=True)


def _longest_us(old: Array, new: Array, slots: Array) -> Array:
    """Return the longest run of each line, in us; 0 where it handled nothing.

    The highest slot in use bounds it both ways, as the maximum that the kernel
    side keeps can be older than the Reading before.
    """
    longest = written_maximum(old["max"], new["max"]) / 1000
    top = highest(slots)
    longest = np.clip(longest, BOUNDS_US[top], BOUNDS_US[top + 1])
    return np.where(slots.any(axis=1), longest, 0.0)


def derive(rows: dict[str, Array]) -> dict[str, Array]:
    """Add avg_us and max_us; NaN where an interrupt was never one of the line's own devices'."""
    rows["avg_us"] = ratio(rows["handled_us"], rows["count"])
    rows["max_us"] = np.where(
        rows["count"] > 0, np.maximum(rows["longest_us"], np.nan_to_num(rows["avg_us"])), np.nan
    )
    return rows


PANE = Pane(
    name="hardirqs",
    question="Which interrupts take the CPUs' time?",
    family="irq",
    columns=(
        Column(
            "irq",
            "IRQ",
            Unit.TEXT,
            "As in /proc/interrupts: the number of a device's line, or letters of what is no device's. x86: "
            "LOC local timer, RES reschedule, CAL call function, IWI irq work. arm64: IPI and a number.",
            Fold.LAST,
        ),
        Column(
            "name",
            "NAME",
            Unit.TEXT,
            "The handlers that were called, as their drivers named them. Several on one line share it.",
            Fold.LAST,
            width=24,
        ),
        Column(
            "count",
            "COUNT",
            Unit.COUNT,
            "Interrupts that a handler recognised as its device's. On a shared line the other handlers "
            "are called in vain; that is not counted.",
        ),
        Column(
            "total_us",
            "TOTAL",
            Unit.US,
            "Time in the handlers, on all CPUs, calls in vain included. Not in it: the processor's own entry "
            "and exit, soft interrupts, and handlers that run as threads.",
        ),
        Column("avg_us", "AVG", Unit.US, "Mean time of an interrupt that was counted.", Fold.DERIVED),
        Column("max_us", "MAX", Unit.US, "The longest of them in the interval.", Fold.DERIVED),
        Column(
            "cpus",
            "CPUS",
            Unit.BY_CPU,
            "Interrupts counted on each CPU, CPU 0 on the left; of neighbours in one bar, the most on one.",
        ),
        Column("handled_us", "HANDLED", Unit.US, "Time of the interrupts that were counted.", hidden=True),
        Column(
            "longest_us", "LONGEST", Unit.US, "Longest as the kernel side kept it.", Fold.MAX, hidden=True
        ),
        Column(
            "slots",
            "INTERRUPTS BY TIME",
            Unit.HISTOGRAM,
            "Interrupts by power of two from 0.256 µs: each row has its own scale, all have the same axis.",
            from_width=100,
            bounds=BOUNDS_US,
            longest="max_us",
        ),
    ),
    key=("irq",),
    sort="total_us",
    compute=compute,
    derive=derive,
    chart=RowHistogram("time in the handler", "slots", label="name"),
    groups=("entry", "exit"),
)
