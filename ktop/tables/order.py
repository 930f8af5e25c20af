"""The order of a table's rows, and where a row is.  Pure functions on Rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from ktop.frame import Array, Rows, length
from ktop.pane import Column, Pane, Unit

Key: TypeAlias = Mapping[str, Any]
"""The values of a row's identifying columns, by name."""


def is_sortable(column: Column) -> bool:
    """Return whether rows can be sorted by ``column``."""
    return column.unit not in {Unit.STACK, Unit.HISTOGRAM}


def order(pane: Pane, rows: Rows, name: str, *, reverse: bool = False) -> Array:
    """Return the positions of ``rows`` sorted by the column ``name``: intp, shape (rows,).

    Numbers go from the largest, text from A (upper and lower case alike);
    ``reverse`` turns that round.  What was not measured is last in both.  Equal
    rows stand in the order of the whole numbers in the pane's key, of its text
    where it has none: the kernel's own order changes from one reading to the next.
    """
    count = length(rows)
    if name not in rows or count == 0:
        return np.arange(count)
    column = pane.column(name)
    rank, missing = _rank(column, rows[name])
    if column.is_text == reverse:
        rank = _reversed(rank)
    others = [key for key in pane.key if key != name and key in rows]
    keys = [rows[key] for key in others if rows[key].dtype.kind in "iu"]
    if not keys:
        keys = [_rank(pane.column(key), rows[key])[0] for key in others if pane.column(key).is_text]
    if missing is None:
        return np.lexsort((*keys[::-1], rank)) if keys else np.argsort(rank, kind="stable")
    return np.lexsort((*keys[::-1], rank, missing))


def key_of(pane: Pane, rows: Rows, position: int) -> dict[str, Any]:
    """Return what identifies the row at ``position``."""
    return {name: rows[name].item(position) for name in pane.key if name in rows}


def find(rows: Rows, key: Key) -> int:
    """Return the position of the first row that ``key`` identifies, by the columns there are; -1 if none."""
    found: Array | None = None
    for name, value in key.items():
        if name in rows:
            same = _equal(rows[name], value)
            found = same if found is None else found & same
    if found is None or not len(found):
        return -1
    first = int(found.argmax())
    return first if found[first] else -1


def row_at(rows: Rows, position: int) -> dict[str, Any]:
    """Return the row at ``position``: Python values by column, arrays for two-dimensional ones."""
    return {
        name: values.item(position) if values.ndim == 1 else values[position] for name, values in rows.items()
    }


def _equal(values: Array, value: Any) -> Array:
    """Return which of ``values`` are ``value``; NaN, which was not measured, is NaN."""
    same: Array
    if value != value:  # noqa: PLR0124 - NaN
        same = values != values  # noqa: PLR0124
        return same
    if values.dtype.kind == "O":
        return np.fromiter((item == value for item in values.tolist()), dtype=bool, count=len(values))
    if values.dtype.kind == "V":
        values, value = _bytes(values), bytes(value).rstrip(b"\0")
    same = values == value
    return same


def _bytes(values: Array) -> Array:
    """Return V as S, which numpy compares; the zeros at the end that S drops are filling here as well."""
    return np.ascontiguousarray(values).view(f"S{values.dtype.itemsize}").reshape(len(values))


def _rank(column: Column, values: Array) -> tuple[Array, Array | None]:
    """Return numbers in the ascending order of ``values``, and which were not measured (None: all were)."""
    if values.ndim == 2:
        values = values.sum(axis=1)
    if values.dtype.kind == "O":
        missing = np.fromiter((item is None for item in values.tolist()), dtype=bool, count=len(values))
        if not column.is_text:
            return _measured(values.astype(np.float64))
        return _codes([b"" if item is None else item.lower() for item in values.tolist()]), missing
    if values.dtype.kind == "S":
        return _codes(np.char.lower(values).tolist()), None
    if values.dtype.kind == "V":
        return np.unique(_bytes(values), return_inverse=True)[1], None
    return _measured(values) if values.dtype.kind == "f" else (values, None)


def _measured(values: Array) -> tuple[Array, Array | None]:
    missing = np.isnan(values)
    return (np.where(missing, 0.0, values), missing) if missing.any() else (values, None)


def _codes(items: list[bytes]) -> Array:
    """Return the place of each of ``items`` among the distinct ones."""
    place = {item: code for code, item in enumerate(sorted(set(items)))}
    return np.fromiter(map(place.__getitem__, items), dtype=np.intp, count=len(items))


def _reversed(rank: Array) -> Array:
    """Return numbers of the opposite order; ``~`` is exact for every integer, signed or not."""
    turned: Array = -rank if rank.dtype.kind == "f" else ~rank
    return turned
