"""Rows for any pane, made from its declaration: wild text, gaps and all."""

from __future__ import annotations

import numpy as np

from ktop.frame import Array, Frame, Histogram, Status
from ktop.pane import Column, Pane, Unit

HOSTILE = [
    b"postgres",
    b"\x1b[31mred\x1b[0m",
    b"[bold]x[/]",
    b"a\nb",
    b"\xff\xfe",
    "עברית".encode(),
    "😀😀".encode(),
    b"",
]


def rows_of(pane: Pane, count: int, seed: int = 0) -> dict[str, Array]:
    """Return ``count`` rows as ``compute`` may give them, with the derived columns."""
    random = np.random.default_rng(seed)
    rows = {
        column.name: values_of(pane, column, count, random) for column in pane.columns if not column.derived
    }
    return pane.derive(rows)


def values_of(  # noqa: PLR0911 - one for each unit
    pane: Pane, column: Column, count: int, random: np.random.Generator
) -> Array:
    """Return ``count`` values of one column."""
    text = [HOSTILE[i] for i in random.integers(0, len(HOSTILE), count)]
    match column.unit:
        case Unit.TEXT:
            return np.array(text, dtype="S32")
        case Unit.ARGS:
            cells = [None if not each else each + b"\0-x\0" for each in text]
            return np.fromiter(cells, dtype=object, count=count)
        case Unit.STACK:
            stacks = [None if not each else ["main", each.decode("utf-8", "replace")] for each in text]
            return np.fromiter(stacks, dtype=object, count=count)
        case Unit.ADDRESS:
            return np.frombuffer(random.bytes(16 * count), dtype="V16")
        case Unit.BY_CPU:
            return random.integers(0, 9, (count, 2)).astype(np.uint64)
        case Unit.HISTOGRAM:
            return random.integers(0, 9, (count, _slots(pane, column))).astype(np.uint64)
        case Unit.FLAG:
            return random.integers(0, 2, count).astype(bool)
        case Unit.TIME:
            return np.sort(random.random(count) + 1.7e9)
        case Unit.US | Unit.SECONDS:
            return random.random(count) * 1e3
        case Unit.RATIO:
            return random.random(count)
        case _:
            return random.integers(0, 1000, count)


def _slots(pane: Pane, column: Column) -> int:
    """Return the width that ``derive`` expects: as declared, else found by trying."""
    if column.bounds is not None:
        return len(column.bounds) - 1
    return 8


def frame_of(pane: Pane, count: int, ts: float = 1.7e9) -> Frame:
    """Return a Frame of ``pane`` with everything a Frame can have."""
    bounds = np.array([0.0, 1.0, 2.0, np.inf])
    histograms = tuple(Histogram(bounds, np.array([1, 2, 3], dtype=np.uint64), cpu) for cpu in (None, 0, 1))
    status = Status({"switch": "tp_btf/sched_switch"}, {"other": "EPERM, no"}, None, {"ring_full": 3}, 0.25)
    return Frame(pane.name, ts, 1.0, rows_of(pane, count), {}, histograms, status)
