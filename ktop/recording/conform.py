"""Recorded Frames as this version's panes want them: every column there, of the right kind."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ktop.frame import Array, Frame
from ktop.pane import Column, Pane, Unit
from ktop.recording.file import LAST_TS
from ktop.tables.derived import restore

_LEAST_BOUND, _MOST_BOUND = 1e-6, 1e18
"""Of a histogram's ranges that have an end: a picosecond, and 30,000 years."""
_MOST_COUNTED = 1 << 63
_MOST = 1e18
"""Of any other figure, either way: what is drawn of two that are larger may be too large for a float.

Integers of 64 bits are not, whatever they are.
"""
_DEEPEST = 1024
"""Frames of a stack: the kernel gives 127 each of both kinds."""
_MOST_TEXT = 512
"""Bytes of a cell of fixed width: the widest is the names of an interrupt's handlers.

One row of 99,999 costs a file nothing, and memory as much for each row that it is later put beside.
"""


class MismatchError(ValueError):
    """A recorded column is of a kind that the pane cannot show."""


def possible(frame: Frame) -> Frame:
    """Return ``frame``; MismatchError where no kernel and no clock gives what it says beside its rows."""
    if not 0 <= frame.ts < LAST_TS or not (math.isnan(frame.interval_s) or 0 < frame.interval_s < LAST_TS):
        raise MismatchError("a frame is of no time")
    if any(abs(figure) > _MOST for figure in frame.host.values()):
        raise MismatchError("a figure of the host is larger than any can be")
    for histogram in frame.histograms:
        if not (_are_bounds(histogram.bounds) and _are_counts(histogram.counts)):
            raise MismatchError("a histogram is of nothing that can be counted")
    return frame


def _are_bounds(bounds: Array) -> bool:
    """Return whether ``bounds``, which rise, can be an axis."""
    return len(bounds) > 2 and bounds[0] >= 0 and bounds[1] >= _LEAST_BOUND and bounds[-2] <= _MOST_BOUND


def _are_counts(counts: Array) -> bool:
    # Each alone first, for the sum of any is too large for a float; NaN is neither.
    return bool(counts.min() >= 0 and counts.max() < _MOST_COUNTED and counts.sum(dtype="f8") < _MOST_COUNTED)


def conform(pane: Pane, frame: Frame) -> Frame:
    """Return ``frame`` with exactly the columns of ``pane``; MismatchError when that cannot be.

    What a recording does not have, because it is older, is not measured;
    columns that the pane no longer has go; derived ones are made again.
    """
    count = len(frame)
    if not count:
        return replace(frame, rows={column.name: _not_measured(column, 0) for column in pane.columns})
    stored = [column for column in pane.columns if not column.derived]
    rows = {column.name: _checked(column, frame.rows.get(column.name), count) for column in stored}
    try:
        return replace(frame, rows=restore(pane, rows))
    except Exception as error:  # what derive does with figures no kernel gave is the pane's own affair
        raise MismatchError(f"its figures contradict each other ({type(error).__name__})") from error


def _checked(column: Column, values: Array | None, count: int) -> Array:
    if values is None:
        return _not_measured(column, count)
    if not _fits(column, values):
        raise MismatchError(f"column {column.name} is of type {values.dtype}")
    if values.dtype.kind == "f" and bool((np.abs(values) > _MOST).any()):
        raise MismatchError(f"column {column.name} has a figure larger than any can be")
    return values


def _not_measured(column: Column, count: int) -> Array:
    match column.unit:
        case Unit.TEXT | Unit.ARGS | Unit.STACK:
            return np.full(count, None, dtype=object)
        case Unit.ADDRESS:
            return np.zeros(count, dtype="V16")
        case Unit.BY_CPU:
            return np.zeros((count, 1), dtype=np.uint64)
        case Unit.HISTOGRAM:
            slots = 1 if column.bounds is None else len(column.bounds) - 1
            return np.zeros((count, slots), dtype=np.uint64)
        case _:
            return np.full(count, np.nan)


def _fits(column: Column, values: Array) -> bool:
    kind = values.dtype.kind
    wide = column.unit in {Unit.BY_CPU, Unit.HISTOGRAM}
    if values.ndim != (2 if wide else 1):
        return False
    match column.unit:
        case Unit.TEXT | Unit.ARGS:
            return (kind == "S" and values.dtype.itemsize <= _MOST_TEXT) or (
                kind == "O" and _holds(values, bytes)
            )
        case Unit.STACK:
            return (
                kind == "O" and _holds(values, list) and all(len(stack or ()) <= _DEEPEST for stack in values)
            )
        case Unit.ADDRESS:
            return values.dtype == np.dtype("V16")
        case Unit.HISTOGRAM if column.bounds is not None and values.shape[1] != len(column.bounds) - 1:
            return False
        case _:
            return kind in ("iufb" if column.unit is Unit.FLAG else "iuf")


def _holds(values: Array, kind: type) -> bool:
    return all(value is None or type(value) is kind for value in values.tolist())
