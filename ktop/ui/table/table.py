"""The live table: rows replaced every second, and a cursor that stays on its row.

Only the lines on the screen are written (Textual's line API).  The cursor is
the identity of a row, the values of the pane's key, never a position: rows that
change places do not change what Enter opens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from ktop.frame import Array, Rows, length
from ktop.pane import Column, Pane, Shape
from ktop.tables.columns import RowWriter
from ktop.tables.order import find, is_sortable, order, row_at
from ktop.text import fit
from ktop.ui import keys
from ktop.ui.line_widget import Finished
from ktop.ui.pane_rows import Snapshot, number
from ktop.ui.rows_view import RowsView, Sorting
from ktop.ui.table.column_layout import ColumnLayout
from ktop.ui.table.row_cursor import RowCursor
from ktop.ui.table.table_look import TABLE_CSS, TABLE_PARTS, TableStyles, header_segments, with_arrows
from ktop.ui.table.trend import HELP, Trend
from ktop.ui.view import Followed

_SIDEWAYS = 8
"""Cells that one key moves a table sideways."""


class FrameTable(RowsView, can_focus=True):
    """The rows of a pane, sorted, of which one is under the cursor."""

    ALLOW_SELECT = False
    BINDINGS = keys.TABLE
    COMPONENT_CLASSES = TABLE_PARTS
    DEFAULT_CSS = TABLE_CSS

    class RowMessage(Message):
        """Something about one row of a table."""

        def __init__(self, table: FrameTable, row: dict[str, Any] | None) -> None:
            """Tell of ``row`` (as ``cursor_row`` gives it) in ``table``."""
            super().__init__()
            self.table = table
            self.row = row

    class Highlighted(RowMessage):
        """The cursor came to another row, or to none (None)."""

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, FrameTable.Highlighted)

    class Selected(RowMessage):
        """The row under the cursor is to be opened; it is never None."""

    class Awaited(Message):
        """What the cursor waits for is to be opened, though it has no row."""

    def __init__(self, pane: Pane, sorting: Sorting | None = None) -> None:
        """Make a table for the rows of ``pane``: by ``sorting`` if it has that column, else as it wishes."""
        super().__init__()
        self.auto_links = False  # there are no links, and looking for them takes time
        self.pane = pane
        self.empty_text = ""
        """What is said where there are no rows."""
        if sorting is None or all(column.name != sorting.column for column in pane.columns):
            sorting = Sorting(pane.sort)
        self.sort_column, self.sort_reversed = sorting
        self._rows: Rows = {}
        self._order: Array = np.arange(0)
        self._columns = ColumnLayout(pane)
        self._writer: RowWriter | None = None
        self._blank: Strip | None = None
        """A line below the rows."""
        self._lines_before = 1
        self.trend = Trend(pane)
        self._cursor = RowCursor(pane)
        self._styles = TableStyles(self)
        self._chosen = False
        """Whether the user, not the order of the first rows, put the cursor where it is."""
        self._told: dict[str, Any] | None = None
        self._follow = False
        self._sent_to: Followed | None = None
        """Whom the cursor was sent to last."""

    # What is shown

    def show(self, rows: Rows) -> None:
        """Show ``rows`` instead.

        The cursor stays on its row.  When that is gone, the cursor stays where
        it is and so on another row; while it follows a row, it waits for it.
        """
        self._rows = rows
        self._sort()

    def show_snapshot(self, found: Snapshot) -> None:
        """Show the rows of ``found``, and beside them what they were before."""
        self.empty_text = found.empty_text
        self.trend.show(found.frames, found.now, totals=found.are_totals)
        self.show(found.rows)

    def age(self, now: float) -> None:
        """Count the ages above the trend from ``now``; the rows stay."""
        self.trend.age(now)
        if self.trend.width:
            before = self.drawn()
            self._header = None
            self.refresh_changed(before)

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._order)

    @property
    def columns(self) -> list[Column]:
        """The columns that are shown, from the left."""
        return [slot.column for slot in self._columns.slots]

    def column_at(self, x: int) -> Column | None:
        """Return the column at cell ``x`` of the widget."""
        return self._columns.at(x + self.scroll_offset.x)

    # The order

    @property
    def sorting(self) -> Sorting:
        """The order of the rows."""
        return Sorting(self.sort_column, self.sort_reversed)

    def sort_by(self, name: str, reverse: bool = False) -> None:
        """Sort by the column ``name``: numbers from the largest, text from A; ``reverse``: the other way."""
        if not is_sortable(self.pane.column(name)):
            return
        self.sort_column, self.sort_reversed = name, reverse
        self._sort()

    def sort_next(self, step: int) -> None:
        """Sort by the column that is ``step`` to the right (negative: left) of the one sorted by.

        The pane's own is among them wherever it is: the way back to how it was.
        """
        reachable = {self.pane.sort, *(column.name for column in self.columns if is_sortable(column))}
        names = [column.name for column in self.pane.columns if column.name in reachable]
        if names:
            here = names.index(self.sort_column) if self.sort_column in names else 0
            self.sort_by(names[(here + step) % len(names)])

    def reverse_sort(self) -> None:
        """Turn the order round."""
        self.sort_by(self.sort_column, not self.sort_reversed)

    # The cursor

    @property
    def cursor_key(self) -> dict[str, Any] | None:
        """What identifies the row under the cursor (or waited for), by column; None without one."""
        return self._cursor.key

    @property
    def follow(self) -> bool:
        """Whether the cursor's row is kept on the screen wherever it moves, and waited for."""
        return self._follow

    @follow.setter
    def follow(self, follow: bool) -> None:
        self._follow = follow
        if follow and not self._cursor.absent:
            self._reveal()

    def cursor_row(self) -> dict[str, Any] | None:
        """Return the row under the cursor: Python values, arrays for histograms; None without one."""
        if self._cursor.absent or not self.row_count:
            return None
        return row_at(self._rows, int(self._order[self._cursor.position]))

    def go_to(self, **values: Any) -> bool:
        """Move the cursor to the first row with these values; return whether there is one."""
        place = find({name: self._rows[name] for name in values if name in self._rows}, values)
        if place < 0:
            return False
        self._go(int(np.flatnonzero(self._order == place)[0]))
        return True

    def wait_for(self, **values: Any) -> None:
        """Have nothing under the cursor until a row with these values comes; ``follow`` it."""
        self._chosen = True
        self._cursor.wait_for(values)
        self._strips.pop(self._cursor.position, None)
        self.refresh_line(self._cursor.position + 1)
        self._tell()

    @property
    def process(self) -> Followed | None:
        """The process of the row under the cursor, and when it started, where the row says."""
        row = self.cursor_row()
        pid = number(row, self.pane.process_key)
        return Followed(pid, number(row, self.pane.start_key)) if pid is not None else None

    def follow_process(self, process: Followed | None) -> None:
        """Put the cursor on ``process``, and keep it there or waiting; not where no row is a process."""
        if not self.pane.has_processes:
            return
        if process is not None and not (self._follow and process.is_same(self.process)):
            values = {self.pane.process_key: process.pid, self.pane.start_key: process.start_ns}
            known = {name: value for name, value in values.items() if value is not None}
            # Waited for once: whoever moves the cursor meanwhile means to look elsewhere until it comes.
            if not self.go_to(**known) and self._sent_to != process:
                self.wait_for(**known)
        self._sent_to = process
        if self._follow != (process is not None):
            self.follow = process is not None

    def action_move(self, step: int) -> None:
        """Move the cursor; one that is out of sight comes back at the edge it left behind."""
        top, count = self.scroll_offset.y, self.lines
        if self._in_sight():
            self._go(self._cursor.position + step)
        else:
            self._go(top if step > 0 else top + count - 1)

    def action_page(self, step: int) -> None:
        """Move the cursor by a screen of rows."""
        start = self._cursor.position if self._in_sight() else self.scroll_offset.y
        self._go(start + step * max(1, self.lines - 1))

    def action_first(self) -> None:
        """Move the cursor to the first row; among events it is then on the newest, whichever comes."""
        self._go(0)
        self._chosen = self.pane.shape is not Shape.EVENTS

    def action_last(self) -> None:
        """Move the cursor to the last row."""
        self._go(self.row_count - 1)

    def action_sideways(self, step: int) -> None:
        """Show other columns, where not all fit."""
        self.scroll_to(x=self.scroll_offset.x + step * _SIDEWAYS, animate=False, force=True)

    def action_select(self) -> None:
        """Open the cursor's row; one out of sight is only shown: nobody opens what they do not see."""
        row = self.cursor_row()
        if row is None:
            if self._follow:
                self.post_message(self.Awaited())
        elif self._in_sight():
            self._chosen = True
            self.post_message(self.Selected(self, row))
        else:
            self._reveal()

    # Events

    def on_resize(self, _event: events.Resize) -> None:
        """Give the columns their places anew; the row under the cursor stays in sight if it was."""
        seen = 0 <= self._cursor.position - self.scroll_offset.y < self._lines_before
        self._lines_before = self.lines
        self._arrange()
        self.forget()
        if seen and self.row_count:
            self._reveal()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Sort by a header; put the cursor on a row; open the one it is on."""
        event.stop()
        if event.y == 0:
            self._click_header(event.x)
            return
        position = event.y - 1 + self.scroll_offset.y
        # The rows may have changed places between the two clicks of a double click.
        if event.chain > 1 or (position == self._cursor.position and not self._cursor.absent):
            self.action_select()
        elif position < self.row_count:
            self._go(position)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Explain the column whose header is under the mouse."""
        column = self.column_at(event.x) if event.y == 0 else None
        over_trend = event.y == 0 and self.trend.width and event.x >= self._columns.width
        text = column.help if column else HELP if over_trend else ""
        # Content: no markup is read in the text.
        tooltip = Content(text) if text else None
        if tooltip != self.tooltip:
            self.tooltip = tooltip

    def notify_style_update(self) -> None:
        """Forget what was painted in other colours."""
        super().notify_style_update()
        self._styles.forget()
        self._blank = None
        self.forget()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Paint the cursor as one that keys move, or not."""
        super().watch_has_focus(has_focus)
        self.forget()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return line ``y`` of the widget: the header, then the rows from where it is scrolled to."""
        left, top = self.scroll_offset
        strip = self.kept_header() if y == 0 else self.kept_strip(top + y - 1)
        if left or strip.cell_length != self.outer_size.width:
            right, length = left + self._width, strip.cell_length
            strip = strip.crop(left, right)
            if y == 0:
                strip = with_arrows(strip, left > 0, length > right, self._styles.of("header-sorted"))
            return strip.extend_cell_length(self.outer_size.width, self._styles.of("row"))
        return strip

    def line_strip(self, place: int) -> Strip:
        """Return the row at ``place`` of the order."""
        if place >= max(self.row_count, 1):
            # Below the rows all are the same, now as before.
            if self._blank is None or self._blank.cell_length != self._line_width:
                self._blank = self._whole(self._row_segments(place))
            return self._blank
        segments = self._row_segments(place)
        if self.trend.width and place < self.row_count:
            top = self.scroll_offset.y
            on_screen = self._order[top : top + self.lines].tolist()
            bars = self.trend.text(self._rows, int(self._order[place]), on_screen)
            under_cursor = place == self._cursor.position and not self._cursor.absent
            segments.append(Segment(bars, self._styles.of("cursor" if under_cursor else "trend")))
        return self._whole(segments)

    def header_strip(self) -> Strip:
        """Return the columns' headers."""
        rising = self.pane.column(self.sort_column).is_text != self.sort_reversed
        styles = self._styles.of("header"), self._styles.of("header-sorted")
        segments = header_segments(self._columns.slots, self.sort_column, rising, *styles)
        if self.trend.width:
            segments.append(Segment(self.trend.header(), styles[0]))
        return self._whole(segments)

    def _whole(self, segments: list[Segment]) -> Strip:
        """Return ``segments``, which are as wide as the columns are, as a line as wide as the table."""
        used = sum(segment.cell_length for segment in segments)
        if segments and used < self.outer_size.width:
            segments.append(Segment(" " * (self.outer_size.width - used), segments[-1].style))
        return Finished(segments, max(used, self.outer_size.width) if segments else None)

    @property
    def _line_width(self) -> int:
        """How wide a line without a row is."""
        return max(self._columns.width, self.outer_size.width)

    def _row_segments(self, position: int) -> list[Segment]:
        if position >= self.row_count or self._writer is None:
            text = " " + self.empty_text if position == 0 else ""
            width = self._columns.width or self.outer_size.width
            return [Segment(fit(text, width), self._styles.of("quiet"))]
        row = int(self._order[position])
        pieces = self._writer.pieces(row)
        if position == self._cursor.position and not self._cursor.absent:
            return self._styles.under_cursor(pieces)
        return self._styles.painted(pieces)

    # Places

    @property
    def _width(self) -> int:
        """How wide the rows are: the last cell is the scroll bar's, whether it shows or not."""
        return max(1, self.outer_size.width - 1)

    def _in_sight(self) -> bool:
        return 0 <= self._cursor.position - self.scroll_offset.y < self.lines

    def _sort(self) -> None:
        """Bring the rows in order, the cursor to its row, and the row to where it was on the screen."""
        line = self._cursor.position - self.scroll_offset.y
        anchored = self._in_sight() and not self._cursor.absent and self.scroll_offset.y > 0
        self._order = order(self.pane, self._rows, self.sort_column, reverse=self.sort_reversed)
        before = self.drawn()
        self._arrange()
        self.forget()
        self._cursor.locate(self._rows, self._order, wait=self._follow)
        # Nobody chose that row: where events come, the newest is looked at, and a cursor that is out of
        # sight from the start only puzzles.
        at_top = self.pane.shape is Shape.EVENTS and not self.scroll_offset.y
        if not self._chosen and self.row_count and (at_top or not self._in_sight()):
            self._cursor.put(self._rows, self._order, self.scroll_offset.y)
        if anchored:
            self._scroll(self._cursor.position - line)
        if self._follow and not self._cursor.absent:
            self._reveal()
        self._tell()
        self.refresh_changed(before)

    def _go(self, position: int) -> None:
        """Put the cursor on the row at ``position``, or the nearest there is."""
        if not self.row_count:
            return
        before = self._cursor.position
        self._chosen = True
        self._cursor.put(self._rows, self._order, position)
        for changed in (before, self._cursor.position):
            self._strips.pop(changed, None)
            self.refresh_line(changed + 1)
        self._reveal()
        self._tell()

    def _reveal(self) -> None:
        """Scroll as little as brings the cursor into sight."""
        top = self.scroll_offset.y
        if self._cursor.position < top:
            self._scroll(self._cursor.position)
        elif self._cursor.position >= top + self.lines:
            self._scroll(self._cursor.position - self.lines + 1)

    def _scroll(self, top: int) -> None:
        self.scroll_to(y=top, animate=False, force=True)

    def _tell(self) -> None:
        """Tell when the cursor is on another row than it was."""
        now = None if self._cursor.absent else self._cursor.key
        if now != self._told:
            self._told = now
            self.post_message(self.Highlighted(self, self.cursor_row()))

    def _arrange(self) -> None:
        """Give the columns their places, and the trend what they leave."""
        self._columns.arrange(self._rows, self.sort_column, self.app.size.width, self._width)
        slots, used = self._columns.slots, self._columns.width
        self._writer = RowWriter(slots, self._rows, self.sort_column) if length(self._rows) else None
        self._header = None
        self.trend.fit(self.sort_column, self._width - used)
        self.set_extent(used + 1 if used > self._width else self._width, self.row_count)

    def _click_header(self, x: int) -> None:
        column = self.column_at(x)
        if column is None or not is_sortable(column):
            return
        again = column.name == self.sort_column
        self.sort_by(column.name, again and not self.sort_reversed)
