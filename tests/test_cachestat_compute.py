"""The figures of cachestat from made-up Readings."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ktop.frame import Facts, Reading, concatenate
from ktop.pane import fold
from ktop.panes.cachestat import COUNTERS, PANE, compute, derive
from tests.layouts import layout, record, records

RECORD = layout("cache", "process_record")
HOST = layout("cache", "counters")
MEMINFO = {"Cached": 3000, "Buffers": 500, "Dirty": 70}


def process(pid, **counters):
    return record(RECORD, pid=pid, start_ns=pid * 10, comm=b"name%d" % pid, **counters)


def reading(living=(), ended=(), host=None):
    """Return a Reading; the host's counters are the processes' when they are not given."""
    processes, exits = (records(RECORD, rows) for rows in (living, ended))
    totals = np.zeros(2, HOST)  # two CPUs: the first has counted all
    for name in COUNTERS:
        totals[name][0] = processes[name].sum() + exits[name].sum() if host is None else host.get(name, 0)
    return Reading(0, {"host": totals, "processes": processes, "exits": exits}, proc={"meminfo": MEMINFO})


def sample(before, after):
    return compute(before, after, Facts())


def only(before, after):
    """Return the row of the one process there is."""
    rows = derive(dict(sample(before, after).rows))
    assert set(rows) == {column.name for column in PANE.columns}
    assert {len(column) for column in rows.values()} == {1}
    return {name: column[0] for name, column in rows.items()}


def test_hits_and_misses():
    """What was brought in was missing; the rest was there."""
    row = only(
        reading([process(7, accesses=100, read_in=50, dirtied=1)]),
        reading([process(7, accesses=180, read_in=70, dirtied=4, mapped_in=9)]),
    )
    assert (row["accesses"], row["misses"], row["hits"], row["dirtied"]) == (80, 20, 60, 3)
    assert (row["hit_ratio"], row["readahead_surplus"], row["mapped_in"]) == (0.75, 0, 9)
    assert math.isnan(row["cached_bytes"])
    assert math.isnan(row["dirty_bytes"])


def test_more_was_brought_in_than_asked_for():
    """Misses are no more than accesses: the rest is surplus."""
    row = only(reading(), reading([process(7, accesses=10, read_in=32)]))
    assert (row["misses"], row["hits"], row["hit_ratio"], row["readahead_surplus"]) == (10, 0, 0, 22)


def test_no_reads_no_ratio():
    """Only written: there is no hit ratio, and that is not 0."""
    row = only(reading(), reading([process(7, write_in=5, dirtied=5)]))
    assert (row["accesses"], row["misses"], row["dirtied"], row["readahead_surplus"]) == (0, 0, 5, 0)
    assert math.isnan(row["hit_ratio"])


def test_copies():
    """Of the pages that a copy brings in, those it dirties were not missing."""
    row = only(reading(), reading([process(7, accesses=100, mixed_in=160, mixed_out=100, dirtied=100)]))
    assert (row["misses"], row["hits"]) == (60, 40)
    # Brought in before this interval, dirtied in it.
    row = only(reading(), reading([process(7, accesses=100, mixed_in=3, mixed_out=4)]))
    assert (row["misses"], row["readahead_surplus"]) == (0, 0)


def test_ended_processes_count():
    """The ring buffer's last record is differenced like the living ones'."""
    before = reading([process(7, accesses=10)])
    rows = sample(before, reading([], [process(7, accesses=15), process(8, accesses=3)])).rows
    assert dict(zip(rows["pid"].tolist(), rows["accesses"].tolist(), strict=True)) == {7: 5, 8: 3}


def test_the_host_is_not_what_one_reads_ahead():
    """One process fetches a lot in advance, another hits all the time: no misses."""
    after = reading([process(7, read_in=100_000), process(8, accesses=50_000)])
    host = sample(reading(), after).host
    assert (host["accesses"], host["misses"], host["hits"], host["hit_ratio"]) == (50_000, 0, 50_000, 1)
    assert host["readahead_surplus"] == 100_000
    assert (host["cached_bytes"], host["dirty_bytes"]) == (3500, 70)


def test_what_nobody_can_be_charged_with():
    """The host's counters know of more than the processes'."""
    before = reading(host={"accesses": 7, "read_in": 2, "mapped_in": 1})
    for read_in, misses, surplus in ((8, 8, 0), (19, 15, 4)):
        counted = {"accesses": 47, "read_in": 2 + read_in, "mapped_in": 4}
        found = sample(before, reading([process(7, accesses=30, read_in=5)], host=counted))
        assert (found.host["accesses"], found.host["misses"]) == (40, misses)
        assert (found.host["readahead_surplus"], found.host["mapped_in"]) == (surplus, 3)
        assert found.unattributed_ratio == 0.25


def test_processes_are_read_a_little_later():
    """They may have done more than the host had when it was read."""
    after = reading([process(7, accesses=30, read_in=30)], host={"accesses": 28, "read_in": 28})
    found = sample(reading(), after)
    assert (found.host["accesses"], found.host["misses"], found.host["hits"]) == (28, 28, 0)
    assert found.unattributed_ratio == 0


def test_nothing_happened():
    """No rows, no ratio; the sizes are there all the same."""
    found = sample(reading(), reading())
    assert len(found.rows["pid"]) == 0
    assert math.isnan(found.host["hit_ratio"])
    assert found.host["cached_bytes"] == 3500
    assert found.unattributed_ratio is None
    assert len(derive(dict(found.rows))["hits"]) == 0


def test_no_meminfo():
    """A size that is not known is not 0."""
    before, after = reading(), reading()
    host = compute(before, Reading(0, after.maps), Facts()).host
    assert math.isnan(host["cached_bytes"])
    assert math.isnan(host["dirty_bytes"])


def test_over_several_intervals():
    """Folded: what was a miss stays one, and the ratio is that of the sums."""
    tables = [
        sample(reading(), reading([process(7, accesses=10, read_in=30)])).rows,
        sample(reading(), reading([process(7, accesses=30)])).rows,
    ]
    row = fold(PANE, concatenate(tables), ("pid",))
    assert (row["accesses"][0], row["misses"][0], row["hits"][0], row["hit_ratio"][0]) == (40, 10, 30, 0.75)


PROCESS = st.fixed_dictionaries({name: st.integers(0, 2**40) for name in COUNTERS})
SOME = st.dictionaries(st.integers(1, 6), PROCESS, max_size=6)


@given(SOME, SOME, SOME, PROCESS, PROCESS)
def test_figures_are_never_absurd(first, second, ended, host_first, host_second):
    """Whatever the counters did: nothing is negative, no ratio over 1, and the parts are the whole."""
    before = reading([process(pid, **counters) for pid, counters in first.items()], host=host_first)
    after = reading(
        [process(pid, **counters) for pid, counters in second.items()],
        [process(pid, **counters) for pid, counters in ended.items()],
        # The host's own counters never go back.
        {name: host_first[name] + host_second[name] for name in COUNTERS},
    )
    found = sample(before, after)
    rows = derive(dict(found.rows))
    for figures in (rows, {name: np.array([value]) for name, value in found.host.items()}):
        for name in ("accesses", "hits", "misses", "dirtied", "readahead_surplus", "mapped_in"):
            assert (figures[name] >= 0).all()
        assert (figures["hits"] + figures["misses"] == figures["accesses"]).all()
        ratios = figures["hit_ratio"]
        assert (np.isnan(ratios) == (figures["accesses"] == 0)).all()
        assert ((ratios >= 0) & (ratios <= 1) | np.isnan(ratios)).all()
    assert found.unattributed_ratio is None or 0 <= found.unattributed_ratio <= 1
