"""The figures of hardirqs from made-up Readings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop.frame import Array, Facts, Reading
from ktop.pane import fold
from ktop.panes.hardirqs import BOUNDS_US, PANE, VECTORS, compute, derive
from tests.layouts import entry, layout, record, records

INTERRUPTS = layout("irq", "interrupts")
NAME = entry("irq", "name_key", "name")
LINES = INTERRUPTS["lines"].shape[0] - len(VECTORS)
LOC, RES, CAL, CAL_SINGLE, IWI = range(LINES, LINES + 5)


class Host:
    """Two CPUs' handlers, as bpf/irq.bpf.c keeps them."""

    def __init__(self) -> None:
        self.cpus = np.zeros(2, INTERRUPTS)
        self.names: list[Array] = []
        self.epoch = 0

    def name(self, irq: int, action: int, text: bytes, *, is_ipi: bool = False) -> None:
        made = record(NAME)
        made["key"]["action"], made["key"]["irq"] = action, irq
        made["value"]["text"], made["value"]["is_ipi"] = text, is_ipi
        self.names.append(made)

    def run(
        self, cpu: int, place: int, ns: int, handler: tuple[int, int] = (0, 0), *, mine: bool = True
    ) -> None:
        """Have ``handler`` (its IRQ and action) run on ``cpu``; system vectors go by their place."""
        line = self.cpus["lines"][cpu, place]
        line["irq"], line["action"] = handler
        if not mine:
            line["futile_ns"] += ns
            return
        line["handled_ns"] += ns
        line["slots"][min(max((ns >> 7).bit_length() - 1, 0), 17)] += 1
        half = self.epoch & 1
        if line["max"]["epoch"][half] != self.epoch:
            line["max"]["epoch"][half], line["max"]["value"][half] = self.epoch, 0
        line["max"]["value"][half] = max(int(line["max"]["value"][half]), ns)

    def read(self) -> Reading:
        self.epoch += 1
        return Reading(self.epoch, {"interrupts": self.cpus.copy(), "names": records(NAME, self.names)})


def figures(before: Reading, after: Reading) -> dict[bytes, dict[str, Any]]:
    """Return the row of each interrupt."""
    rows = derive(dict(compute(before, after, Facts()).rows))
    assert set(rows) == {column.name for column in PANE.columns}
    return {
        bytes(irq): {name: values[place] for name, values in rows.items()}
        for place, irq in enumerate(rows["irq"])
    }


def test_nothing_happened():
    """No interrupt, no row; and no error in what follows from none."""
    host = Host()
    assert figures(host.read(), host.read()) == {}


def test_one_line_on_two_cpus():
    """They are added up, and told apart in the column by CPU."""
    host = Host()
    host.name(36, 7, b"disk")
    host.run(0, 36, 9_000_000, (36, 7))  # before: not in the interval's maximum
    before = host.read()
    host.run(0, 36, 1000, (36, 7))
    host.run(1, 36, 3000, (36, 7))
    host.run(1, 36, 2000, (36, 7))
    row = figures(before, host.read())[b"36"]
    assert row["name"] == b"disk"
    assert (row["count"], row["total_us"], row["avg_us"], row["max_us"]) == (3, 6, 2, 3)
    assert row["cpus"].tolist() == [1, 2]
    assert row["slots"].sum() == 3


def test_a_cpu_that_came_since_counts_from_nothing():
    host = Host()
    host.run(1, LOC, 5000)
    before = host.read()
    host.cpus = np.append(host.cpus, np.zeros(1, INTERRUPTS))
    host.run(1, LOC, 1000)
    host.run(2, LOC, 3000)
    row = figures(before, host.read())[b"LOC"]
    assert row["cpus"].tolist() == [0, 1, 1]
    assert (row["total_us"], row["max_us"]) == (4, 3)


def test_system_vectors_have_names():
    """Both kinds of function call are one row, as in /proc/interrupts."""
    host = Host()
    before = host.read()
    host.run(0, LOC, 500)
    host.run(0, CAL, 600)
    host.run(1, CAL_SINGLE, 700)
    host.run(1, IWI, 100)
    rows = figures(before, host.read())
    assert {irq: row["name"] for irq, row in rows.items()} == {
        b"LOC": b"local timer",
        b"CAL": b"call function",
        b"IWI": b"irq work",
    }
    assert rows[b"CAL"]["count"] == 2
    assert rows[b"CAL"]["max_us"] == 0.7


def test_a_shared_line_counts_its_devices_only():
    """Calls in vain take time; they are no interrupts of that device."""
    host = Host()
    host.name(16, 7, b"usb1")
    host.name(16, 8, b"smbus")
    before = host.read()
    for _ in range(10):
        host.run(0, 16, 1000, (16, 7), mine=False)
        host.run(0, 17, 4000, (16, 8))
    row = figures(before, host.read())[b"16"]
    assert row["name"] == b"usb1, smbus"
    assert (row["count"], row["total_us"], row["avg_us"], row["max_us"]) == (10, 50, 4, 4)


def test_nobody_recognised_it():
    """Time was spent on no interrupt: no mean, no maximum."""
    host = Host()
    before = host.read()
    host.run(0, 16, 1000, (16, 7), mine=False)
    row = figures(before, host.read())[b"16"]
    assert row["name"] == b""  # its name could not be kept
    assert (row["count"], row["total_us"]) == (0, 1)
    assert np.isnan(row["avg_us"])
    assert np.isnan(row["max_us"])


def test_a_number_used_again_has_the_new_name():
    """A driver was unloaded, another got its line: only the one that ran is named."""
    host = Host()
    host.name(36, 7, b"old")
    host.name(36, 9, b"new")
    host.run(0, 36, 1000, (36, 7))
    before = host.read()
    host.run(0, 37, 1000, (36, 9))
    assert figures(before, host.read())[b"36"]["name"] == b"new"


def test_counts_that_go_round():
    """32 bits of a slot are a busy CPU's day."""
    host = Host()
    host.cpus["lines"][0, LOC]["slots"][2] = 2**32 - 1
    before = host.read()
    host.cpus["lines"][0, LOC]["slots"][2] = 1
    host.cpus["lines"][0, LOC]["handled_ns"] += 1200
    assert figures(before, host.read())[b"LOC"]["count"] == 2


@pytest.mark.parametrize("written", [True, False])
def test_a_maximum_from_before_the_reading(written):
    """Written in the same epoch, before it was read or just then: the slot says how long it took at most."""
    host = Host()
    host.epoch = 1
    host.run(0, LOC, 9_000_000)
    before = Reading(0, {"interrupts": host.cpus.copy(), "names": records(NAME)})
    if not written:
        before.maps["interrupts"]["lines"]["max"] = 0
    host.run(0, LOC, 1000)
    row = figures(before, host.read())[b"LOC"]
    assert row["avg_us"] <= row["max_us"] <= 1.024


def test_a_maximum_that_was_lost_is_bounded_by_its_slot():
    host = Host()
    before = host.read()
    host.run(0, LOC, 1000)
    host.run(0, LOC, 9_000)
    host.cpus["lines"]["max"]["value"] //= 100
    assert figures(before, host.read())[b"LOC"]["max_us"] == 8.192


def test_a_maximum_of_a_line_that_handled_nothing_is_an_old_one():
    host = Host()
    before = host.read()
    host.run(0, 16, 1000, (16, 7), mine=False)
    host.cpus["lines"]["max"]["value"][0, 16] = 200
    host.run(1, 16, 100, (16, 7))
    assert figures(before, host.read())[b"16"]["max_us"] == 0.1


RUNS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([LOC, RES, CAL, 5, 6]),
        st.integers(1, 2**36),
        st.booleans(),
    ),
    max_size=30,
)


@given(RUNS, RUNS)
def test_figures_are_never_absurd(earlier, later):
    """Whatever ran: nothing negative, the mean no more than the longest, that no more than the total."""
    host = Host()
    for cpu, place, ns, mine in earlier:
        host.run(cpu, place, ns, (place, 1) if place < LINES else (0, 0), mine=mine or place >= LINES)
    before = host.read()
    for cpu, place, ns, mine in later:
        host.run(cpu, place, ns, (place, 1) if place < LINES else (0, 0), mine=mine or place >= LINES)
    rows = derive(dict(compute(before, host.read(), Facts()).rows))
    assert np.isclose(rows["total_us"].sum() * 1000, sum(ns for _cpu, _place, ns, _mine in later))
    some = rows["count"] > 0
    assert (rows["total_us"] > 0).all()
    assert (rows["avg_us"][some] <= rows["max_us"][some]).all()
    assert (rows["max_us"][some] <= rows["total_us"][some] * (1 + 1e-9)).all()
    assert (rows["cpus"].sum(axis=1) == rows["count"]).all()


def test_over_several_intervals():
    """Folded: counts and times are added, the mean is computed anew, the longest stays."""
    host = Host()
    first = host.read()
    host.run(0, LOC, 1000)
    second = host.read()
    host.run(1, LOC, 3000)
    third = host.read()
    tables = [compute(first, second, Facts()).rows, compute(second, third, Facts()).rows]
    both = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    row = fold(PANE, both, ("irq",))
    assert (row["count"][0], row["avg_us"][0], row["max_us"][0]) == (2, 2, 3)
    assert row["cpus"][0].tolist() == [1, 1]


def test_bounds_are_the_kernel_sides():
    """Slot 1 begins at 256 ns, each next one at twice that."""
    assert BOUNDS_US[1:4].tolist() == [0.256, 0.512, 1.024]


@pytest.mark.parametrize("first", [b"Rescheduling interrupts", b""])
def test_interrupts_between_processors_go_by_what_they_are_for(first):
    """As arm64's /proc/interrupts calls them; its numbers are hidden there."""
    host = Host()
    if first:
        host.name(2, 0x9, first, is_ipi=True)
    host.name(3, 0xA, b"Function call interrupts", is_ipi=True)
    host.name(7, 0xB, b"IRQ work interrupts", is_ipi=True)
    host.name(11, 0xC, b"arch_timer")
    before = host.read()
    for irq, action in ((3, 0xA), (7, 0xB), (11, 0xC)):
        host.run(0, irq, 1000, (irq, action))
    found = figures(before, host.read())
    assert {irq: bytes(row["name"]) for irq, row in found.items()} == {
        b"IPI1": b"Function call interrupts",
        b"IPI5": b"IRQ work interrupts",
        b"11": b"arch_timer",
    }
