"""The figures of runqlat from made-up Readings."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop.frame import Array, Facts, Reading, concatenate
from ktop.pane import fold
from ktop.panes.runqlat import PANE, compute, derive
from ktop.records import UNKNOWN
from ktop.stats import LATENCY_BOUNDS_US, LOG2_BOUNDS_US
from tests.layouts import layout, record, records

LATENCY, RECORD = layout("sched", "latency"), layout("sched", "process_record")
FACTS = Facts()
NOBODY = 0
"""A wait that no process can be charged with."""


class Host:
    """The waits for three CPUs, as bpf/sched.bpf.c keeps them."""

    def __init__(self) -> None:
        self.cpus = np.zeros(3, LATENCY)
        self.processes: dict[int, Array] = {}
        self.ended: list[Array] = []

    def wait(self, ns: int, pid: int, cpu: int = 0) -> None:
        """Have a thread of process ``pid`` get a CPU after ``ns``."""
        self.cpus["slots"][cpu, slot(LATENCY_BOUNDS_US, ns / 1000)] += 1
        if pid == NOBODY:
            return
        if pid not in self.processes:
            who = {"pid": pid, "start_ns": 10 * pid, "comm": b"name%d" % pid, "cgroup": 100 + pid}
            self.processes[pid] = record(RECORD, **who)
        process = self.processes[pid]
        process["wait_ns"] += ns
        process["slots"][:, slot(LOG2_BOUNDS_US, ns / 1000)] += 1
        process["max_ns"] = np.maximum(process["max_ns"], ns)

    def end(self, pid: int) -> None:
        self.ended.append(self.processes.pop(pid))

    def read(self) -> Reading:
        """Return a Reading; the next has maxima and ends of its own."""
        living, ended = (records(RECORD, some) for some in (self.processes.values(), self.ended))
        self.ended = []
        for process in self.processes.values():
            process["max_ns"] = 0
        return Reading(0, {"latency": self.cpus.copy(), "processes": living, "exits": ended})


def slot(bounds: Array, value: float) -> int:
    return int(np.searchsorted(bounds, value, "right")) - 1


def rows(before: Reading, after: Reading) -> dict[str, Array]:
    found = derive(dict(compute(before, after, FACTS).rows))
    assert set(found) == {column.name for column in PANE.columns}
    return found


def test_nothing_happened():
    host = Host()
    host.wait(5000, 7)
    before, after = host.read(), host.read()
    sample = compute(before, after, FACTS)
    assert {len(column) for column in rows(before, after).values()} == {0}
    assert sample.unattributed_ratio is None
    (whole,) = sample.histograms
    assert not whole.counts.any()


def test_a_single_wait_is_its_own_percentile_in_microseconds():
    host = Host()
    before = host.read()
    host.wait(3_500_250, 7)
    found = rows(before, host.read())
    assert (found["pid"].tolist(), found["comm"].tolist()) == ([7], [b"name7"])
    assert (found["waits"].tolist(), found["cgroup"].tolist()) == ([1], [107])
    for name in ("wait_us", "p50_us", "p99_us", "max_us"):
        assert found[name].tolist() == [3500.25], name


def test_only_what_is_new_counts():
    host = Host()
    host.wait(90_000_000, 7)
    host.wait(1000, 8)
    before = host.read()
    host.wait(2000, 7)
    host.wait(4000, 7)
    found = rows(before, host.read())
    assert found["pid"].tolist() == [7]
    assert (found["waits"][0], found["wait_us"][0], found["max_us"][0]) == (2, 6, 4)
    assert found["slots"].sum() == 2


def test_half_waited_shorter_and_99_of_100():
    host = Host()
    before = host.read()
    for ns in [3000] * 60 + [10_000] * 37 + [100_000] * 2 + [9_000_000]:
        host.wait(ns, 7)
    found = rows(before, host.read())
    assert slot(LOG2_BOUNDS_US, found["p50_us"][0]) == slot(LOG2_BOUNDS_US, 3)
    assert slot(LOG2_BOUNDS_US, found["p99_us"][0] - 1e-6) == slot(LOG2_BOUNDS_US, 100)
    assert found["max_us"][0] == 9000


def test_a_maximum_that_was_lost_is_bounded_by_its_slot():
    """Two CPUs wrote at once, and the smaller one stayed."""
    host = Host()
    before = host.read()
    host.wait(3000, 7)
    host.wait(100_000, 7)
    host.processes[7]["max_ns"] = 3000
    found = rows(before, host.read())
    assert found["max_us"][0] == LOG2_BOUNDS_US[slot(LOG2_BOUNDS_US, 100)]
    assert found["p50_us"][0] <= found["p99_us"][0] <= found["max_us"][0]


def test_an_ended_process_counts_to_its_end():
    host = Host()
    host.wait(1000, 7)
    before = host.read()
    host.wait(2000, 7)
    host.wait(3000, 8)
    host.end(7)
    host.end(8)
    found = rows(before, host.read())
    assert dict(zip(found["pid"].tolist(), found["wait_us"].tolist(), strict=True)) == {7: 2, 8: 3}


def test_a_pid_used_again_is_another_process():
    host = Host()
    before = host.read()
    host.wait(2000, 7)
    host.end(7)
    host.wait(3000, 7)
    host.processes[7]["start_ns"] += 1
    found = rows(before, host.read())
    assert sorted(fold(PANE, found, PANE.key)["wait_us"].tolist()) == [2, 3]
    assert fold(PANE, found, ("pid",))["wait_us"].tolist() == [5]


def test_histograms_of_the_host_and_of_the_cpus_that_somebody_waited_for():
    host = Host()
    host.wait(1000, 7, cpu=0)
    before = host.read()
    host.wait(2000, 7, cpu=0)
    host.wait(2000, 8, cpu=2)
    host.wait(70_000, NOBODY, cpu=2)
    whole, *by_cpu = compute(before, host.read(), FACTS).histograms
    short, long = slot(LATENCY_BOUNDS_US, 2), slot(LATENCY_BOUNDS_US, 70)
    assert whole.cpu is None
    assert [each.cpu for each in by_cpu] == [0, 2]
    counted = [{place: each.counts[place] for place in each.counts.nonzero()[0]} for each in (whole, *by_cpu)]
    assert counted == [{short: 2, long: 1}, {short: 1}, {short: 1, long: 1}]
    assert all(each.bounds is LATENCY_BOUNDS_US for each in (whole, *by_cpu))


@pytest.mark.parametrize(("nobodys", "share"), [(0, 0), (1, 0.25), (3, 0.5)])
def test_waits_without_a_process_are_the_share_not_attributed(nobodys, share):
    host = Host()
    host.wait(1000, NOBODY)
    before = host.read()
    for pid in (7, 7, 8):
        host.wait(1000, pid)
    for _ in range(nobodys):
        host.wait(1000, NOBODY)
    assert compute(before, host.read(), FACTS).unattributed_ratio == pytest.approx(share)


def test_processes_are_read_a_little_later():
    """They may have waited more often than the host had when it was read."""
    host = Host()
    before = host.read()
    host.wait(1000, 7)
    earlier = host.cpus.copy()
    host.wait(1000, 7)
    after = Reading(0, {**host.read().maps, "latency": earlier})
    assert compute(before, after, FACTS).unattributed_ratio == 0


def test_over_several_intervals():
    """Folded: waits and times are added, the longest stays, percentiles are those of all."""
    host = Host()
    readings = [host.read()]
    for ns in (3000, 100_000, 3000):
        host.wait(ns, 7)
        readings.append(host.read())
    tables = [compute(*two, FACTS).rows for two in pairwise(readings)]
    row = fold(PANE, concatenate(tables), PANE.key)
    assert (row["waits"].tolist(), row["wait_us"].tolist()) == ([3], [106])
    assert (row["p99_us"].tolist(), row["max_us"].tolist()) == ([100], [100])
    assert slot(LOG2_BOUNDS_US, row["p50_us"][0]) == slot(LOG2_BOUNDS_US, 3)


WAITS = st.lists(st.tuples(st.integers(0, 2**37), st.integers(NOBODY, 3), st.integers(0, 2)), max_size=30)


@given(WAITS, WAITS)
def test_figures_are_those_of_the_waits(earlier, later):
    """Whoever waited: sums and maxima are exact, each percentile is in the slot of the wait it is."""
    host = Host()
    for wait in earlier:
        host.wait(*wait)
    before = host.read()
    for wait in later:
        host.wait(*wait)
    found = rows(before, host.read())
    waited = {pid: sorted(ns / 1000 for ns, whose, _cpu in later if whose == pid) for pid in (1, 2, 3)}
    assert sorted(found["pid"].tolist()) == [pid for pid, some in waited.items() if some]
    for place, pid in enumerate(found["pid"].tolist()):
        all_us = waited[pid]
        row = {name: column[place] for name, column in found.items()}
        assert row["waits"] == len(all_us)
        assert row["wait_us"] == pytest.approx(sum(all_us))
        assert row["p50_us"] <= row["p99_us"] <= row["max_us"] == all_us[-1]
        for name, share in (("p50_us", 0.50), ("p99_us", 0.99)):
            there = slot(LOG2_BOUNDS_US, all_us[math.ceil(share * len(all_us)) - 1])
            assert LOG2_BOUNDS_US[there] <= row[name] <= LOG2_BOUNDS_US[there + 1]


def test_time_on_the_cpu_is_of_who_only_ran_too():
    host = Host()
    host.wait(5000, 7)
    host.wait(5000, 8)
    host.processes[7]["ran_ns"] = 10_000_000
    before = host.read()
    host.processes[7]["ran_ns"] += 3_000_000
    host.processes[9] = record(RECORD, pid=9, start_ns=90, comm=b"new", ran_ns=2000)
    found = rows(before, host.read())
    assert dict(zip(found["pid"].tolist(), found["cpu_us"].tolist(), strict=True)) == {7: 3000.0, 9: 2.0}
    assert found["waits"].tolist() == [0, 0]
    assert np.isnan(found["p99_us"]).all()
    assert np.isnan(found["max_us"]).all()


def test_time_on_the_cpu_is_since_it_was_read_first():
    """Who slept is in no Reading but the first, and what it had run by then is in no interval."""
    host = Host()
    host.wait(5000, 7)
    host.wait(5000, 8)
    host.processes[7]["ran_ns"], host.processes[8]["ran_ns"] = 10_000_000, UNKNOWN
    first = host.read().maps["processes"]
    asleep = {pid: host.processes.pop(pid) for pid in (7, 8)}
    before = host.read()
    host.processes = asleep
    for pid in (7, 8, 9):
        host.wait(5000, pid)
        host.processes[pid]["ran_ns"] = 10_003_000
    now = host.read()
    found = rows(before, replace(now, maps={**now.maps, "processes_at_first": first}))
    assert found["pid"].tolist() == [7, 8, 9]
    np.testing.assert_array_equal(found["cpu_us"], [3.0, np.nan, 10_003.0])


def test_time_on_the_cpu_never_shrinks_and_is_not_made_up():
    host = Host()
    for pid in (7, 8, 9):
        host.wait(5000, pid)
        host.processes[pid]["ran_ns"] = 1000
    host.processes[8]["ran_ns"] = UNKNOWN  # more threads than a kernel before 5.17 can be asked of
    before = host.read()
    for pid in (7, 8, 9):
        host.wait(5000, pid)
    host.processes[7]["ran_ns"] = 900  # one of its threads ended meanwhile
    host.processes[8]["ran_ns"] = 9000
    host.processes[9]["ran_ns"] = UNKNOWN
    found = rows(before, host.read())
    assert found["pid"].tolist() == [7, 8, 9]
    assert found["cpu_us"][0] == 0
    assert np.isnan(found["cpu_us"][1:]).all()


def test_the_longest_wait_is_one_of_the_rows_own():
    """One that ended while the interval before was read left its length behind."""
    host = Host()
    host.wait(5000, 7)
    before = host.read()
    host.wait(3000, 7)
    host.processes[7]["max_ns"] = 90_000_000
    found = rows(before, host.read())
    assert found["p50_us"] == found["p99_us"] == found["max_us"] == found["wait_us"] == 3.0
