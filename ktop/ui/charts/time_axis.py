"""The labels below charts whose columns are moments: ages at round numbers."""

from __future__ import annotations

import numpy as np

from ktop.frame import Array
from ktop.ui.charts.units import age

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_SPACING = 12
"""Cells from one label to the next, at least."""


def labels(ts: Array, now: float, columns: int, cell_width: int = 1) -> str:
    """Return a line of ``columns * cell_width`` cells with the ages of the columns.

    ``ts``: Unix times of the columns, oldest first, shape (at most columns,);
    the newest stands at the right end.  A label ends at its column.
    """
    width = columns * cell_width
    if not len(ts) or not width:
        return " " * width
    ages = now - ts
    interval = float(np.median(np.diff(ts))) if len(ts) > 1 else 1.0
    text = [" "] * width
    newest = "now" if ages[-1] < 1.5 * interval else age(float(ages[-1]))
    free = _put(text, newest, width - 1, width)
    step = next((s for s in _STEPS if s / max(interval, 1e-9) * cell_width >= _SPACING), _STEPS[-1])
    wanted = step * np.ceil((ages[-1] + 1e-6) / step)
    while wanted <= ages[0] + 0.5 * interval:
        column = int(np.argmin(np.abs(ages - wanted)))
        # Over a gap in time there is no column of that age.
        if abs(ages[column] - wanted) <= interval:
            end = (columns - len(ts) + column) * cell_width + cell_width - 1
            free = _put(text, age(float(wanted)), end, free)
        wanted += step
    return "".join(text)


def _put(text: list[str], label: str, end: int, free: int) -> int:
    """Write ``label`` ending at ``end`` unless it reaches ``free``; return where it is taken from now."""
    start = end - len(label) + 1
    if start < 0 or end >= free - (2 if free < len(text) else 0):
        return free
    text[start : end + 1] = label
    return start
