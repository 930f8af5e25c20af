"""One column of some rows over the last Frames.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ktop.frame import Array, Frame, Rows, length
from ktop.pane import Column, Fold, Pane
from ktop.stats import group, match


def has_trend(column: Column, *, totals: bool = False) -> bool:
    """Return whether ``trend`` is of any use; ``totals``: several rows of a Frame make one."""
    return column.is_quantity and not (totals and not column.adds_up and column.fold is not Fold.MAX)


def trend(pane: Pane, rows: Rows, frames: Sequence[Frame], name: str, *, totals: bool = False) -> Array:
    """Return the column ``name`` of each of ``rows`` in each of ``frames``: float64, shape (rows, frames).

    A column that adds up is per second, for intervals differ.  Where a row is
    not there that is 0, since nothing happened, else NaN; NaN too where its
    Frame no longer has all rows, of ``totals`` also where it has some of theirs,
    and for a sum of which a part was not measured.
    """
    adds_up = pane.column(name).adds_up
    keys = [key for key in pane.key if key in rows]
    whole = np.array([adds_up and not frame.dropped for frame in frames], dtype=bool)
    values = np.where(whole, 0.0, np.nan) + np.zeros((length(rows), 1))
    have = [
        place
        for place, frame in enumerate(frames)
        if {*keys, name} <= frame.rows.keys() and not (totals and frame.dropped)
    ]
    tables = [frames[place].rows for place in have]
    if not tables or not length(rows):
        return values
    column = np.repeat(have, [length(table) for table in tables])
    found = np.concatenate([table[name] for table in tables]).astype(np.float64)
    row = _same(
        [np.concatenate([rows[key], *(table[key] for table in tables)]) for key in keys], length(rows)
    )
    wanted = row >= 0
    place = row[wanted] * len(frames) + column[wanted]
    if adds_up:
        values.flat[place] = 0.0
        # np.add.at takes ten times as long.
        values += np.bincount(place, found[wanted], values.size).reshape(values.shape)
        values /= [frame.interval_s for frame in frames]
    else:
        np.fmax.at(values.reshape(-1), place, found[wanted])
    return values


def _same(keys: Sequence[Array], count: int) -> Array:
    """Return for each row after the first ``count`` which of those has the same ``keys``; -1: none."""
    first = keys[0]
    row = np.full(len(first) - count, -1)
    # Sorting them all would be most of what it costs: those looked for are the few on the screen.
    left = (
        np.flatnonzero(match(first[:count], first[count:]) >= 0)
        if first.dtype.kind in "iu"
        else np.arange(len(row))
    )
    order, starts = group([np.concatenate([key[:count], key[count:][left]]) for key in keys])
    number = np.empty(len(order), dtype=np.intp)
    number[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    # Of each group of equal keys: which of the first rows it is of, if any.
    whose = np.full(len(starts), -1)
    whose[number[:count]] = np.arange(count)
    row[left] = whose[number[count:]]
    return row
