"""The labels below charts whose columns are moments: ages at round numbers."""

from __future__ import annotations

import math
from bisect import bisect_left
from operator import sub

from ktop.frame import Array
from ktop.ui.blocks import Parts
from ktop.ui.charts.units import age
from ktop.ui.palette import Palette

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_SPACING = 12
"""Cells from one label to the next, at least."""


MOMENT = "▲"
"""Points to the column of the moment that is looked at."""


def labels(ts: Array, now: float, columns: int, cell_width: int = 1, moment: int | None = None) -> str:
    """Return a line of ``columns * cell_width`` cells with the ages of the columns.

    ``ts``: Unix times of the columns, oldest first, shape (at most columns,);
    the newest stands at the right end.  A label ends at its column.  ``moment``:
    how many columns before the newest the one is that is looked at.
    """
    width = columns * cell_width
    if not len(ts) or not width:
        return " " * width
    ages = (now - ts[::-1]).tolist()  # ascending
    gaps = sorted(map(sub, ages[1:], ages))
    interval = gaps[len(gaps) // 2] if gaps else 1.0
    text = [" "] * width
    if moment is not None and moment < columns:
        text[width - 1 - moment * cell_width - cell_width // 2] = MOMENT
    newest = "now" if ages[0] < 1.5 * interval else age(ages[0])
    free = _put(text, newest, width - 1, width)
    step = next((s for s in _STEPS if s / max(interval, 1e-9) * cell_width >= _SPACING), _STEPS[-1])
    wanted = step * math.ceil((ages[0] + 1e-6) / step)
    while wanted <= ages[-1] + 0.5 * interval:
        later = bisect_left(ages, wanted)
        nearest = min((later - 1, later), key=lambda back: _off(ages, back, wanted))
        # Over a gap in time there is no column of that age.
        if _off(ages, nearest, wanted) <= interval:
            free = _put(text, age(float(wanted)), width - 1 - nearest * cell_width, free)
        wanted += step
    return "".join(text)


def painted(line: str, look: Palette) -> Parts:
    """Return a line with ``labels``, in which the moment has the colour of the banner that time is held."""
    before, moment, after = line.partition(MOMENT)
    muted = look.style("muted")
    parts: Parts = [(before, muted), (moment, look.style("warn", attributes="bold")), (after, muted)]
    return [part for part in parts if part[0]]


def _off(ages: list[float], back: int, wanted: float) -> float:
    """Return how far the age of the column ``back`` is from the ``wanted`` one; infinity if there is none."""
    return abs(ages[back] - wanted) if 0 <= back < len(ages) else math.inf


def _put(text: list[str], label: str, end: int, free: int) -> int:
    """Write ``label`` ending at ``end`` unless it reaches ``free``; return where it is taken from now."""
    start = end - len(label) + 1
    if start < 0 or end >= free - (2 if free < len(text) else 0):
        return free
    if MOMENT in text[max(start - 1, 0) : end + 2]:
        return free
    text[start : end + 1] = label
    return start
