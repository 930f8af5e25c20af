"""What llcstat makes of counters, without a kernel."""

from __future__ import annotations

import numpy as np
import pytest

from ktop.frame import Facts, Reading
from ktop.panes.llcstat import PANE, compute, derive
from tests.layouts import layout, record, records

PROCESS, CPU, USAGE = (layout("llc", name) for name in ("process_record", "cpu", "usage"))
COUNTERS = ("references", "misses", "on_ns", "references_off_ns", "misses_off_ns")
FACTS = Facts()


def reading(*processes, cpus=(), exits=()):
    """Return a Reading of processes (pid, COUNTERS) and CPUs (COUNTERS, unattributed)."""
    by_cpu = [
        record(CPU, all=record(USAGE, **named(counters)), unattributed=rest)
        for *counters, rest in cpus or [(0,) * 6]
    ]
    maps = {"processes": of(processes), "exits": of(exits), "cpus": records(CPU, by_cpu)}
    return Reading(0, maps)


def of(processes):
    who = {"start_ns": 5, "comm": b"c", "cgroup": 9}
    return records(
        PROCESS, [record(PROCESS, pid=pid, **who, **named(counters)) for pid, *counters in processes]
    )


def named(counters):
    return dict(zip(COUNTERS, counters, strict=True))


def rows(before, now):
    return derive(dict(compute(before, now, FACTS).rows))


def test_differences_and_ratio():
    found = rows(
        reading((7, 100, 10, 1000, 0, 0), (8, 1, 1, 1, 0, 0)),
        reading(
            (7, 300, 60, 3000, 0, 0), (8, 1, 1, 1, 0, 0), (9, 50, 50, 10, 0, 0), exits=[(10, 8, 0, 5, 0, 0)]
        ),
    )
    assert found["pid"].tolist() == [7, 9, 10]
    assert found["references"].tolist() == [200, 50, 8]
    assert found["misses"].tolist() == [50, 50, 0]
    assert found["hit_ratio"].tolist() == [0.75, 0, 1]
    assert set(found) == {column.name for column in PANE.columns}


def test_counters_that_took_turns_are_scaled():
    """References were on half of the time, misses a quarter."""
    found = rows(reading(), reading((7, 100, 10, 1000, 500, 750)))
    assert found["references"].tolist() == [200]
    assert found["misses"].tolist() == [40]
    assert found["hit_ratio"].tolist() == [0.8]


def test_a_counter_that_was_off_measured_nothing():
    found = rows(reading(), reading((7, 0, 10, 1000, 1000, 0)))
    assert np.isnan(found["references"][0])
    assert np.isnan(found["hit_ratio"][0])
    assert found["misses"][0] == 10


def test_counts_of_no_time_at_all_are_what_was_counted():
    assert rows(reading(), reading((7, 10, 2, 0, 0, 0)))["references"].tolist() == [10]
    found = rows(reading(), reading((7, 10, 2, 0, 0, 5)))
    np.testing.assert_array_equal([found["references"][0], found["misses"][0]], [10, np.nan])


def test_more_misses_than_references_is_not_negative():
    now = reading((7, 10, 11, 1000, 0, 0), cpus=[(10, 11, 1000, 0, 0, 0)])
    assert rows(reading(), now)["hit_ratio"].tolist() == [0]
    assert compute(reading(), now, FACTS).host["hit_ratio"] == 0


def test_no_references_is_not_measured():
    assert np.isnan(rows(reading(), reading((7, 0, 0, 1000, 0, 0)))["hit_ratio"]).all()


def test_the_host_is_all_cpus():
    sample = compute(
        reading(cpus=[(10, 1, 100, 0, 0, 5), (10, 1, 100, 0, 0, 5)]),
        reading(cpus=[(110, 21, 200, 0, 0, 30), (210, 31, 200, 50, 0, 5)]),
        FACTS,
    )
    assert sample.host["references"] == 100 + 400
    assert sample.host["misses"] == 50
    assert sample.host["hit_ratio"] == pytest.approx(0.9)
    assert sample.unattributed_ratio == pytest.approx(25 / 300)


def test_an_idle_host_has_no_ratio():
    sample = compute(reading(), reading(), FACTS)
    assert "hit_ratio" not in sample.host
    assert sample.unattributed_ratio is None
