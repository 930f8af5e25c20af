"""The event log keeps the newest, counts the rest, and completes what ends."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop.frame import Array, Facts, Reading, Sample
from ktop.history.events import EventLog
from ktop.pane import Column, Fold, Pane, Shape, Unit


def compute(previous: Reading, current: Reading, facts: Facts) -> Sample:
    raise AssertionError


PANE = Pane(
    name="execs",
    question="?",
    family="exec",
    columns=(
        Column("time", "TIME", Unit.TIME, "When.", Fold.LAST),
        Column("pid", "PID", Unit.NUMBER, "Who."),
        Column("argv", "ARGV", Unit.ARGS, "What.", Fold.LAST),
        Column("exit_code", "CODE", Unit.NUMBER, "How it ended.", Fold.LAST),
    ),
    key=("pid", "time"),
    sort="time",
    compute=compute,
    shape=Shape.EVENTS,
)


def rows(*events: tuple[float, int, bytes | list[bytes] | None, float]) -> dict[str, Array]:
    columns = list(zip(*events, strict=True)) or [(), (), (), ()]
    return {
        "time": np.array(columns[0], dtype=np.float64),
        "pid": np.array(columns[1], dtype=np.int32),
        "argv": np.fromiter(columns[2], dtype=object, count=len(columns[2])),
        "exit_code": np.array(columns[3], dtype=np.float64),
    }


nan = float("nan")


def test_an_end_completes_the_event_and_adds_none() -> None:
    log = EventLog(PANE)
    log.add(rows((1.0, 7, b"ls", nan), (1.5, 8, b"cp", nan)), 2.0)
    log.add(rows((1.0, 7, None, 3.0)), 5.0)
    assert log.rows()["exit_code"].tolist() == [3.0, pytest.approx(nan, nan_ok=True)]
    assert log.rows()["argv"].tolist() == [b"ls", b"cp"]
    assert len(log) == 2


def test_begin_and_end_in_one_interval() -> None:
    log = EventLog(PANE)
    log.add(rows((1.0, 7, b"ls", nan), (1.0, 7, None, 0.0)), 2.0)
    assert log.rows()["exit_code"].tolist() == [0.0]


def test_as_of_a_time_the_future_is_not_known() -> None:
    log = EventLog(PANE)
    log.add(rows((1.0, 7, b"ls", nan), (3.0, 8, b"cp", nan)), 4.0)
    log.add(rows((1.0, 7, None, 3.0)), 5.0)
    early = log.rows(at=2.0)
    assert early["pid"].tolist() == [7]
    assert np.isnan(early["exit_code"]).all()
    assert log.rows(at=5.0)["exit_code"][0] == 3.0
    assert log.rows()["exit_code"][0] == 3.0


def test_what_leads_to_a_moment_that_is_held_already_is_seen_at_it() -> None:
    """A recording that begins paused: the view holds the moment before the first event has come."""
    log = EventLog(PANE)
    log.hold(2.0)
    for ts, pid in ((1.0, 7), (2.0, 8), (3.0, 9)):
        log.hold(2.0)
        log.add(rows((ts, pid, b"ls", nan)), ts)
    assert log.rows(at=2.0)["pid"].tolist() == [7, 8]


def test_what_is_held_stays_whatever_comes() -> None:
    log = EventLog(PANE, kept=3)
    log.add(rows((1.0, 7, b"ls", nan), (2.0, 8, b"cp", 0.0)), 2.0)
    log.hold(2.0)
    log.add(rows((1.0, 7, None, 3.0), *((3.0 + i, 20 + i, b"x", nan) for i in range(9))), 12.0)
    for at in (2.0, 1.5, 2.0):
        log.hold(at)
    assert log.rows(at=2.0)["pid"].tolist() == [7, 8]
    assert log.rows(at=2.0)["exit_code"].tolist() == [pytest.approx(nan, nan_ok=True), 0.0]
    assert log.rows(at=1.5)["pid"].tolist() == [7]
    assert log.dropped_before(2.0) == 0
    assert log.rows()["pid"].tolist() == [26, 27, 28]
    assert log.dropped_before() == 8
    log.hold(12.0)
    assert log.rows(at=12.0)["pid"].tolist() == [26, 27, 28]
    assert log.dropped_before(12.0) == 8
    log.hold(None)
    assert log.rows(at=2.0)["pid"].tolist() == []


def test_what_an_end_does_not_tell_either_is_no_less_known_of_others() -> None:
    log = EventLog(PANE)
    log.add(rows((1.0, 7, None, nan), (1.5, 8, b"cp", nan)), 2.0)
    log.add(rows((1.0, 7, None, 3.0)), 5.0)
    assert log.completes == {"exit_code"}
    assert log.rows(at=2.0)["argv"].tolist() == [None, b"cp"]


def test_what_came_complete_was_always_known() -> None:
    """An event whose end was in its first row keeps it at any moment looked back at."""
    log = EventLog(PANE)
    log.add(rows((1.0, 7, b"ls", 3.0), (1.5, 8, b"cp", nan)), 2.0)
    log.add(rows((1.5, 8, None, 4.0)), 5.0)
    assert log.rows(at=2.0)["exit_code"].tolist() == [3.0, pytest.approx(nan, nan_ok=True)]


class Arguments(list[bytes]):
    """Arguments that can be looked after."""


def test_what_is_forgotten_is_freed_and_completed_no_more() -> None:
    log = EventLog(PANE, kept=3)
    old = Arguments([b"ls"])
    alive = weakref.ref(old)
    log.add(rows((1.0, 7, old, nan)), 1.0)
    del old
    assert alive() is not None
    log.add(rows(*((2.0 + i, 20 + i, b"x", nan) for i in range(3))), 5.0)
    log.rows()
    assert alive() is None
    log.add(rows((1.0, 7, b"again", 0.0)), 6.0)
    assert log.completes == set()


def test_rows_given_out_do_not_change_later() -> None:
    log = EventLog(PANE)
    log.add(rows((1.0, 7, b"ls", nan)), 2.0)
    before = log.rows()
    log.add(rows((1.0, 7, None, 3.0)), 5.0)
    assert np.isnan(before["exit_code"]).all()


def test_wider_text_is_not_cut() -> None:
    log = EventLog(PANE)
    first = rows((1.0, 7, b"ls", nan))
    second = rows((2.0, 8, b"ls", nan))
    log.add(first | {"argv": np.array([b"ab"])}, 1.0)
    log.add(second | {"argv": np.array([b"abcdef"])}, 2.0)
    assert log.rows()["argv"].tolist() == [b"ab", b"abcdef"]


def test_nothing_yet() -> None:
    log = EventLog(PANE)
    log.add(rows(), 1.0)
    assert len(log) == 0
    assert log.rows() == {}
    assert log.rows(at=3.0) == {}


@given(st.lists(st.integers(0, 25), max_size=20))
def test_the_newest_are_kept_and_the_rest_counted(batches: list[int]) -> None:
    log = EventLog(PANE, kept=10)
    number = 0
    for size in batches:
        log.add(rows(*((float(i), i, b"%d" % i, nan) for i in range(number, number + size))), float(number))
        number += size
    assert len(log) == min(number, 10)
    assert log.dropped == max(number - 10, 0)
    if number:
        kept = list(range(max(number - 10, 0), number))
        assert log.rows()["pid"].tolist() == kept
        assert log.rows()["argv"].tolist() == [b"%d" % i for i in kept]
        log.add(rows(*((float(i), i, None, 1.0) for i in kept)), float(number))
        assert log.rows()["exit_code"].tolist() == [1.0] * len(kept)


def test_an_end_of_the_last_event_finds_it_where_others_were_dropped() -> None:
    log = EventLog(PANE, kept=2)
    log.add(rows(*((float(i), i, b"x", nan) for i in range(9))), 1.0)
    log.add(rows((8.0, 8, None, 1.0)), 2.0)
    assert log.rows()["pid"].tolist() == [7, 8]


def test_the_end_of_a_dropped_event_is_no_event() -> None:
    """A daemon ends whose start has long gone: it must not stand as the newest, nor push out a real one."""
    log = EventLog(PANE, kept=3)
    for number in range(1, 11):
        log.add(rows((float(number), number, b"x", nan)), float(number))
    log.add(rows((1.0, 1, None, 0.0), (11.0, 11, None, nan)), 11.0)
    assert log.rows()["pid"].tolist() == [9, 10, 11]
    assert log.dropped == 8


def test_the_end_of_an_event_that_was_never_seen_is_one_as_long_as_none_was_dropped() -> None:
    log = EventLog(PANE)
    log.add(rows((5.0, 7, b"x", nan)), 5.0)
    log.add(rows((1.0, 6, None, 0.0)), 6.0)
    assert log.rows()["pid"].tolist() == [7, 6]


def test_a_clock_set_back_drops_no_event() -> None:
    log = EventLog(PANE, kept=2)
    log.add(rows(*((float(i), i, b"x", nan) for i in range(10, 20))), 20.0)
    log.add(rows((5.0, 20, b"x", nan)), 5.0)
    assert log.rows()["pid"].tolist() == [19, 20]


def test_an_end_can_be_told_with_what_it_ends() -> None:
    log = EventLog(PANE)
    log.add(rows((1.0, 7, b"sleep\x001", np.nan)), 1.5)
    end = rows((1.0, 7, None, 3.0), (2.0, 8, None, 0.0))
    log.add(end, 2.5)
    told = log.filled(end)
    assert told["argv"].tolist() == [b"sleep\x001", None]
    assert told["exit_code"].tolist() == [3.0, 0.0]
    assert end["argv"].tolist() == [None, None]
