"""What execsnoop makes of the kernel's records, without a kernel."""

from __future__ import annotations

import numpy as np
import pytest

from ktop.frame import Facts, Reading, take
from ktop.panes.execsnoop import EXEC, EXIT, FAILED, PANE, REPLACED, compute, count, exit_code
from ktop.tables.totals import per_cgroup, per_process, totals
from tests.layouts import layout, record, records

EVENT, CALLER = layout("exec", "event"), layout("exec", "caller")
FACTS = Facts(boot_ns=1_000_000_000_000_000_000)


def event(kind, pid, exec_ns, **rest):
    parent = {"ppid": 1, "parent_comm": b"init", "parent_start_ns": 3}
    caller = record(CALLER, uid=1000, comm=b"comm", cgroup=9, **parent)
    return record(EVENT, kind=kind, pid=pid, start_ns=5, exec_ns=exec_ns, caller=caller, **rest)


def sample(*events_and_tails):
    events = records(EVENT, [event for event, _tail in events_and_tails])
    reading = Reading(0, {"events": events}, {"events": [tail for _event, tail in events_and_tails]})
    return compute(reading, reading, FACTS).rows


def test_nothing_happened():
    rows = sample()
    assert {len(column) for column in rows.values()} == {0}
    assert set(rows) == {column.name for column in PANE.columns}


def test_an_end_in_the_same_reading_is_in_the_row():
    rows = sample(
        (event(EXEC, 7, 100), b"a\0b\0"),
        (event(EXEC, 8, 150), b"c\0"),
        (event(EXIT, 7, 100, end_ns=1_000_000_100, code=3 << 8), b""),
    )
    assert rows["argv"].tolist() == [b"a\0b\0", b"c\0"]
    assert rows["exit_code"][0] == 3
    assert rows["duration_s"][0] == pytest.approx(1.0)
    assert np.isnan(rows["exit_code"][1])
    assert np.isnan(rows["duration_s"][1])


def test_an_end_of_an_earlier_exec_is_a_row_of_its_own():
    rows = sample(
        (event(EXIT, 6, 50, end_ns=250), b""),
        (event(EXEC, 8, 150), b"c\0"),
        (event(EXIT, 7, 100, end_ns=300, code=9), b""),
    )
    assert rows["pid"].tolist() == [6, 8, 7]
    assert rows["argv"].tolist() == [None, b"c\0", None]
    np.testing.assert_array_equal(rows["exit_code"], [0, np.nan, -9])
    np.testing.assert_array_equal((rows["duration_s"] * 1e9).round(), [200, np.nan, 200])
    assert rows["ts"][2] == pytest.approx(1e9 + 1e-7)


def test_the_parent_is_that_of_the_exec_at_its_end_too():
    rows = sample((event(EXEC, 8, 150), b"c\0"), (event(EXIT, 7, 100, end_ns=300), b""))
    assert rows["ppid"].tolist() == [1, 1]
    assert rows["parent_comm"].tolist() == [b"init", b"init"]
    assert rows["parent_start_ns"].tolist() == [3, 3]


def test_a_pid_used_twice_ends_twice():
    """Two processes and two execs of one process have the same PID; the time of exec tells them apart."""
    rows = sample(
        (event(EXEC, 7, 100), b"first\0"),
        (event(REPLACED, 7, 100, end_ns=200), b""),
        (event(EXEC, 7, 200), b"second\0"),
        (event(EXIT, 7, 200, end_ns=500, code=1 << 8), b""),
        (event(EXEC, 7, 900), b"third\0"),
    )
    assert rows["argv"].tolist() == [b"first\0", b"second\0", b"third\0"]
    assert (rows["duration_s"][:2] * 1e9).round().tolist() == [100, 300]
    assert np.isnan(rows["exit_code"]).tolist() == [True, False, True]
    assert np.isnan(rows["duration_s"][2])


def test_failed_and_unread():
    rows = sample(
        (event(FAILED, 7, 100, code=-2), b"/x\0"),
        (event(FAILED, 7, 101, code=-9999, unread=1), b""),
        (event(EXEC, 7, 102, unread=1), b""),
        (event(EXEC, 7, 103), b""),
    )
    assert rows["error"].tolist() == [b"ENOENT", b"9999", None, None]
    assert rows["argv"].tolist() == [b"/x\0", None, None, b""]
    assert np.isnan(rows["exit_code"]).all()


def execs(**columns):
    """Return execs of one second each that ended at 10 s, in the columns that totals are made of."""
    number = len(next(iter(columns.values())))
    usual = {
        "ts": np.full(number, 10.0),
        "ppid": np.full(number, 1),
        "parent_comm": np.full(number, b"init"),
        "parent_start_ns": np.full(number, 3, dtype=np.uint64),
        "comm": np.full(number, b"true"),
        "cgroup": np.full(number, b"/"),
        "argv": np.full(number, None),
        "error": np.full(number, None),
        "duration_s": np.ones(number),
    }
    return {**usual, **columns}


def added_up(rows, shown, since=0.0, until=20.0):
    return totals(PANE, shown, {**rows, **count(rows, since, until)})


def test_totals_are_by_parent_and_not_by_its_pid():
    rows = execs(
        ppid=np.array([1, 1, 7, 7]),
        parent_start_ns=np.array([3, 3, 5, 6], dtype=np.uint64),
        parent_comm=np.array([b"init", b"systemd", b"sh", b"sh"]),
    )
    found = added_up(rows, per_process(PANE))
    assert found["execs"].tolist() == [2, 1, 1]
    assert found["parent_comm"].tolist() == [b"systemd", b"sh", b"sh"], "what it was called last"


def test_how_many_a_second_is_of_the_recent_ones():
    rows = execs(ts=np.array([1.0, 8.0, 8.5, 9.9]))
    assert added_up(rows, per_process(PANE), 8.0, 10.0)["execs_per_s"].tolist() == [1.0]
    assert added_up(rows, per_process(PANE), 9.95, 10.0)["execs_per_s"].tolist() == [0.0]
    # The clock was set back.
    assert added_up(rows, per_process(PANE), 4.0, 8.0)["execs_per_s"].tolist() == [0.25]


def test_how_long_is_of_those_that_have_ended():
    rows = execs(ppid=np.array([1, 1, 1, 2]), duration_s=np.array([1.0, np.nan, 2.0, np.nan]))
    found = added_up(rows, per_process(PANE))
    assert found["execs"].tolist() == [3, 1]
    assert found["avg_s"].tolist() == [1.5, pytest.approx(np.nan, nan_ok=True)]
    assert found["total_s"].tolist() == [3.0, pytest.approx(np.nan, nan_ok=True)]


def test_what_failed_counts_by_itself():
    rows = execs(
        ppid=np.array([1, 1, 1, 2]),
        error=np.array([b"ENOENT", b"ENOENT", None, b"EACCES"], dtype=object),
        comm=np.array([b"sh", b"sh", b"ls", b"env"]),
        duration_s=np.array([np.nan, np.nan, 1.0, np.nan]),
    )
    found = added_up(rows, per_process(PANE))
    assert found["execs"].tolist() == [1, 0]
    assert found["failed"].tolist() == [2, 1]
    assert found["mostly"].tolist() == [b"ls", None]
    assert "failed" not in added_up(take(rows, slice(2, 3)), per_process(PANE))


def test_totals_per_cgroup_are_of_all_parents():
    rows = execs(
        ppid=np.array([1, 2, 3]),
        cgroup=np.array([b"a", b"b", b"b"]),
        parent_comm=np.array([b"x", b"y", b"y"]),
        comm=np.array([b"ls", b"cp", b"mv"]),
        argv=np.array([b"ls\0", b"cp\0", b"mv\0x\0"], dtype=object),
    )
    found = added_up(rows, per_cgroup(PANE))
    assert found["cgroup"].tolist() == [b"a", b"b"]
    assert found["execs"].tolist() == [1, 2]
    assert found["mostly_by"].tolist() == [b"x", b"y"]
    assert found["mostly"].tolist() == [b"ls", b"cp"], "of equals the first from A"
    assert found["latest"].tolist() == [b"ls\0", b"mv\0x\0"]


@pytest.mark.parametrize(
    ("status", "code"), [(0, 0), (0xFF00, 255), (1, -1), (9, -9), (6 | 0x80, -6), (0x0300, 3)]
)
def test_wait_status(status, code):
    assert exit_code(np.array([status]))[0] == code
