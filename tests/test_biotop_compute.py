"""The arithmetic of biotop on Readings made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ktop.frame import Facts, Reading
from ktop.pane import fold
from ktop.panes.biotop import PANE, compute, derive
from ktop.records import written_maximum
from ktop.stats import log2_bounds
from tests.layouts import entry, layout, record, records

MAX = layout("block", "interval_max")
ISSUER = entry("block", "issuer_key", "issuer")
TOTALS = layout("block", "totals")
FACTS = Facts()


def totals(**values: int) -> np.ndarray:
    found = np.zeros(2, TOTALS)
    for name, value in values.items():
        found[name][1] = value
    return found


def issuer(pid: int, ops: int = 1, *, longest: tuple[int, int] = (0, 0), slot: int = 8, name=(b"x", b"sda")):
    """Return an entry; ``longest`` is a maximum and its epoch, ``name`` the command's and the disk's."""
    made = record(ISSUER)
    made["key"]["pid"] = pid
    value = made["value"]
    value["read_ops"], value["read_bytes"], value["total_ns"] = ops, ops * 4096, ops * 100_000
    value["slots"][:, slot] = ops
    value["max"]["value"][:, longest[1] & 1], value["max"]["epoch"][:, longest[1] & 1] = longest
    value["comm"], value["disk"] = name
    return made


def reading(entries: list[np.ndarray], host: np.ndarray | None = None) -> Reading:
    maps: dict[str, Any] = {"issuers": records(ISSUER, entries)}
    maps["totals"] = totals() if host is None else host
    return Reading(0, maps)


def test_nothing_happened():
    sample = compute(reading([issuer(1)]), reading([issuer(1)]), FACTS)
    assert len(sample.rows["pid"]) == 0
    assert sample.unattributed_ratio is None
    assert sample.losses == {}
    assert len(derive(dict(sample.rows))["p99_us"]) == 0


def test_columns_are_all_there():
    sample = compute(reading([]), reading([issuer(1)]), FACTS)
    rows = derive(dict(sample.rows))
    assert {column.name for column in PANE.columns} == set(rows)


def test_what_is_new_counts_whole_and_what_grew_its_difference():
    before = [issuer(1, 10), issuer(2, 5)]
    now = [issuer(2, 5), issuer(3, 4, longest=(150_000, 7)), issuer(1, 12)]
    rows = derive(dict(compute(reading(before), reading(now), FACTS).rows))
    assert dict(zip(rows["pid"].tolist(), rows["read_ops"].tolist(), strict=True)) == {3: 4, 1: 2}
    assert dict(zip(rows["pid"].tolist(), rows["read_bytes"].tolist(), strict=True)) == {3: 16384, 1: 8192}
    assert rows["avg_us"].tolist() == [100, 100]
    bounds = log2_bounds(26, unit=1 / 0.512)
    assert rows["max_us"][0] == 150
    assert bounds[8] <= rows["max_us"][1] <= bounds[9]
    assert (rows["p99_us"] <= rows["max_us"]).all()


def test_99_of_100_took_less():
    one = issuer(1, 100, longest=(90_000_000, 7))
    one["value"]["slots"] = 0
    one["value"]["slots"][0, [6, 8, 17]] = 90, 9, 1
    rows = derive(dict(compute(reading([]), reading([one]), FACTS).rows))
    assert rows["p99_us"] == log2_bounds(26, unit=1 / 0.512)[9]


def test_time_in_the_queue_is_of_requests_that_say_when_they_were_issued():
    before, some, none = issuer(1, 10), issuer(1, 14), issuer(2, 4)
    for entry_, queue_ns, unqueued in ((before, 5_000_000, 0), (some, 5_600_000, 2), (none, 0, 4)):
        entry_["value"]["queue_ns"], entry_["value"]["unqueued_ops"] = queue_ns, unqueued
    rows = derive(dict(compute(reading([before]), reading([some, none]), FACTS).rows))
    np.testing.assert_array_equal(rows["queued_us"], [300, np.nan])
    np.testing.assert_array_equal(rows["avg_us"], [100, 100])


def test_an_io_that_is_read_as_unqueued_and_not_yet_in_its_histogram_is_none():
    """A reading can fall between the two."""
    before, now = issuer(1, 10), issuer(1, 15)
    before["value"]["unqueued_ops"], now["value"]["unqueued_ops"] = 9, 15
    rows = derive(dict(compute(reading([before]), reading([now]), FACTS).rows))
    assert rows["queue_ops"].tolist() == [0]
    assert np.isnan(rows["queued_us"]).all()


def test_a_disk_that_keeps_no_times_has_none():
    """Beside one that does: none of its figures is 0."""
    timed, untimed = issuer(1, 4), issuer(1, 6, name=(b"x", b"sdb"))
    untimed["key"]["dev"] = 9
    untimed["value"]["slots"], untimed["value"]["total_ns"] = 0, 0
    untimed["value"]["write_ops"] = 6
    rows = derive(dict(compute(reading([]), reading([timed, untimed]), FACTS).rows))
    for name in ("avg_us", "p99_us", "max_us", "queued_us", "total_us"):
        np.testing.assert_array_equal(np.isnan(rows[name]), [False, True])
    assert rows["read_ops"].tolist() == [4, 6]


def test_parts_of_a_request_have_bytes_and_no_time():
    part = issuer(1, 0)
    part["value"]["write_bytes"] = 512
    rows = derive(dict(compute(reading([]), reading([part]), FACTS).rows))
    assert rows["write_bytes"].tolist() == [512]
    assert rows["total_us"].tolist() == [0]
    for name in ("avg_us", "p99_us", "max_us"):
        assert np.isnan(rows[name]).all()


def test_an_old_maximum_is_not_the_intervals():
    old = issuer(1, 10, slot=18, longest=(90_000_000, 3))
    new = issuer(1, 12, slot=18, longest=(90_000_000, 3))
    new["value"]["slots"][:, 18], new["value"]["slots"][:, 8] = 10, 2
    rows = derive(dict(compute(reading([old]), reading([new]), FACTS).rows))
    assert rows["max_us"][0] < 300


def test_a_maximum_that_was_lost_is_at_least_the_mean():
    one = issuer(1, 4, longest=(100_000, 3))
    one["value"]["total_ns"] = 4 * 200_000
    rows = derive(dict(compute(reading([]), reading([one]), FACTS).rows))
    assert rows["max_us"] == rows["avg_us"] == 200


@pytest.mark.parametrize(("known", "expected"), [(True, 5), (False, 9)])
def test_of_two_maxima_those_count_that_were_written(known, expected):
    old, new = np.zeros(1, MAX), np.zeros(1, MAX)
    old["value"], old["epoch"] = [9, 3], [4, 3]
    new["value"], new["epoch"] = [9, 5], [4, 5]
    assert written_maximum(old, new, np.array([known])).tolist() == [expected]
    assert written_maximum(new, new, np.array([True])).tolist() == [0]
    new["epoch"] = [6, 5]  # another that was as long
    assert written_maximum(old, new, np.array([True])).tolist() == [9]


def test_writeback_is_the_share_that_is_nobodys():
    entries = [issuer(0, 0, name=(b"(writeback)", b"sda")), issuer(7, 1)]
    entries[0]["value"]["write_ops"], entries[0]["value"]["write_bytes"] = 3, 3 * 4096
    sample = compute(reading([]), reading(entries), FACTS)
    assert sample.unattributed_ratio == 0.75


def test_dropped_entries_are_lost_and_a_late_row_is_not():
    host = totals(issuers_made=1)
    host["slots"][0, 100] = 6
    # One I/O more in the histogram, nothing dropped: it came between the two.
    assert compute(reading([]), reading([issuer(1, 5)], host), FACTS).losses == {}
    host["issuers_made"][0] = 2
    assert compute(reading([]), reading([issuer(1, 5)], host), FACTS).losses == {"dropped": 1}
    host["issuers_made"][0], host["unplaced"][1] = 0, 1
    assert compute(reading([]), reading([issuer(1, 5)], host), FACTS).losses == {"dropped": 1}
    # Dropped long ago: nothing now.
    assert compute(reading([issuer(1, 0)], host), reading([issuer(1, 5)], host), FACTS).losses == {}
    # One had nothing more to tell.
    host["slots"][0, 100], host["unplaced"] = 5, 0
    host["issuers_made"][0] = 3
    assert compute(reading([]), reading([issuer(1, 5)], host), FACTS).losses == {}


def test_an_entry_that_was_made_after_the_totals_were_read_is_not_one_too_many():
    before, now = totals(), totals(issuers_made=1)
    now["slots"][0, 100] = 6
    assert compute(reading([issuer(1, 0)], before), reading([issuer(1, 5)], now), FACTS).losses == {}


def test_host_counts_are_apart():
    before, now = totals(flushes=1, discards=7), totals(flushes=5, discards=9)
    before["slots"][:, 100], now["slots"][:, 100] = (2, 1), (4, 6)
    sample = compute(reading([], before), reading([], now), FACTS)
    assert sample.host == {"flush_ops": 4, "discard_ops": 2}
    counts = sample.histograms[0].counts
    assert (counts[100], counts.sum(), len(counts)) == (7, 7, 264)


def test_disks_of_a_process_fold_into_one_row():
    entries = [issuer(1, 3), issuer(1, 1, name=(b"x", b"sdb"))]
    entries[1]["key"]["dev"] = 9
    rows = derive(dict(compute(reading([]), reading(entries), FACTS).rows))
    assert len(rows["pid"]) == 2
    folded = fold(PANE, rows, ("pid",))
    assert folded["read_ops"].tolist() == [4]
    assert folded["avg_us"].tolist() == [100]
