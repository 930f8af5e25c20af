"""A moment of a recording, as it is typed: whatever zone, whichever day."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from collections.abc import Iterator

import pytest

from ktop.cli.moment import moment, span

NOON = 1_790_078_400.0
"""2026-09-22 12:00:00 UTC."""
HOUR = 3600.0


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This host's zone is two hours east."""
    monkeypatch.setenv("TZ", "EAST-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("14:00", NOON),
        ("14:00:01", NOON + 1),
        ("14:00:01.5", NOON + 1.5),
        ("2026-09-22T14:00", NOON),
        ("2026-09-22 14:00:01", NOON + 1),
        ("2026-09-22T12:00Z", NOON),
        ("2026-09-22T07:30:00-04:30", NOON),
        ("2026-09-22T13:00+0100", NOON),
        ("9:05", NOON + 19 * HOUR + 300),  # of the next day
        ("2026-09-22T13:59", None),
        ("2026-09-21T14:00", None),
        ("2026-09-23T14:00:01", None),
    ],
)
def test_the_moment_in_a_recording_of_a_day(text, at):
    assert moment(text).within(NOON, NOON + 24 * HOUR) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("14:00", NOON + 20.4),
        ("14:00:20", NOON + 20.4),
        ("14:00:21", NOON + 21),
        ("14:00:25", NOON + 25),
        ("14:00:19", None),
        ("14:00:26", None),
        ("14:01", None),
    ],
)
def test_a_minute_or_second_that_has_begun_before_it_counts(text, at):
    assert moment(text).within(NOON + 20.4, NOON + 25.4) == at


@pytest.mark.parametrize(
    "text",
    ["", "soon", "14", "25:00", "14:60", "14:00:60", "14:00Z", "2026-09-22", "2026-02-30T10:00", "1e4:00"],
)
def test_nonsense(text):
    with pytest.raises(ArgumentTypeError, match="a moment is HH:MM"):
        moment(text)


def test_the_span_has_a_day_once_where_it_is_one():
    assert span(NOON, NOON + HOUR) == "2026-09-22 14:00:00 to 15:00:00"
    assert span(NOON, NOON + 12 * HOUR) == "2026-09-22 14:00:00 to 2026-09-23 02:00:00"


TWICE = 1_792_890_000.0
"""2026-10-25 01:00:00 UTC: in Berlin it is 2:00 for the second time."""


@pytest.mark.parametrize(
    ("text", "first", "at"),
    [
        ("02:30", TWICE, TWICE + HOUR / 2),
        ("02:30", TWICE - HOUR, TWICE - HOUR / 2),
        ("02:30", TWICE - HOUR / 4, TWICE + HOUR / 2),
        ("2026-10-25T02:30", TWICE, TWICE + HOUR / 2),
        ("2026-10-25T02:30+02:00", TWICE, None),
        ("2026-10-25T02:30+01:00", TWICE - HOUR, TWICE + HOUR / 2),
        ("01:30", TWICE, None),
    ],
)
def test_an_hour_that_there_is_twice(monkeypatch, text, first, at):
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    assert moment(text).within(first, first + 3 * HOUR) == at


def test_a_zone_that_is_a_day_or_more_away(monkeypatch):
    """No place has one, but TZ takes it."""
    monkeypatch.setenv("TZ", "ABC+24:30")
    time.tzset()
    assert moment("11:31").within(NOON, NOON + HOUR) == NOON + 60
    assert moment("2026-09-21T11:31").within(NOON, NOON + HOUR) == NOON + 60
    assert span(NOON, NOON + HOUR) == "2026-09-21 11:30:00 to 12:30:00"


def test_an_hour_that_there_is_not_is_no_other(monkeypatch):
    """The clock goes from 2:00 to 3:00: half past two is not half past one."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    first = 1_774_742_400.0  # 2026-03-29 01:00:00
    assert moment("02:30").within(first, first + HOUR - 1) is None
    assert moment("03:30").within(first, first + 2 * HOUR) == first + 1.5 * HOUR
