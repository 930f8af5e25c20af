"""Columns as JSON texts: a string a cell, ready to be joined into lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from ktop.format import address
from ktop.frame import Array
from ktop.pane import Column, Unit
from ktop.text import escape

_WHOLE = frozenset({Unit.COUNT, Unit.BYTES, Unit.NUMBER})
_DIGITS = {Unit.US: 3, Unit.SECONDS: 9, Unit.RATIO: 6, Unit.TIME: 9}
"""Digits behind the point: a nanosecond is what the kernel's clock tells."""


def number(value: float | None, digits: int) -> str:
    """Return ``value`` as a JSON number, whole when ``digits`` is 0; null when not measured or infinite."""
    if value is None or not math.isfinite(value):
        return "null"
    return repr(round(value, digits)) if digits else str(round(value))


def string(raw: bytes | str | None) -> str:
    """Return text of others as a JSON string, escaped; null for None."""
    return "null" if raw is None else json.dumps(escape(raw))


def column_texts(column: Column, values: Array) -> list[str]:
    """Return the JSON text of every cell of ``values`` (the array of ``column``).

    COUNT, BYTES and NUMBER are integers; TEXT and ADDRESS strings; ARGS and
    STACK lists of strings; BY_CPU and HISTOGRAM lists of integers, by CPU and
    by slot; FLAG true or false.  None, NaN and infinity are null.
    """
    if column.unit in _CELLS:
        return _each(values, _CELLS[column.unit])
    if column.unit in {Unit.BY_CPU, Unit.HISTOGRAM}:
        return [_list(number(item, 0) for item in row) for row in values.tolist()]
    if values.dtype.kind in "iu":
        return list(map(str, values.tolist()))
    digits = 0 if column.unit in _WHOLE else _DIGITS[column.unit]
    return [number(value, digits) for value in values.tolist()]


def _each(values: Array, write: Callable[[Any], str]) -> list[str]:
    """Return ``write`` of every cell; what occurs often (names) is written once."""
    known: dict[Any, str] = {}
    texts = []
    for value in values.tolist():
        try:
            text = known.get(value)
        except TypeError:  # a list (a stack)
            texts.append(write(value))
            continue
        if text is None:
            text = known[value] = write(value)
        texts.append(text)
    return texts


def _list(texts: Any) -> str:
    return f"[{','.join(texts)}]"


def _args(raw: bytes | None) -> str:
    if raw is None:
        return "null"
    return _list(map(string, raw.removesuffix(b"\0").split(b"\0"))) if raw else "[]"


def _stack(frames: Any) -> str:
    return "null" if frames is None else _list(map(string, frames))


def _flag(value: Any) -> str:
    return "null" if value is None or value != value else ("true" if value else "false")  # noqa: PLR0124 - NaN


def _address(raw: bytes | None) -> str:
    return "null" if raw is None else json.dumps(address(raw))


_CELLS: dict[Unit, Callable[[Any], str]] = {
    Unit.TEXT: string,
    Unit.ADDRESS: _address,
    Unit.ARGS: _args,
    Unit.STACK: _stack,
    Unit.FLAG: _flag,
}
