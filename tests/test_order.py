"""Where a row is."""

from __future__ import annotations

import numpy as np

from ktop.tables.order import find


def test_a_row_is_found_by_what_was_not_measured_too() -> None:
    numbers = {"pid": np.array([3, 3, 4]), "start_ns": np.array([5.0, np.nan, np.nan])}
    objects = {**numbers, "start_ns": np.array([5.0, np.nan, None], dtype=object)}
    for rows in (numbers, objects):
        assert find(rows, {"pid": 3, "start_ns": float("nan")}) == 1
        assert find(rows, {"pid": 3, "start_ns": 5}) == 0
    assert find(numbers, {"pid": 4, "start_ns": float("nan")}) == 2
    assert find(objects, {"pid": 4, "start_ns": float("nan")}) == -1
    assert find({"pid": np.array([3])}, {"pid": float("nan")}) == -1
    assert find(numbers, {"start_ns": None}) == -1
