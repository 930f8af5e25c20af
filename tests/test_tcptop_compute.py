"""The arithmetic of tcptop on Readings made by hand."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop.frame import Facts, Reading
from ktop.pane import fold
from ktop.panes.tcptop import COUNTERS, PANE, compute
from tests.layouts import layout, record, records

CONNECTION, COUNTS, WALK = (layout("tcp", name) for name in ("connection", "counters", "walk"))
FACTS = Facts()


def connection(cookie: int, now=(0, 0, 0), *, pid: int = 1, raddr: str = "10.0.0.1"):
    counts = record(COUNTS, **dict(zip(("tx_bytes", "rx_bytes", "retrans"), now, strict=True)))
    there = ipaddress.ip_address(raddr)
    raw = there.packed if there.version == 6 else b"\0" * 10 + b"\xff\xff" + there.packed
    address = np.frombuffer(raw, "u4")
    return record(CONNECTION, cookie=cookie, pid=pid, comm=b"x", now=counts, laddr=address, raddr=address)


def reading(*connections, closed=(), time_ns: int = 0, walks: tuple[int, ...] | None = None) -> Reading:
    """``walks``: None where the kernel has none."""
    maps = {"connections": records(CONNECTION, connections), "closed": records(CONNECTION, closed)}
    if walks is not None:
        maps["queues"] = records(WALK, [record(WALK, id=walk) for walk in walks])
    return Reading(time_ns, maps)


def sums(previous: Reading, current: Reading) -> tuple[int, int, int]:
    rows = compute(previous, current, FACTS).rows
    return int(rows["tx_bytes"].sum()), int(rows["rx_bytes"].sum()), int(rows["retrans"].sum())


def test_who_only_receives_is_among_the_first():
    rows = PANE.derive({"tx_bytes": np.array([5, 0], "u8"), "rx_bytes": np.array([1, 9], "u8")})
    assert rows["bytes"].tolist() == [6, 9]
    assert PANE.sort == "bytes"


def test_nothing_happened():
    sample = compute(reading(), reading(), FACTS)
    assert {column.name for column in PANE.columns} == {*sample.rows, "bytes"}
    assert all(len(column) == 0 for column in sample.rows.values())
    assert sample.unattributed_ratio is None
    assert sample.host == dict.fromkeys(COUNTERS, 0)


def test_the_same_reading_twice_is_nothing():
    once = reading(connection(1, (10, 20, 3)))
    assert sums(once, once) == (0, 0, 0)
    assert len(compute(once, once, FACTS).rows["pid"]) == 0


@pytest.mark.parametrize("did", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_whoever_did_anything_has_a_row(did):
    assert sums(reading(connection(1)), reading(connection(1, did))) == did


def test_a_connection_goes_on_from_what_it_had():
    before = reading(connection(1, (40, 0, 0)), connection(2, (9, 9, 9)))
    assert sums(before, reading(connection(2, (9, 9, 9)), connection(1, (100, 7, 0)))) == (60, 7, 0)


def test_a_new_connection_counts_whole():
    assert sums(reading(connection(1, (40, 0, 0))), reading(connection(2, (100, 7, 1)))) == (100, 7, 1)


def test_one_that_was_closed_counts_to_its_end():
    before, last = connection(1, (40, 0, 0)), connection(1, (150, 7, 1))
    assert sums(reading(before), reading(closed=[last])) == (110, 7, 1)


def test_one_that_was_closed_while_it_was_read_counts_once():
    before, open_, last = connection(1, (40, 0, 0)), connection(1, (100, 7, 0)), connection(1, (150, 7, 1))
    rows = compute(reading(before), reading(open_, closed=[last]), FACTS).rows
    assert rows["tx_bytes"].tolist() == [110]
    assert sums(reading(before), reading(open_, closed=[last])) == (110, 7, 1)


@given(st.dictionaries(st.integers(1, 3), st.tuples(st.integers(0, 2**40), st.integers(0, 2**40))))
def test_never_negative(counts):
    before = [connection(cookie, (had, 0, 0)) for cookie, (had, _) in counts.items()]
    now = [connection(cookie, (has, 0, 0)) for cookie, (_, has) in counts.items()]
    rows = compute(reading(*before), reading(*now), FACTS).rows
    assert (rows["tx_bytes"] <= 2**40).all()


def test_addresses_say_their_family():
    rows = compute(
        reading(), reading(connection(1, (1, 0, 0)), connection(2, (1, 0, 0), raddr="fe80::1")), FACTS
    ).rows
    assert rows["family"].tolist() == [4, 6]
    assert bytes(rows["raddr"][1]) == ipaddress.ip_address("fe80::1").packed


def test_a_round_trip_that_was_never_measured_is_nan():
    measured, not_yet = connection(1, (1, 0, 0)), connection(2, (1, 0, 0))
    measured["srtt_us"] = 1
    rows = compute(reading(), reading(measured, not_yet), FACTS).rows
    assert rows["srtt_us"][0] == 1
    assert np.isnan(rows["srtt_us"][1])


def test_connections_fold_into_processes():
    first, second = connection(1, (10, 1, 2)), connection(2, (5, 1, 1), raddr="::1")
    first["srtt_us"] = 250
    rows = compute(reading(), reading(first, second, connection(3, (7, 0, 0), pid=9)), FACTS).rows
    folded = fold(PANE, rows, ("pid", "start_ns"))
    assert folded["pid"].tolist() == [1, 9]
    assert folded["tx_bytes"].tolist() == [15, 7]
    assert folded["retrans"].tolist() == [3, 0]
    assert folded["srtt_us"][0] == 250


def test_traffic_without_an_owner_is_the_share_not_attributed():
    sample = compute(reading(), reading(connection(1, (30, 0, 0), pid=0), connection(2, (0, 10, 0))), FACTS)
    assert sample.unattributed_ratio == 0.75


def stalls(previous_s: float, current_s: float, *, received: int = 0) -> list[float]:
    """Return STALLED of what sent again at 3 and 4 s, with the next due by 6; ``received`` since."""
    one = connection(1, (7, 5 + received, 2))
    one["stalled_ns"], one["timeout_ns"], one["due_ns"], one["rx_bytes"] = int(3e9), int(4e9), int(6e9), 5
    before, now = reading(one, time_ns=int(previous_s * 1e9)), reading(one, time_ns=int(current_s * 1e9))
    stalled: list[float] = compute(before, now, FACTS).rows["stalled_s"].tolist()
    return stalled


def test_what_stalls_has_a_row_though_nothing_moves():
    assert stalls(4.5, 5.5) == [2.5]
    assert stalls(5.5, 6.5) == [3.5], "it was due in this interval, and may have stalled until then"


def test_what_was_answered_stalls_no_more():
    assert stalls(4.5, 5.5, received=1) == []
    assert stalls(6.0, 7.0) == []


def test_what_moves_or_never_stalled_is_not_said_to_stall():
    rows = compute(reading(connection(1)), reading(connection(1, (1, 1, 1)), time_ns=9), FACTS).rows
    assert np.isnan(rows["stalled_s"]).all()


def waiting(cookie: int, *, walk: int = 7, rx_s: float = 0, tx_s: float = 0, queues=(0, 0)):
    one = connection(cookie)
    one["walk"], one["rx_still_ns"], one["tx_still_ns"] = walk, int(rx_s * 1e9), int(tx_s * 1e9)
    one["rx_queue"], one["tx_queue"] = queues
    return one


@pytest.mark.parametrize(("began_s", "too_late_s"), [(5, 5.2), (5.9, 5.2), (4.8, 4.9)])
def test_what_waits_for_a_second_and_a_whole_interval_has_a_row(began_s, too_late_s):
    """Every byte waits for a moment."""
    there = [
        waiting(1, tx_s=3, queues=(0, 900)),
        waiting(2, rx_s=4.5, queues=(50, 0)),
        waiting(3, tx_s=too_late_s, queues=(0, 80)),
        waiting(4, rx_s=4, tx_s=2, queues=(10, 20)),
        waiting(5),
    ]
    before, now = reading(time_ns=int(began_s * 1e9)), reading(*there, time_ns=int(6e9), walks=(7,))
    rows = compute(before, now, FACTS).rows
    assert rows["cookie"].tolist() == [1, 2, 4]
    assert rows["stalled_s"].tolist() == [3, 1.5, 4]
    assert rows["rx_queue_bytes"].tolist() == [0, 50, 10]
    assert rows["tx_queue_bytes"].tolist() == [900, 0, 20]


@pytest.mark.parametrize("walks", [None, (), (8,)])
def test_a_queue_that_the_last_walk_did_not_see_is_not_measured(walks):
    """There is none, it failed, or it did not find the connection open."""
    one = waiting(1, tx_s=3, queues=(0, 900))
    one["now"]["tx_bytes"] = 1
    rows = compute(reading(time_ns=int(5e9)), reading(one, time_ns=int(6e9), walks=walks), FACTS).rows
    assert np.isnan(rows["tx_queue_bytes"]).tolist() == [True]
    assert np.isnan(rows["rx_queue_bytes"]).tolist() == [True]
    assert np.isnan(rows["stalled_s"]).tolist() == [True]
