"""The rows of a pane where they are not simply those of its Frame, and what is said of them.  Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ktop.format import NOT_MEASURED, count
from ktop.frame import Array, Frame, Rows
from ktop.pane import Pane, Unit


def number(row: Mapping[str, Any] | None, column: str) -> int | None:
    """Return a PID or the start of a process; None where there is none, or 0: nobody can be charged."""
    value = row.get(column) if row is not None else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return int(value) or None


def why_empty(frame: Frame | None, total: int, *, waiting: bool) -> str:
    """Return what is said where there are no rows."""
    if frame is None:
        return "waiting for the first sample" if waiting else "no sample of this moment"
    return "no row matches the filter" if total else "nothing in this interval"


def on_demand(pane: Pane, frame: Frame, rows: Rows) -> list[str]:
    """Return what is said of each hook group that runs on demand, as long as it runs.

    That it slows every system call of the host must not be forgotten.  How many
    rows it gave is counted in ``frame`` and in all ``rows`` shown at that moment.
    """
    notes = []
    for column in pane.columns:
        if column.on_demand and column.on_demand in frame.status.hooks:
            came, kept = (int(np.count_nonzero(each.get(column.name, ()))) for each in (frame.rows, rows))
            notes.append(f"{column.on_demand}: {count(came)} in {frame.interval_s:.3g} s, {count(kept)} kept")
    return notes


def joined(tables: Sequence[Rows]) -> Rows:
    """Return the rows of ``tables`` below each other, in the columns that all of them have."""
    common = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: np.concatenate([table[name] for table in tables]) for name in common}


def not_measured(pane: Pane) -> Rows:
    """Return one row of which nothing was measured."""
    rows: dict[str, Array] = {}
    for column in pane.columns:
        if column.hidden or column.unit in {Unit.HISTOGRAM, Unit.BY_CPU, Unit.STACK}:
            continue
        if column.unit is Unit.TEXT:
            rows[column.name] = np.array([NOT_MEASURED.encode()], dtype="S16")
        elif column.unit in {Unit.ARGS, Unit.ADDRESS}:
            rows[column.name] = np.array([None], dtype=object)
        else:
            rows[column.name] = np.array([np.nan])
    return rows
