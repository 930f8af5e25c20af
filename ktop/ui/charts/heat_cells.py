"""How one cell of a heatmap looks: two counts, and perhaps a percentile's mark."""

from __future__ import annotations

import math
from typing import Any

from rich.style import Style

from ktop.frame import Array
from ktop.ui.blocks import DENSITY, UPPER_HALF, Parts, painted
from ktop.ui.charts.heat_grid import HEAT_STEPS, MARKS
from ktop.ui.palette import Palette

CURSOR = len(MARKS) + 1

_BASE = HEAT_STEPS + 1


def code(upper: Array, lower: Array, over: Array) -> Array:
    """Return one integer a cell: the steps of its two halves, and what is over it.

    ``over``: 0 nothing, 1 to 3 one of MARKS, CURSOR the cursor.
    """
    result: Array = (over * _BASE + upper) * _BASE + lower
    return result


class HeatCells:
    """Draws cells in one palette; remembers every look it has made."""

    def __init__(self, palette: Palette) -> None:
        """Draw in ``palette``."""
        self.palette = palette
        self._looks: dict[int, tuple[str, Style]] = {}

    def row(self, codes: Array, cell_width: int) -> Parts:
        """Return a row of cells."""
        return painted(codes, self.look, cell_width)

    def look(self, cell: int) -> tuple[str, Style]:
        """Return the glyph and the style of one cell."""
        look = self._looks.get(cell)
        if look is None:
            rest, lower = divmod(cell, _BASE)
            over, upper = divmod(rest, _BASE)
            look = self._looks[cell] = self._draw(over, upper, lower)
        return look

    def _draw(self, over: int, upper: int, lower: int) -> tuple[str, Style]:
        palette = self.palette
        if over == CURSOR:
            glyph = DENSITY[upper] if palette.glyphs else " "
            return glyph, palette.style("strong", attributes="reverse")
        if palette.glyphs:
            if over:
                return MARKS[over - 1].glyph, palette.style(MARKS[over - 1].color, attributes="bold")
            return DENSITY[upper], Style.from_color(palette.heat[upper])
        if over:
            mark, ground = MARKS[over - 1], palette.heat[upper]
            return mark.glyph, Style.from_color(self._readable(mark.color, ground), ground)
        if upper == lower:
            return " ", Style.from_color(None, palette.heat[upper])
        return UPPER_HALF, Style.from_color(palette.heat[upper], palette.heat[lower])

    def _readable(self, name: str, ground: Any) -> Any:
        """Return the colour ``name``, or a plain one where it would drown in ``ground``."""
        wanted = self.palette.style(name).color
        if _distance(wanted, ground) >= _CLEAR:
            return wanted
        return max(
            (self.palette.heat[0], self.palette.style("strong").color), key=lambda c: _distance(c, ground)
        )


_CLEAR = 0.36
"""Distance in RGB (0 to 1) from which a thin line stands out from its ground."""


def _distance(one: Any, other: Any) -> float:
    pairs = zip(one.get_truecolor(), other.get_truecolor(), strict=True)
    return math.dist((0, 0, 0), [(a - b) / 255 for a, b in pairs]) / math.sqrt(3)
