"""A heatmap of ``Frame.histograms``: time across, the value up on a log axis, counts as colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from ktop import format as fmt
from ktop.frame import Array, Frame
from ktop.pane import Heatmap, Unit
from ktop.stats import bounded_percentile
from ktop.ui import keys
from ktop.ui.blocks import Parts, cells, spread
from ktop.ui.charts import bins, time_axis
from ktop.ui.charts.heat_cells import CURSOR, HeatCells, code
from ktop.ui.charts.heat_grid import HEAT_STEPS, MARKS, Cell, HeatGrid
from ktop.ui.charts.scrolling import MovingCells, Pace, at_once, of_moment, page
from ktop.ui.charts.units import band, tick
from ktop.ui.line_widget import Drawn, Finished
from ktop.ui.palette import Palette

GUTTER = 7
"""Cells for the labels of the value axis."""
WIDE_FROM = 150
"""Columns are two cells wide from so many cells on: 75 intervals still fit."""
WIDER = (8, 4, 2)
"""Cells of a column while there are few.  Not each width between: with each the whole map changes."""
ZOOMS = (1, 2, 5, 10)


class Reading(NamedTuple):
    """One cell: its column's Unix time, its band in the chart's unit, how many were counted in it."""

    ts: float
    low: float
    high: float
    number: int


class HeatmapView(Drawn, can_focus=True):
    """The map, its legend and axes, and a cursor that reads one cell."""

    DEFAULT_CSS = "HeatmapView { height: 12; }"

    BINDINGS = keys.MAP

    class Rearranged(Message):
        """Columns stand for more intervals now, or for fewer, or there are more of them, or fewer."""

    class Chosen(Message):
        """The moment of the cursor's column is to be looked at."""

        def __init__(self, ts: float) -> None:
            """Keep the column's Unix time."""
            super().__init__()
            self.ts = ts

    class Left(Message):
        """The user left the map with Escape: the focus belongs elsewhere."""

    def __init__(self, chart: Heatmap) -> None:
        """Draw ``chart``."""
        super().__init__()
        self.chart = chart
        self.grid = HeatGrid(chart.longest)
        self.frames: Sequence[Frame] = ()
        """Those that there are, oldest first."""
        self._now: float | None = None
        self.moment: float | None = None
        """The Unix time of the one that is looked at; None: the newest."""
        self._zoom = 0
        self._pace = Pace()
        self.free = 0
        """Columns at the right end that are still to come."""
        self._art: HeatCells | None = None
        self._stale = True
        self._fitted = (0, 0)
        self._cells: MovingCells | None = None
        self._cells_for: tuple[Any, ...] = ()
        self._rows: dict[int, tuple[Parts, list[Segment], Strip]] = {}
        """The rows of the last drawing: labels, cells, and both as a line."""
        # The cursor is a time and a value, so it stays on them while the map
        # moves.  Time None is the newest column, whichever that is.
        self._cursor: tuple[float | None, float] | None = None
        self._hover: Cell | None = None

    def show(self, frames: Sequence[Frame], now: float | None = None, moment: float | None = None) -> None:
        """Show ``frames``, oldest first.  Ages count back from ``now`` (else from the newest).

        ``moment``: the Unix time of the one that is looked at, if that is not the newest.
        """
        if self._cursor is not None and moment != self.moment:
            self._cursor = (moment, self._cursor[1])  # another one was gone to
        self.frames, self._now, self.moment = frames, now, moment
        self._stale = True
        self.redraw()
        if self.has_focus and self._cursor is None:
            self.action_move(0, 0)

    def age(self, now: float) -> None:
        """Count ages back from ``now``."""
        self._now = now
        self.redraw()

    @property
    def map_rows(self) -> int:
        """Lines of the map itself, between the title and the time axis."""
        return max(self.outer_size.height - 2, 0)

    @property
    def cell_width(self) -> int:
        """Cells of one column: more while the history is short."""
        columns = -(-len(self.frames) // self.merge) + (self.merge > 1)  # the ends may be parts of one
        rooms = ((cells, self._span // cells) for cells in WIDER)
        wide = next((cells for cells, room in rooms if columns + at_once(cells, room) <= room), 1)
        return max(wide, 2 if self._span >= WIDE_FROM else 1)

    @property
    def room(self) -> int:
        """In how many of the newest columns the moment that is looked at is to be."""
        return self.map_columns - self._at_once

    @property
    def _at_once(self) -> int:
        """Columns by which the map moves on; where they are several intervals, it is still for as many."""
        return at_once(self.cell_width, self.map_columns) if self.merge == 1 else 1

    @property
    def _first(self) -> int:
        """Which of the columns that there is room for is the oldest one's."""
        return self.map_columns - self.free - len(self.grid.columns)

    @property
    def _span(self) -> int:
        """Cells right of the value axis."""
        return max(self.outer_size.width - GUTTER, 0)

    @property
    def _left(self) -> int:
        """Cells left of the first whole column."""
        return GUTTER + self._span % self.cell_width

    @property
    def map_columns(self) -> int:
        """Columns there is room for."""
        return self._span // self.cell_width

    @property
    def merge(self) -> int:
        """Intervals in one column."""
        return ZOOMS[self._zoom]

    # Drawing

    def draw(self, look: Palette, width: int, height: int) -> list[Parts | Strip]:
        """Return title, map, and either the time axis or the reading of the cursor's cell."""
        if self._art is None or self._art.palette is not look:
            self._art, self._stale = HeatCells(look), True
        frames = page(self.frames, self.moment, self.room * self.merge)
        self.free = self._pace.free(frames, self._at_once)
        if self._stale or (width, height) != self._fitted:
            # Half blocks double the bands, but need two colours in a cell.
            halves = 1 if look.glyphs else 2
            columns = self.map_columns - self.free
            self.grid.fit(frames, columns, self.map_rows, halves=halves, merge=self.merge)
            self._stale, self._fitted = False, (width, height)
        art, at = self._art, self._at()
        body = self._body(art, at) if self.grid else self._empty(art)
        return [self._title(art, at), *body, self._times(art) if at is None else self._reading(art, at)]

    def _body(self, art: HeatCells, at: Cell | None) -> list[Strip]:
        muted, strong = art.palette.style("muted"), art.palette.style("strong")
        width = self.outer_size.width
        labels = self.grid.ticks()
        upper, lower, over = self.grid.cells()
        if at is not None:
            over[at.row, at.column] = CURSOR
        codes = np.zeros((self.map_rows, self.map_columns), np.uint16)
        codes[:, self._first : self._first + len(self.grid.columns)] = code(upper, lower, over)
        cells_for = (art, width, self.cell_width, self.ground(None))
        if self._cells is None or cells_for != self._cells_for:
            self._cells, self._cells_for = MovingCells(art.look, self.cell_width, self.ground), cells_for
            self._rows.clear()
        edge = art.row(np.zeros(self._left - GUTTER, np.intp), 1)
        before, self._rows = self._rows, {}
        rows = self._cells.rows(codes)
        for row in range(self.map_rows - 1, -1, -1):
            here = at is not None and at.row == row
            label = tick(self.chart.unit, labels[row]) if row in labels else ""
            axis: Parts = [(label.rjust(GUTTER - 1), muted), ("▸" if here else " ", strong), *edge]
            cells = rows[row]
            old = before.get(row)
            # Most rows far from the percentiles are empty, now as before.
            if old is not None and old[0] == axis and old[1] is cells:
                self._rows[row] = old
                continue
            segments = [Segment(text, self.ground(style)) for text, style in axis]
            self._rows[row] = axis, cells, Finished([*segments, *cells], width)
        return [strip for _axis, _cells, strip in self._rows.values()]

    def _empty(self, art: HeatCells) -> list[Parts]:
        ground = art.palette.style("muted", "chart")
        width = self._span
        text = ("nothing in this time" if self.frames else "waiting for the first sample")[:width]
        lines = [""] * self.map_rows
        if lines:
            lines[(self.map_rows - 1) // 2] = text
        return [[(" " * GUTTER, None), (content.center(width), ground)] for content in lines]

    def _title(self, art: HeatCells, at: Cell | None) -> Parts:
        look = art.palette
        parts: Parts = [(self.chart.title, look.style("strong"))]
        if not self.grid:
            return parts
        legend: list[Parts] = [
            [
                (f"  {mark.glyph}{mark.glyph} ", look.style(mark.color)),
                (f"{mark.name} ", look.style("muted")),
                (fmt.written(self.chart.unit, float(value)), look.style("foreground")),
            ]
            for mark, value in zip(MARKS, self._percentiles(at), strict=True)
        ]
        # Where it is narrow the lower percentiles are left out first.
        while legend and cells(parts) + sum(map(cells, legend)) > self.outer_size.width:
            del legend[0]
        parts += [part for entry in legend for part in entry]
        scales = [self._scale(art, np.arange(first, HEAT_STEPS + 1, first)) for first in (1, 2)]
        if self.chart.counts:
            named = [*scales[0], (f" {self.chart.counts}", look.style("muted"))]
            scales.insert(0, named)
        return spread(parts, scales, self.outer_size.width)

    def _percentiles(self, at: Cell | None) -> Array:
        """Return those of the cursor's column, else of the moment: not of all that a zoomed column is of."""
        if at is None and self.moment is not None and self.merge > 1:
            columns = bins.columns([of_moment(self.frames, self.moment)], 1, 1, self.chart.longest)
            marks = [mark.q for mark in MARKS]
            return bounded_percentile(columns.counts, columns.bounds, columns.longest, marks)[:, 0]
        found: Array = self.grid.percentiles[:, at.column if at else self._looked_at]
        return found

    def _scale(self, art: HeatCells, steps: Array) -> Parts:
        """Return the legend of the colours: from one to the most."""
        muted = art.palette.style("muted")
        swatch = art.row(code(steps, steps, np.zeros_like(steps)), 1)
        return [("1 ", muted), *swatch, (f" {tick(Unit.COUNT, self.grid.top)}", muted)]

    @property
    def _looked_at(self) -> int:
        """The column of the moment that is looked at."""
        return self.grid.column_of(self.moment)

    def _times(self, art: HeatCells) -> Parts:
        now = self._now if self._now is not None else (self.frames[-1].ts if self.frames else 0.0)
        ts = self.grid.columns.ts
        moment = len(ts) - 1 - self._looked_at if self.moment is not None else None
        text = time_axis.labels(ts, now, self.map_columns - self.free, self.cell_width, moment)
        return time_axis.painted(self._zoomed + " " * (self._left - GUTTER) + text, art.palette)

    @property
    def _zoomed(self) -> str:
        """How many intervals a column is of, where it is not one: as wide as the gutter."""
        return (f"×{self.merge}" if self._zoom else "").rjust(GUTTER - 1) + " "

    @property
    def reading(self) -> Reading | None:
        """What stands under the cursor or the mouse; None where there is neither."""
        at = self._at()
        return None if at is None else self._read(at)

    def _read(self, at: Cell) -> Reading:
        return Reading(float(self.grid.columns.ts[at.column]), *self.grid.band(at))

    def _reading(self, art: HeatCells, at: Cell) -> Parts:
        ts, low, high, number = self._read(at)
        total = self.grid.total(at.column)
        muted, strong = art.palette.style("muted"), art.palette.style("strong")
        parts: Parts = [
            (self._zoomed, muted),
            (fmt.clock(ts), strong),
            ("   " + band(self.chart.unit, low, high), strong),
            ("   " + fmt.count(number), strong),
            (f" of {fmt.count(total)}", muted),
        ]
        if total:
            parts.append((f", {fmt.percent(number / total)}", muted))
        return parts

    # The cursor

    def _at(self) -> Cell | None:
        """Return the cell that is read: the mouse's, else the cursor's."""
        if not self.grid:
            return None
        if self._hover is not None:
            column = self._hover.column - self._first
            # The mouse may still be where the chart was before the terminal became smaller.
            inside = 0 <= column < len(self.grid.columns) and self._hover.row < self.map_rows
            return Cell(column, self._hover.row) if inside else None
        if self._cursor is None or not self.has_focus:
            return None
        return Cell(self.grid.column_of(self._cursor[0]), self.grid.row_of(self._cursor[1]))

    def _put(self, column: int, row: int) -> None:
        """Put the cursor on a cell: remember what it stands for."""
        last = len(self.grid.columns) - 1
        column, row = min(max(column, 0), last), min(max(row, 0), self.map_rows - 1)
        ts = None if column == last else float(self.grid.columns.ts[column])
        self._cursor = (ts, self.grid.value_of(row))
        self._hover = None
        self.redraw()

    def action_move(self, columns: int, rows: int) -> None:
        """Move the cursor; it begins at the moment that is looked at, on the p99."""
        if not self.grid:
            return
        at = self._at()
        if at is None:
            column = self._looked_at
            at = Cell(column, self.grid.row_of(float(self.grid.percentiles[-1, column])))
        self._put(at.column + columns, at.row + rows)

    def on_resize(self) -> None:
        """Fit the new size, and say so."""
        super().on_resize()
        self.post_message(self.Rearranged())

    def action_zoom(self) -> None:
        """Put more intervals into a column, or one again."""
        self._zoom = (self._zoom + 1) % len(ZOOMS)
        self._stale = True
        self.redraw()
        self.post_message(self.Rearranged())

    def action_choose(self) -> None:
        """Have everything show the moment of the cursor's column."""
        if self.reading is not None:
            self.post_message(self.Chosen(self.reading.ts))

    def action_leave(self) -> None:
        """Hide the cursor and give the focus away."""
        self.blur()
        self.post_message(self.Left())

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor while the keys move it."""
        super().watch_has_focus(has_focus)
        ts = self._cursor[0] if self._cursor is not None else None
        if ts is not None and (not self.grid or ts < self.grid.columns.ts[0]):
            self._cursor = None
        if has_focus and self._cursor is None:
            self.action_move(0, 0)
        self.redraw()

    def _under(self, event: events.MouseEvent) -> Cell | None:
        cell = Cell((event.x - self._left) // self.cell_width, self.map_rows - event.y)
        return cell if 0 <= cell.column < self.map_columns and 0 <= cell.row < self.map_rows else None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Read the cell under the mouse."""
        cell = self._under(event)
        if cell != self._hover:
            self._hover = cell
            self.redraw()

    def on_leave(self) -> None:
        """Read the cursor's cell again, if there is one."""
        if self._hover is not None:
            self._hover = None
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        cell = self._under(event)
        if cell is not None and self.grid:
            self._put(cell.column - self._first, cell.row)
