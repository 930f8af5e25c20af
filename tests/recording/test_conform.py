"""Recorded rows in the columns that a pane has now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ktop.recording.conform import MismatchError, conform
from tests.recording.waits import COLUMNS, PANE, frame


def test_an_older_recording_lacks_columns() -> None:
    old = frame(1.0)
    rows = {name: column for name, column in old.rows.items() if name not in {"comm", "half"}}
    new = conform(PANE, replace(old, rows=rows | {"gone": np.zeros(3)}))
    assert set(new.rows) == {column.name for column in COLUMNS}
    assert new.rows["comm"].tolist() == [None] * 3
    assert new.rows["half"].tolist() == [5.0] * 3


def test_no_rows_have_columns_all_the_same() -> None:
    empty = conform(PANE, replace(frame(1.0), rows={}))
    assert {name: len(column) for name, column in empty.rows.items()} == dict.fromkeys(
        (column.name for column in COLUMNS), 0
    )
    assert empty.rows["slots"].shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("pid", np.zeros((3, 2))),
        ("comm", np.zeros(3)),
        ("comm", np.array([1, 2, 3], dtype=object)),
        ("comm", np.full(3, b"A" * 99_999)),
        ("slots", np.zeros(3)),
        ("slots", np.zeros((3, 5))),
        ("waits", np.array(["a", "b", "c"], dtype=object)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, values: Any) -> None:
    with pytest.raises(MismatchError):
        conform(PANE, replace(frame(1.0), rows=dict(frame(1.0).rows) | {name: values}))
