"""One pane: its question, its chart, its table, and how far the figures can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ktop.frame import Frame, Rows, Status, length, take
from ktop.pane import CGROUP, START, Pane, RowHistogram, Shape, fold
from ktop.source import HOST
from ktop.text import escape
from ktop.ui.bridge import Arrived, Bridge
from ktop.ui.charts.chart_area import ChartArea
from ktop.ui.charts.trail import Trail
from ktop.ui.drawn import Ground
from ktop.ui.keys import has_cgroups, has_totals
from ktop.ui.line import Line
from ktop.ui.pane_rows import (
    filter_for,
    joined,
    not_measured,
    number,
    on_demand,
    per_cgroup,
    per_process,
    totals,
    why_empty,
    with_processes,
)
from ktop.ui.status_line import StatusLine
from ktop.ui.table.table import FrameTable
from ktop.ui.view import Followed, View

if TYPE_CHECKING:
    from ktop.filter import Filter
    from ktop.ui.stack_tree import StackTree

STACK_SECONDS = 30.0
"""Stacks are added up over that long, or an interval that is longer: a few samples say little."""


class PaneView(Vertical, Ground):
    """Draws its pane at the moment looked at, whenever a Frame comes or the moment changes."""

    class Opened(Message):
        """A row's process is asked for."""

        def __init__(self, pid: int, start_ns: int | None) -> None:
            """Keep its PID, and when it started (ns since boot), if the row says."""
            super().__init__()
            self.pid, self.start_ns = pid, start_ns

    class Narrowed(Message):
        """Only the rows that a total is of are asked for."""

        def __init__(self, term: str) -> None:
            """Keep the term of the filter that leaves them."""
            super().__init__()
            self.term = term

    class Drawn(Message):
        """Rows were drawn."""

        def __init__(self, shown: int, total: int, ignored: tuple[str, ...]) -> None:
            """Keep how many rows of how many, and the filter's terms that mean nothing here."""
            super().__init__()
            self.shown, self.total, self.ignored = shown, total, ignored

    def __init__(self, pane: Pane, bridge: Bridge, view: View, *, recorded: bool = False) -> None:
        """Show ``pane`` from the Frames (``recorded`` ones?) of ``bridge`` at the moment of ``view``."""
        super().__init__()
        self.pane = pane
        self._bridge = bridge
        self._view = view
        self._trail = Trail(bridge.history, pane)
        self._question = Line(id="question")
        self._chart = ChartArea(pane, self._trail, view) if pane.chart is not None else None
        self._reason = Static(id="unavailable", markup=False)
        self._table: Any = None
        self._status = StatusLine(recorded=recorded)
        self._shown_pane = pane
        self._totals = ""
        """What rows are totals of, in words; empty: each is by itself."""
        self._rows_shown: Rows = {}
        self._older = 0
        self._waiting_for: Followed | None = None
        """Whom the cursor was sent to last."""
        self._stacks_s = 0.0
        """Seconds that the stacks shown were sampled in."""
        self._on_demand: list[str] = []
        self._drawn_at = 0.0
        """What "now" was when the pane was drawn last (Unix time)."""

    # -- parts ---------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Compose question, chart, rows and status."""
        yield self._question
        if self._chart is not None:
            yield self._chart
        yield self._reason
        self._table = self._make_table()
        yield self._table
        yield self._status

    def _make_table(self) -> Any:
        if self.pane.shape is Shape.STACKS:
            from ktop.ui.stack_tree import StackTree

            return StackTree()
        return FrameTable(self._shown_pane)

    def on_mount(self) -> None:
        """Draw what there is, and follow what comes; unless another pane was chosen meanwhile."""
        if self.display:
            self.wake()

    def on_unmount(self) -> None:
        """Follow nothing more."""
        self.sleep()

    def on_resize(self) -> None:
        """Give the chart its share."""
        self.draw()

    def wake(self) -> None:
        """Come into sight: draw from the history, then follow."""
        self._bridge.watch(self.pane.name, self)
        if self._table is not None:
            self.draw()
            focused = self.screen.focused
            # Being made takes its time, in which a filter can have been begun.
            if focused is None or any(isinstance(owner, PaneView) for owner in focused.ancestors):
                self.focus_table()

    def sleep(self) -> None:
        """Go out of sight: nothing is drawn any more."""
        self._bridge.unwatch(self)

    def on_arrived(self, _event: Arrived) -> None:
        """Draw the newest Frame; once all up to the moment that is held were drawn, only their ages."""
        if self._drawn_at < self._view.until:
            self.draw()
            return
        if self._chart is not None:
            self._chart.age(self._bridge.now)
        if self.pane.shape is Shape.TABLE:
            self._table.age(self._bridge.now)
        self._draw_status(self._frame())

    # -- drawing -------------------------------------------------------------

    def draw(self) -> None:
        """Draw the pane at the moment looked at."""
        if not self.is_mounted or not self.display:
            return
        self._drawn_at = self._bridge.now
        frame = self._frame()
        reason = frame.status.unavailable if frame is not None else None
        self._draw_reason(reason)
        if self._chart is not None:
            # Not in on_resize alone: on a host that starves, Frames came before the first size was known,
            # and the chart was left without room for good.
            if self._chart.room != self.size:
                self._chart.fit(self.size.width, self.size.height)
            known = frame is not None or self._view.live
            self._chart.draw(self._bridge.now, available=known and reason is None)
        self._draw_rows(frame)
        self._draw_question(frame)
        self._draw_status(frame)

    def _frame(self) -> Frame | None:
        return self._bridge.history.latest(self.pane.name, self._view.until)

    def _draw_question(self, frame: Frame | None) -> None:
        notes = []
        if self._totals:
            notes.append(self._totals)
        if self.pane.shape is Shape.STACKS:
            notes.append(f"last {self._stacks_s:.3g} s")
        if self._view.follow is not None and self._shown_pane.has_processes:
            waiting = ", which has no row now" if not self.is_on(self._view.follow) else ""
            notes.append(f"following {self._view.follow.pid}{waiting}")
        notes += self._on_demand
        if frame is not None and frame.dropped:
            notes.append(f"{frame.dropped} rows of this moment are no longer kept")
        if self._older:
            notes.append(f"{self._older} older ones are no longer kept")
        self._question.set([(self.pane.question, "muted")], [("  ".join(notes), "strong")])

    def _draw_reason(self, reason: str | None) -> None:
        if self._reason.display != (reason is not None):
            self._reason.display = reason is not None
        if reason is not None:
            title = Content.styled(f"{self.pane.name} has no figures on this host", "bold $strong")
            # The reason quotes the kernel, so it is made harmless line by line.
            text = "\n".join(escape(line) for line in reason.splitlines())
            self._reason.update(Content("\n\n").join([title, Content(text[:1].upper() + text[1:])]))

    def _draw_rows(self, frame: Frame | None) -> None:
        rows = self._rows(frame)
        self._on_demand = on_demand(self.pane, frame, rows) if frame is not None else []
        total = length(rows)
        some = False
        if total and self._view.filter and frame is not None:
            rows, some = self._filtered(rows, frame, self._view.filter)
        if self.pane.shape is not Shape.STACKS:
            if frame is not None and frame.status.unavailable and not total:
                rows = not_measured(self._shown_pane)
            self._table.empty_text = why_empty(frame, total, waiting=self._view.live or not self._bridge.now)
            if self.pane.shape is Shape.TABLE:
                history = self._bridge.history
                frames = history.at_hand(self.pane.name, self._view.until) if total and not some else ()
                self._table.trend.show(frames, self._bridge.now, totals=bool(self._totals))
        self._table.show(rows)
        self._rows_shown = rows
        self._follow()
        self._draw_row_chart()
        self.post_message(self.Drawn(length(rows) if total else 0, total, self._ignored()))

    def _filtered(self, rows: Rows, frame: Frame, chosen: Filter) -> tuple[Rows, bool]:
        """Return those of ``rows`` that are ``chosen``, and whether they are totals of some rows only."""
        before, after = chosen.for_totals(self._shown_pane) if self._totals else (None, chosen)
        if before:
            rows = self._added_up(take(frame.rows, before.mask(self.pane, frame.rows)))
        return take(rows, after.mask(self._shown_pane, rows)), bool(before)

    def _ignored(self) -> tuple[str, ...]:
        """Return the terms of the filter that mean nothing here."""
        if not self._view.filter:
            return ()
        unknown = self._view.filter.ignored(self._shown_pane)
        return tuple(term for term in self._view.filter.ignored(self.pane) if term in unknown)

    def _follow(self) -> None:
        """Put the cursor on the process that is followed, and have the table keep it there."""
        followed = self._view.follow
        if self.pane.shape is Shape.STACKS:
            if followed is not None and not self.is_on(followed):
                self._table.go_to(followed.pid)
            return
        if not self._shown_pane.has_processes:
            return
        if followed is not None and not (self._table.follow and self.is_on(followed)):
            process = {self.pane.process_key: followed.pid, START: followed.start_ns}
            known = {name: value for name, value in process.items() if value is not None}
            # Waited for once: whoever moves the cursor meanwhile means to look elsewhere until it comes.
            if not self._table.go_to(**known) and self._waiting_for != followed:
                self._table.wait_for(**known)
        self._waiting_for = followed
        if self._table.follow != (followed is not None):
            self._table.follow = followed is not None

    def _rows(self, frame: Frame | None) -> Rows:
        """Return the rows of the moment: one interval's, or what several make together."""
        if frame is None:
            return {}
        if self.pane.shape is Shape.EVENTS:
            rows, self._older = self._bridge.events(self.pane.name, None if self._view.live else frame.ts)
            return rows
        if self.pane.shape is Shape.STACKS:
            # Half an interval: they do not come to the millisecond.
            since = frame.ts - STACK_SECONDS + frame.interval_s / 2
            frames = self._bridge.history.frames(self.pane.name, since=min(since, frame.ts), until=frame.ts)
            self._stacks_s = sum(each.interval_s for each in frames)
            tables = [each.rows for each in frames if len(each)]
            return fold(self.pane, joined(tables), self.pane.key) if tables else {}
        return self._added_up(frame.rows) if self._totals and len(frame) else frame.rows

    def _added_up(self, rows: Rows) -> Rows:
        if self._shown_pane.key == (CGROUP.name,):
            rows = with_processes(self.pane, rows)
        return totals(self._shown_pane, rows)

    def _draw_status(self, frame: Frame | None) -> None:
        host = self._bridge.history.latest(HOST, self._view.until)
        self._status.show(
            frame.status if frame is not None else Status(),
            frame.interval_s if frame is not None else None,
            host.host if host is not None else {},
        )

    def _draw_row_chart(self) -> None:
        if self._chart is not None and isinstance(self.pane.chart, RowHistogram):
            self._chart.draw_row(self._table.cursor_row())

    # -- what the screen asks for --------------------------------------------

    @property
    def pid(self) -> int | None:
        """The process under the cursor; None where there is none."""
        if self.pane.shape is Shape.STACKS:
            return self._table.cursor.pid if self._table.cursor is not None else None
        return number(self._table.cursor_row(), self.pane.process_key)

    @property
    def process(self) -> Followed | None:
        """The same, and when it started, where the row says."""
        if self.pid is None:
            return None
        row = None if self.pane.shape is Shape.STACKS else self._table.cursor_row()
        return Followed(self.pid, number(row, START))

    def is_on(self, process: Followed) -> bool:
        """Return whether the cursor is on ``process``."""
        return process.is_same(self.process)

    @property
    def shown_pane(self) -> Pane:
        """What the table shows: the pane, or totals of it."""
        return self._shown_pane

    @property
    def is_on_map(self) -> bool:
        """Whether the keyboard is the heatmap's."""
        chart = self._chart.focusable if self._chart is not None else None
        return chart is not None and self.screen.focused is chart

    @property
    def can_sort(self) -> bool:
        """Whether there are columns to sort by."""
        return self.pane.shape is not Shape.STACKS

    @property
    def sorted_by(self) -> str:
        """The column sorted by."""
        return str(self._table.sort_column) if self.can_sort else self.pane.sort

    @property
    def moving_keys(self) -> Sequence[BindingType]:
        """The keys of the table."""
        return list(type(self._table).BINDINGS)

    def sort_by(self, column: str | None) -> None:
        """Sort by ``column``; None changes nothing."""
        if column is not None and self.can_sort:
            self._table.sort_by(column)

    def sort_next(self, step: int) -> None:
        """Sort by a neighbouring column."""
        if self.can_sort:
            self._table.sort_next(step)

    def reverse_sort(self) -> None:
        """Reverse the order."""
        if self.can_sort:
            self._table.reverse_sort()

    def focus_table(self) -> None:
        """Give the table the keyboard."""
        if self._table is not None:
            # At once, here as below: deferred, it could take the keyboard from a filter begun meanwhile.
            self.screen.set_focus(self._table)

    def switch_focus(self) -> None:
        """Give the chart the keyboard, or the table again."""
        chart = self._chart.focusable if self._chart is not None else None
        if chart is not None and not self.is_on_map:
            self.screen.set_focus(chart)
        else:
            self.focus_table()

    def toggle_per_process(self) -> None:
        """Show one row for each process, or the pane's own rows, in the same order, on the same process."""
        if has_totals(self.pane):
            self._toggle("per process", per_process)

    def toggle_per_cgroup(self) -> None:
        """Show one row for each cgroup, or the pane's own rows, in the same order, on the same cgroup."""
        if has_cgroups(self.pane):
            self._toggle("per cgroup", per_cgroup)

    def _toggle(self, words: str, make: Callable[[Pane], Pane]) -> None:
        self._totals = "" if self._totals == words else words
        self._shown_pane = make(self.pane) if self._totals else self.pane
        self._waiting_for = None
        old, self._table = self._table, FrameTable(self._shown_pane)
        if any(column.name == old.sort_column for column in self._shown_pane.columns):
            self._table.sort_column, self._table.sort_reversed = old.sort_column, old.sort_reversed
        self.mount(self._table, after=old)
        self.focus_table()
        old.remove()
        row = old.cursor_row() or {}
        known = {column.name for column in self._shown_pane.columns}
        same = [name for name in (self.pane.process_key, START) if name in row and name in known]
        if not same and CGROUP.name in row:
            same = [CGROUP.name]
        self.call_after_refresh(self._table_changed, {name: row[name] for name in same})

    def _table_changed(self, row: Mapping[str, Any]) -> None:
        self.draw()
        if row and self._view.follow is None:
            self._table.go_to(**row)

    # -- messages ------------------------------------------------------------

    def on_frame_table_selected(self, event: FrameTable.Selected) -> None:
        """Open the process of the row; of a cgroup's totals show the processes."""
        event.stop()
        cgroup = (event.row or {}).get(CGROUP.name)
        if not self._shown_pane.has_processes and cgroup:
            self.toggle_per_cgroup()
            self.post_message(self.Narrowed(filter_for(cgroup)))
            return
        pid = number(event.row, self.pane.process_key)
        if pid is not None:
            self.post_message(self.Opened(pid, number(event.row, START)))

    def on_frame_table_awaited(self, event: FrameTable.Awaited) -> None:
        """Open the process that is followed."""
        event.stop()
        if self._view.follow is not None:
            self.post_message(self.Opened(*self._view.follow))

    def on_stack_tree_selected(self, event: StackTree.Selected) -> None:
        """Open the process of the line: where a PID was used again, the last one."""
        event.stop()
        rows = self._rows_shown
        starts = rows[START][rows[self.pane.process_key] == event.pid] if START in rows else ()
        newest = max(starts, default=None)
        self.post_message(self.Opened(event.pid, number({START: newest}, START)))

    def on_frame_table_highlighted(self, event: FrameTable.Highlighted) -> None:
        """Draw the histogram of the row."""
        event.stop()
        self._draw_row_chart()

    def on_heatmap_view_chosen(self) -> None:
        """Take the keyboard back; the screen shows that moment."""
        self.focus_table()

    def on_heatmap_view_left(self) -> None:
        """Take the keyboard back."""
        self.focus_table()
