"""JSON lines and plain tables of every pane: valid, complete, harmless."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop import registry
from ktop.export.json_lines import columns, lines
from ktop.export.text_table import table
from ktop.export.values import column_texts, number
from ktop.frame import Array, Facts, Frame, Histogram, Reading, Sample, Status
from ktop.pane import Column, Fold, Pane, Shape, Unit
from ktop.text import cells
from tests.rows import frame_of

PANES = registry.panes()
every_pane = pytest.mark.parametrize("pane", PANES, ids=[pane.name for pane in PANES])


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def parsed(pane: Pane, frame: Frame, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=refuse) for line in lines(pane, frame, **options)]


def compute(previous: Reading, current: Reading, facts: Facts) -> Sample:
    raise AssertionError


def pane_of(*columns: Column, **options: Any) -> Pane:
    return Pane("x", "?", "x", columns, (columns[0].name,), columns[0].name, compute, **options)


def texts(unit: Unit, values: Array) -> list[Any]:
    return [json.loads(text) for text in column_texts(Column("a", "A", unit, "A."), values)]


def test_what_came_later_stands_behind_the_order_that_others_rely_on() -> None:
    later = replace(Column("b", "B", Unit.COUNT, "B."), behind=True)
    pane = pane_of(Column("a", "A", Unit.COUNT, "A."), later, Column("c", "C", Unit.COUNT, "C."))
    assert [column.name for column in columns(pane)] == ["a", "c", "b"]
    frame = Frame("x", 1.0, 1.0, {name: np.array([1]) for name in "abc"})
    assert table(pane, frame)[1].split() == ["A", "C", "B"]


@every_pane
def test_every_line_is_one_object_with_the_promised_fields(pane: Pane) -> None:
    frame = frame_of(pane, 30)
    found = parsed(pane, frame)
    kind = "event" if pane.shape is Shape.EVENTS else "row"
    rows = [each for each in found if each["kind"] == kind]
    assert len(rows) == 30
    names = ["ts", "pane", "kind", "interval_s"]
    assert all(list(each) == names + [column.name for column in columns(pane)] for each in rows)
    assert [each["cpu"] for each in found if each["kind"] == "histogram"] == [None, 0, 1]
    status = found[-1]
    assert status["kind"] == "status"
    assert list(status) == [*names, "hooks", "unavailable", "lost", "lost_by", "unattributed_ratio"]
    assert status["hooks"] == {"switch": "tp_btf/sched_switch"}
    assert (status["unavailable"], status["lost"], status["unattributed_ratio"]) == (None, 3, 0.25)
    assert status["lost_by"] == {"ring_full": 3}
    assert {each["pane"] for each in found} == {pane.name}
    assert all("\n" not in line and line.isascii() for line in lines(pane, frame))


@every_pane
def test_units_are_kept_as_types(pane: Pane) -> None:
    types: dict[Unit, Any] = {
        Unit.TEXT: str,
        Unit.ADDRESS: str,
        Unit.ARGS: list,
        Unit.STACK: list,
        Unit.COUNT: int,
        Unit.BYTES: int,
        Unit.NUMBER: int,
        Unit.BY_CPU: list,
        Unit.FLAG: bool,
    }
    for each in parsed(pane, frame_of(pane, 30)):
        if each["kind"] in {"row", "event"}:
            for column in columns(pane):
                value = each[column.name]
                assert value is None or isinstance(value, types.get(column.unit, float)), column.name


@every_pane
def test_no_rows_no_figures_still_a_status(pane: Pane) -> None:
    empty = {column.name: np.zeros(0) for column in pane.columns}
    frame = Frame(pane.name, 1.5, math.nan, empty, status=Status(unavailable="no \x1b[31m PMU"))
    (status,) = parsed(pane, frame)
    assert status["unavailable"] == "no \\x1b[31m PMU"
    assert status["interval_s"] is None


def test_the_histogram() -> None:
    pane = pane_of(Column("pid", "PID", Unit.NUMBER, "Who."))
    histogram = Histogram(np.array([0.0, 0.5, np.inf]), np.array([7, 0], dtype=np.uint64), 3)
    found = parsed(pane, Frame("x", 1.25, 1.0, {}, histograms=(histogram,)))[0]
    assert found == {
        "ts": 1.25,
        "pane": "x",
        "kind": "histogram",
        "interval_s": 1.0,
        "cpu": 3,
        "bounds_us": [0.0, 0.5, None],
        "counts": [7, 0],
    }


def test_the_host_is_a_row_without_pid() -> None:
    pane = pane_of(
        Column("pid", "PID", Unit.NUMBER, "Who."),
        Column("comm", "COMMAND", Unit.TEXT, "Name.", Fold.LAST),
        Column("hits", "HITS", Unit.COUNT, "Hits."),
        Column("hit_ratio", "RATIO", Unit.RATIO, "Share.", Fold.DERIVED),
        host_row=True,
    )
    frame = Frame("x", 1.0, 1.0, {}, {"hits": 12.0, "hit_ratio": 0.5})
    row, status = parsed(pane, frame)
    assert {name: row[name] for name in ("pid", "comm", "hits", "hit_ratio")} == {
        "pid": None,
        "comm": None,
        "hits": 12,
        "hit_ratio": 0.5,
    }
    assert type(row["hits"]) is int
    assert status["kind"] == "status"


def test_an_event_has_its_own_time() -> None:
    pane = pane_of(
        Column("time", "TIME", Unit.TIME, "When.", Fold.LAST),
        Column("pid", "PID", Unit.NUMBER, "Who.", Fold.LAST),
        shape=Shape.EVENTS,
    )
    rows = {"time": np.array([1700000000.123456789]), "pid": np.array([7])}
    event = parsed(pane, Frame("x", 1700000001.0, 1.0, rows))[0]
    assert event["ts"] == 1700000000.123456789
    assert "time" not in event


def test_what_was_not_measured_is_null() -> None:
    assert texts(Unit.COUNT, np.array([1.0, np.nan, np.inf])) == [1, None, None]
    assert texts(Unit.US, np.array([1.5, np.nan, -np.inf])) == [1.5, None, None]
    assert texts(Unit.TEXT, np.array([b"a", None], dtype=object)) == ["a", None]
    assert texts(Unit.ARGS, np.array([b"a\0b c\0", b"", None], dtype=object)) == [["a", "b c"], [], None]
    assert texts(Unit.STACK, np.array([["a"], None], dtype=object)) == [["a"], None]
    assert texts(Unit.FLAG, np.array([1.0, 0.0, np.nan])) == [True, False, None]


def test_values_keep_what_matters() -> None:
    assert texts(Unit.NUMBER, np.array([2**64 - 1], dtype=np.uint64)) == [2**64 - 1]
    assert texts(Unit.US, np.array([0.0001, 1.23456])) == [0.0, 1.235]
    assert texts(Unit.BY_CPU, np.array([[1, 2], [3, 4]], dtype=np.uint64)) == [[1, 2], [3, 4]]
    addresses = np.frombuffer(
        bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1]) + bytes(15) + b"\x01", dtype="V16"
    )
    assert texts(Unit.ADDRESS, addresses) == ["10.0.0.1", "::1"]
    assert texts(Unit.ARGS, np.array([b"sh\0\0-c\0"], dtype=object)) == [["sh", "", "-c"]]


@given(st.floats(), st.integers(0, 9))
def test_any_number_is_json(value: float, digits: int) -> None:
    back = json.loads(number(value, digits), parse_constant=refuse)
    assert back is None if not math.isfinite(value) else back == pytest.approx(value, rel=1e-9, abs=1.0)


@given(st.lists(st.binary(max_size=20)))
def test_any_text_is_json_and_harmless(raws: list[bytes]) -> None:
    for text in texts(Unit.TEXT, np.fromiter(raws, dtype=object, count=len(raws))):
        assert text.isprintable()


def test_what_a_slow_reader_lost_is_in_the_status() -> None:
    pane = pane_of(Column("pid", "PID", Unit.NUMBER, "Who."))
    frame = Frame("x", 1.0, 1.0, {}, status=Status(losses={"map_full": 2}))
    status = parsed(pane, frame, also_lost=40)[-1]
    assert (status["lost"], status["lost_by"]) == (42, {"map_full": 2, "slow_reader": 40})


@every_pane
def test_tables_are_aligned_and_harmless(pane: Pane) -> None:
    drawn = table(pane, frame_of(pane, 30))
    assert all(line.isprintable() for line in drawn)
    assert len(drawn) == 32
    assert drawn[0].split()[1:4] == [pane.name, "1.00", "s"]
    assert table(pane, frame_of(pane, 15), height=24)[1:] == table(pane, frame_of(pane, 15))[1:]
    shown = [column for column in pane.columns if column.in_text]
    assert all(column.title in drawn[1] for column in shown)


@every_pane
@pytest.mark.parametrize("width", [80, 120, 200])
def test_tables_fit_the_terminal(pane: Pane, width: int) -> None:
    drawn = table(pane, frame_of(pane, 300), width=width, height=24)
    assert all(cells(line) <= width for line in drawn)
    assert len(drawn) <= 24
    assert drawn[-1] == f"  and {300 - 20} more"


def test_the_table_is_sorted_and_says_what_is_missing() -> None:
    pane = pane_of(Column("waits", "WAITS", Unit.COUNT, "How often."))
    rows = {"waits": np.array([1.0, np.nan, 3.0, 2.0])}
    assert [line.strip() for line in table(pane, Frame("x", 1.0, 1.0, rows))[2:]] == ["3", "2", "1", "–"]


def test_a_table_of_nothing() -> None:
    pane = registry.get("runqlat")
    frame = frame_of(pane, 3)
    assert len(table(pane, replace(frame, rows={}))) == 1
    refused = replace(frame, status=Status(unavailable="no \n PMU"))
    assert table(pane, refused)[1] == "  unavailable: no \\n PMU"


def test_text_never_rounds_what_was_not_attributed_to_nothing():
    pane = registry.get("runqlat")
    frame = replace(frame_of(pane, 3), status=Status(unattributed_ratio=0.0002))
    assert "0.02% not attributed" in table(pane, frame)[0]


def test_text_tells_how_long_it_took_on_the_whole_host():
    pane = registry.get("runqlat")
    counts = np.array([0, 100, 0, 0])
    bounds = np.array([0.0, 1.0, 2.0, 4.0, np.inf])
    frame = frame_of(pane, 3)
    frame = replace(
        frame,
        rows={**frame.rows, "max_us": np.array([1.2, 1.75, 0.3])},
        histograms=(Histogram(bounds, counts), Histogram(bounds, counts[::-1], 0)),
    )
    assert table(pane, frame)[0].endswith("p50 1.50µs  p95 1.75µs  p99 1.75µs")
    assert "p50" not in table(pane, replace(frame, histograms=()))[0]
    assert "p50" not in table(registry.get("hardirqs"), replace(frame, pane="hardirqs", rows={}))[0]
