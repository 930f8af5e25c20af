"""Lines in braille: two by four dots a cell, one dot column for each value.  numpy only, pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ktop.frame import Array

DOTS_ACROSS, DOTS_DOWN = 2, 4
_WEIGHTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def dots(values: Array, low: float, high: float, columns: int, rows: int) -> Array:
    """Return the dots of a line: bool, shape (rows * 4, columns * 2), row 0 at the top.

    The newest of ``values`` stands at the right end.  Neighbours are joined by
    a vertical stroke; NaN is a gap.
    """
    height, width = rows * DOTS_DOWN, columns * DOTS_ACROSS
    recent = np.full(width, np.nan)
    used = min(width, len(values))
    recent[width - used :] = values[len(values) - used :]
    measured = ~np.isnan(recent)
    share = np.clip((np.where(measured, recent, low) - low) / (high - low), 0.0, 1.0)
    row = np.rint((1.0 - share) * (height - 1))
    before = np.concatenate([row[:1], row[:-1]])
    joined = measured & np.concatenate([[False], measured[:-1]])
    # The stroke begins one dot beyond the neighbour, which has its own.
    start = np.where(joined, before + np.sign(row - before), row)
    down = np.arange(height)[:, None]
    lit: Array = (down >= np.minimum(start, row)) & (down <= np.maximum(start, row)) & measured
    return lit


def cells(lit: Array) -> Array:
    """Return the eight dots of each cell as a number (0 to 255): shape (rows, columns)."""
    height, width = lit.shape
    boxes = lit.reshape(height // DOTS_DOWN, DOTS_DOWN, width // DOTS_ACROSS, DOTS_ACROSS)
    numbers: Array = np.einsum("rdca,da->rc", boxes, _WEIGHTS)
    return numbers


def layers(lines: Sequence[Array]) -> tuple[Array, Array]:
    """Return (cells, owner) of several lines' dots; owner: the last line in the cell, -1 for none."""
    together = cells(np.logical_or.reduce(lines))
    owner = np.full(together.shape, -1)
    for index, lit in enumerate(lines):
        owner[cells(lit) > 0] = index
    return together, owner


def axis(values: Array, base: float = 10.0, *, from_zero: bool = True) -> tuple[float, float]:
    """Return round ends of a linear axis for ``values`` (any shape, NaN left out).

    From 0, or else only unless all of them are far above it.  ``base`` 1024
    rounds as bytes are written.
    """
    finite = values[np.isfinite(values)]
    if not finite.any():  # nothing, or nothing but 0
        return 0.0, 1.0
    least, most = float(finite.min()), float(finite.max())
    if from_zero or 0 <= least <= 0.6 * most or most <= 0:
        least = min(least, 0.0)
    unit = base ** np.floor(np.log(max(abs(most), 1e-9)) / np.log(base)) if base != 10.0 else 1.0
    span = max((most - least) / unit, abs(most) / unit * 0.02, 1e-9)
    step = 10.0 ** np.floor(np.log10(span / 2))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step * 2 >= span)
    low = np.floor(least / unit / step + 1e-9) * step * unit
    high = np.ceil(most / unit / step - 1e-9) * step * unit
    return float(low), float(high if high > low else low + step * unit)
