"""Where the columns of a table are, from one tick to the next, without a screen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ktop.pane import Column, Unit
from ktop.ui.table.column_layout import ColumnLayout
from tests.ui.table_driven import PANE, make


def names(layout):
    return [slot.column.name for slot in layout.slots]


def test_a_column_takes_no_room_away_again_until_the_width_changes():
    layout = ColumnLayout(PANE)
    layout.arrange(make([1.0], comms=[b"a-long-name-of-15"]), "p99_us", 80, 79)
    wide = layout.width
    short = make([1.0], comms=[b"sh"])
    layout.arrange(short, "p99_us", 80, 79)
    assert layout.width == wide
    layout.arrange(short, "p99_us", 81, 80)
    assert layout.width < wide


def test_what_told_of_a_failure_stays_until_the_width_changes():
    alarm = Column("failed", "FAILED", Unit.COUNT, "How often it failed.", from_width=200, alarm=True)
    pane = replace(PANE, columns=(*PANE.columns, alarm))
    layout = ColumnLayout(pane)
    quiet = {**make([1.0, 2.0]), "failed": np.array([0, 0])}
    layout.arrange(quiet, "p99_us", 80, 79)
    assert "failed" not in names(layout)
    layout.arrange({**quiet, "failed": np.array([0, 3])}, "p99_us", 80, 79)
    assert "failed" in names(layout)
    layout.arrange(quiet, "p99_us", 80, 79)
    assert "failed" in names(layout)
    layout.arrange(quiet, "p99_us", 81, 80)
    assert "failed" not in names(layout)


def test_what_told_more_than_is_ordinary_stays_at_any_width_with_room():
    """Whose a process is: the table must not jump whenever none but the root's has a row."""
    whose = Column("cgroup", "CGROUP", Unit.TEXT, "Whose it is.", from_width=100, ordinary=b"/")
    pane = replace(PANE, columns=(*PANE.columns, whose))
    layout = ColumnLayout(pane)
    roots = {**make([1.0, 2.0]), "cgroup": np.array([b"/", b"/"])}
    layout.arrange(roots, "p99_us", 120, 119)
    assert "cgroup" not in names(layout)
    layout.arrange({**roots, "cgroup": np.array([b"/", b"a.service"])}, "p99_us", 120, 119)
    layout.arrange(roots, "p99_us", 121, 120)
    assert "cgroup" in names(layout)
    layout.arrange(roots, "p99_us", 80, 79)
    assert "cgroup" not in names(layout)


def test_the_column_sorted_by_stays_however_narrow():
    layout = ColumnLayout(PANE)
    layout.arrange(make([1.0]), "share", 20, 19)
    assert "share" in names(layout)
    assert layout.at(layout.width) is None
    assert layout.at(layout.width - 1) is layout.slots[-1].column


def test_before_there_are_rows_columns_have_places_too():
    layout = ColumnLayout(PANE)
    assert (layout.width, layout.at(0)) == (0, None)
    layout.arrange({}, "p99_us", 80, 79)
    assert "p99_us" in names(layout)
