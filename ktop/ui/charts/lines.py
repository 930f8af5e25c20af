"""Figures of ``Frame.host`` over time: a small chart for each group, side by side and stacked.

What adds up is drawn per second: intervals differ, on a busy host from one to the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.style import Style

from ktop.format import NOT_MEASURED, UNIT_WIDTH, written
from ktop.frame import Array, Frame
from ktop.pane import Column, Lines, Unit
from ktop.ui.blocks import Parts, cells, cut, painted
from ktop.ui.charts import braille, time_axis
from ktop.ui.charts.scrolling import Pace, at_once, later, page
from ktop.ui.charts.units import tick
from ktop.ui.line_widget import Drawn
from ktop.ui.palette import Palette

GUTTER = 6
_GAP = 3
_NARROWEST = 34
"""Cells of one chart; narrower ones are stacked."""
_SHORT = 4
"""Lines of one chart, its title among them; in fewer a line can hardly rise and fall."""
_TALL = 6
"""Lines of one chart; of a taller one half would say as much, and twice the width more."""
WIDER = (16, 8, 4, 2)
"""Dots across that a value has while there are few."""
SERIES = ("series-1", "series-2", "series-3", "series-4")


def label(name: str) -> str:
    """Return what stands beside a line: the figure's name without its unit."""
    for suffix in ("_bytes", "_us", "_pages"):
        name = name.removesuffix(suffix)
    return name.replace("_", " ")


def _cells(dots: int) -> int:
    """Return the cells that so many dots across take, one at least."""
    return max(dots // braille.DOTS_ACROSS, 1)


def _at_once(dots: int, columns: int) -> int:
    """Return by how many values of so many dots a chart of ``columns`` cells moves on."""
    return at_once(_cells(dots), columns // _cells(dots))


class LinesView(Drawn):
    """Small charts on one time axis; each has the last values in its title line.

    Where there is no room for all of them, of the last groups only the values are shown, beside the title.
    """

    DEFAULT_CSS = "LinesView { height: 10; }"

    def __init__(self, chart: Lines, columns: Sequence[Column] = ()) -> None:
        """Draw ``chart``; ``columns`` (the pane's) say in which unit."""
        super().__init__()
        self.chart = chart
        self._units = {column.name: column.unit for column in columns}
        self._names = {column.name: column.title.lower() for column in columns}
        self._rates = {column.name for column in columns if column.adds_up}
        self._all: Sequence[Frame] = ()
        self._frames: Sequence[Frame] = ()
        """Those that there is room for, and older ones."""
        self._now: float | None = None
        self._moment: float | None = None
        self._pace = Pace()
        self._free = 0
        """Values at the right end that are still to come."""
        self._kept: dict[tuple[bytes, str, int, Palette], Parts] = {}
        """The rows of the charts as last drawn, by what is in them."""
        self._rows_before = self._kept

    def show(self, frames: Sequence[Frame], now: float | None = None, moment: float | None = None) -> None:
        """Show ``frames``, oldest first.  Ages count back from ``now`` (else from the newest).

        ``moment``: the Unix time of the one that is looked at, if that is not the newest.
        """
        self._all, self._now, self._moment = frames, now, moment
        self.redraw()

    def age(self, now: float) -> None:
        """Count ages back from ``now``."""
        self._now = now
        self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the title, the charts row by row, and the time axis."""
        self._rows_before, self._kept = self._kept, {}
        has_title = height >= 6
        room = height - has_title - 1
        groups, across, down = self._arranged(width, room)
        each = (width - _GAP * (across - 1)) // across
        columns = max(each - GUTTER, 0)
        dots = self._dots(columns)
        step = _at_once(dots, columns)
        self._frames = page(self._all, self._moment, columns * braille.DOTS_ACROSS // dots - step)
        self._free = self._pace.free(self._frames, step)
        tall = [(room + extra) // down for extra in range(down)][::-1]
        times = time_axis.painted(" " * GUTTER + self._times(each - GUTTER), look)
        lines = [self._title(look, self.chart.groups[len(groups) :], width)] if has_title else []
        for row in range(down):
            charts = [
                self._chart(look, group, each, tall[row])
                for group in groups[row * across : (row + 1) * across]
            ]
            # The time axis stands below the last chart of each column.
            if row == down - 1:
                charts = [[*chart, times] for chart in charts]
                charts += [[times, *[[]] * tall[row]]] * (across - len(charts))
            lines += [self._beside(parts, each) for parts in zip(*charts, strict=True)]
        return lines

    def _arranged(self, width: int, room: int) -> tuple[Sequence[tuple[str, ...]], int, int]:
        """Return which groups have a chart in ``room`` lines, how many side by side, and how many below."""
        number = len(self.chart.groups)
        across = min(number, max((width + _GAP) // (_NARROWEST + _GAP), 1))
        down = min(max(-(-number // across), room // _TALL), number, max(room // _SHORT, 1))
        groups = self.chart.groups[: across * down]
        return groups, -(-len(groups) // down), down

    def _title(self, look: Palette, groups: Sequence[tuple[str, ...]], width: int) -> Parts:
        """Return the title, and of ``groups``, which have no chart, as many of the last values as fit."""
        title: Parts = [(self.chart.title, look.style("strong"))]
        for name in (name for group in groups for name in group):
            value: Parts = [
                (f"{' ' * _GAP}{self._called(name)} ", look.style("muted")),
                (self._figure(name), look.style("foreground")),
            ]
            if cells([*title, *value]) > width:
                break
            title += value
        return title

    @staticmethod
    def _beside(lines: Sequence[Parts], width: int) -> Parts:
        beside: Parts = []
        for number, parts in enumerate(lines):
            fitting = cut(parts, width)
            gap = " " * (_GAP if number else 0)
            beside += [(gap, None), *fitting, (" " * (width - cells(fitting)), None)]
        return beside

    def _dots(self, columns: int) -> int:
        """Return how many dots across a value has: more while the history is short."""
        most = columns * braille.DOTS_ACROSS
        number = len(self._all)
        return next((dots for dots in WIDER if (number + _at_once(dots, columns)) * dots <= most), 1)

    @property
    def _back(self) -> int:
        """How many Frames before the newest the one is that is looked at."""
        return 0 if self._moment is None else later(self._frames, self._moment)

    def _times(self, columns: int) -> str:
        recent = self._frames[-columns * braille.DOTS_ACROSS :]
        dots = self._dots(columns)
        # Two intervals can share a cell; the later one names it.
        step, cells = max(braille.DOTS_ACROSS // dots, 1), _cells(dots)
        newest = [frame.ts for frame in recent][::-1]
        ts = np.array([*newest[:1] * (self._free % step), *newest])[::step][::-1]
        now = self._now if self._now is not None else (float(ts[-1]) if len(ts) else 0.0)
        free = self._free // step
        moment = (self._back + self._free) // step - free if self._back else None
        text = time_axis.labels(ts, now, columns // cells - free, cells, moment)
        return (text + " " * free * cells).rjust(columns)

    def _values(self, name: str, columns: int) -> Array:
        """Return the newest values, as often as they have dots."""
        recent = self._frames[-columns * braille.DOTS_ACROSS :] if columns else ()
        values = np.array([frame.host.get(name, np.nan) for frame in recent], dtype=np.float64)
        if name in self._rates:
            values /= [frame.interval_s for frame in recent]
        return np.repeat(values, self._dots(columns))

    def _chart(self, look: Palette, group: tuple[str, ...], width: int, height: int) -> list[Parts]:
        """Return ``height`` lines: the last values, then the lines with the ends of their axis."""
        if height < 1:
            return []
        columns, rows = max(width - GUTTER, 0), height - 1
        unit = self._units.get(group[0], Unit.COUNT)
        values = [self._values(name, columns) for name in group]
        lines = [self._legend(look, group, width)]
        if not rows or not columns:
            return lines + [[]] * rows
        base = 1024.0 if unit is Unit.BYTES else 10.0
        # From elsewhere a small change of an amount would look like a collapse; of a ratio it is one.
        # And it always ends at 100 %: nothing of a cache that serves no read must look like much.
        known = np.concatenate([*values, [1.0]] if unit is Unit.RATIO else values)
        low, high = braille.axis(known, base, from_zero=unit is not Unit.RATIO)
        if unit is Unit.RATIO:
            low, high = min(low, 0.9), 1.0
        to_come = np.full(self._free * self._dots(columns), np.nan)
        drawn = [braille.dots(np.append(series, to_come), low, high, columns, rows) for series in values]
        if look.glyphs:
            # Without colours the second line is told by its dashes.
            for series, lit in enumerate(drawn[1:], start=2):
                lit[:, ::series] = False
        cells, owner = braille.layers(drawn)

        def dot(code: int) -> tuple[str, Style]:
            series, number = divmod(code, 256)
            if not number:
                return " ", look.style("faint", "chart")
            return chr(0x2800 + number), look.style(SERIES[series % len(SERIES)], "chart")

        for row in range(rows):
            edge = high if row == 0 else low if row == rows - 1 else None
            text = tick(unit, edge) if edge is not None else ""
            codes = np.where(cells[row] > 0, owner[row] * 256 + cells[row], 0)
            # Where little happens most rows are empty, now as before.
            key = (codes.tobytes(), text, width, look)
            parts = self._kept.get(key) or self._rows_before.get(key)
            if parts is None:
                parts = [(text.rjust(GUTTER - 1) + " ", look.style("muted")), *painted(codes, dot)]
            self._kept[key] = parts
            lines.append(parts)
        return lines

    def _legend(self, look: Palette, group: tuple[str, ...], width: int) -> Parts:
        """Return names and last values; where there is no room, the last names go without a value.

        As if each value were as long as any: nothing comes, goes or moves from one to the next.
        """
        names = [self._called(name) for name in group]
        sizes = [1 + UNIT_WIDTH[self._unit_of(name)] + len(self._per(name)) for name in group]
        room = width - sum(map(len, names)) - (len(group) - 1)
        while sizes and sum(sizes) > room:
            sizes.pop()
        spare = (room - sum(sizes)) // max(len(group) - 1, 1)
        gap = " " * min(1 + spare, _GAP)
        legend: Parts = []
        for place, (name, title) in enumerate(zip(group, names, strict=True)):
            before, style = gap * (place > 0), SERIES[place % len(SERIES)]
            if place < len(sizes):
                figure = self._figure(name).ljust(sizes[place] - 1)
                legend.append((f"{before}{title} ", look.style("muted")))
                legend.append((figure, look.style(style, attributes="bold")))
            else:
                legend.append((before + title, look.style(style)))
        return legend

    def _called(self, name: str) -> str:
        return self._names.get(name, label(name))

    def _unit_of(self, name: str) -> Unit:
        return self._units.get(name, Unit.COUNT)

    def _per(self, name: str) -> str:
        """Return what stands behind a value that is per second."""
        return "/s" * (name in self._rates)

    def _figure(self, name: str) -> str:
        """Return the figure ``name`` at the moment looked at, as text."""
        if len(self._frames) <= self._back:
            return NOT_MEASURED
        frame = self._frames[-1 - self._back]
        value = frame.host.get(name, np.nan) / (frame.interval_s if name in self._rates else 1.0)
        return NOT_MEASURED if np.isnan(value) else written(self._unit_of(name), value) + self._per(name)
