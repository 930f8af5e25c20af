"""`ktop run --by`: the rows of an interval added up, without a screen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ktop import registry
from ktop.cli import arguments
from ktop.cli.ending import Failure
from ktop.cli.run import as_json, as_text
from ktop.frame import Frame, take
from ktop.pane import Fold, Pane, Shape
from ktop.tables.totals import BY
from tests.rows import rows_of

CGROUPS = np.array([b"/", b"nginx.service", b"0123456789ab"])
PANES = registry.panes()


def frame_of(pane: Pane) -> Frame:
    """Return 40 rows of ``pane``, two of each process where it can have as many, in three cgroups."""
    rows = rows_of(pane, 40)
    if len(pane.key) > 2:
        rows = take(rows, np.repeat(np.arange(20), 2))
    if "cgroup" in rows:
        rows["cgroup"] = CGROUPS[np.asarray(rows["pid"]) % 3]
    return Frame(pane.name, 1.0, 1.0, rows)


def rows_in(chunk: bytes) -> list[dict[str, Any]]:
    found = map(json.loads, chunk.splitlines())
    return [each for each in found if each["kind"] in {"row", "event"}]


def test_what_the_command_line_takes_is_what_there_is() -> None:
    for by in BY:
        assert arguments.parse(["run", "biotop", "--by", by]).by == by
    with pytest.raises(Failure):
        arguments.parse(["run", "biotop", "--by", "disk"])


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.name)
def test_nothing_is_counted_twice_or_left_out(pane: Pane, by: str) -> None:
    frame = frame_of(pane)
    single, (chunk, counted) = rows_in(as_json(None)(pane, frame, 0)[0]), as_json(None, by)(pane, frame, 0)
    added = rows_in(chunk)
    assert counted == len(added)
    shown = BY[by](pane)
    if shown is None:
        assert added == single
        return
    keys = [tuple(np.atleast_1d(frame.rows[name][row]).tobytes() for name in shown.key) for row in range(40)]
    assert len(added) == len(set(keys)) <= len(single)
    figures = [
        column.name
        for column in shown.columns
        if column.fold is Fold.SUM and column.name not in shown.key and column.in_json
    ]
    summed = [name for name in figures if all(isinstance(each.get(name), int) for each in single)]
    assert summed
    for name in summed:
        assert sum(each[name] for each in added) == sum(each[name] for each in single)


def test_which_have_them() -> None:
    tables = {pane.name for pane in PANES if pane.shape is Shape.TABLE and pane.has_processes}
    assert tables
    for by in BY:
        assert {pane.name for pane in PANES if BY[by](pane) is not None} == tables


@pytest.mark.parametrize("by", BY)
def test_an_interval_without_rows(by: str) -> None:
    for pane in PANES:
        assert rows_in(as_json(None, by)(pane, Frame(pane.name, 1.0, 1.0, {}), 0)[0]) == []


def test_text_has_the_columns_of_the_totals() -> None:
    pane = registry.get("tcptop")
    text, rows = as_text(None, "utf-8", lambda: (0, 0), "cgroup")(pane, frame_of(pane), 0)
    title, header, *lines, _, end = text.decode().split("\n")
    assert title.split()[1] == "tcptop"
    assert header.split()[:2] == ["CGROUP", "PROCESSES"]
    assert "RPORT" not in header
    assert end == ""
    assert len(lines) == rows
    assert {line.split()[0] for line in lines} <= {name.decode() for name in CGROUPS}


def test_of_one_process_its_cgroup() -> None:
    pane = registry.get("biotop")
    frame = frame_of(pane)
    pid = int(frame.rows["pid"][0])
    (row,) = rows_in(as_json(pid, "cgroup")(pane, frame, 0)[0])
    assert row["cgroup"] == CGROUPS[pid % 3].decode()
    mine = frame.rows["pid"] == pid
    assert row["read_ops"] == frame.rows["read_ops"][mine].sum()
