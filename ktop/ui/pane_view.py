"""One pane: its question, its chart, its table, and how far the figures can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ktop.format import span
from ktop.frame import Frame, Status
from ktop.pane import CGROUP, START, Pane, RowHistogram, Shape
from ktop.source import HOST
from ktop.tables.totals import filter_for, per_cgroup, per_process
from ktop.text import escape
from ktop.ui.bridge import Arrived, Bridge
from ktop.ui.charts.chart_area import ChartArea
from ktop.ui.charts.frame_window import Trail
from ktop.ui.line import Line
from ktop.ui.line_widget import Ground
from ktop.ui.pane_rows import STACK_SECONDS, Snapshot, newest_frame, number, snapshot
from ktop.ui.rows_view import RowsView
from ktop.ui.status_line import StatusLine
from ktop.ui.table.table import FrameTable
from ktop.ui.view import Followed, View

if TYPE_CHECKING:
    from ktop.ui.stack_tree import StackTree


PER_PROCESS, PER_NAME, PER_CGROUP = "per process", "per name", "per cgroup"
_TOTALS: Mapping[str, Callable[[Pane], Pane]] = {PER_PROCESS: per_process, PER_CGROUP: per_cgroup}
"""What makes of a pane its totals, by what they are called."""


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
        self._question = Line(id="question")
        trail = Trail(bridge.history, pane)
        self._chart = ChartArea(pane, trail, view) if pane.chart is not None else None
        self._reason = Static(id="unavailable", markup=False)
        self.table = _rows_view(pane)
        """Where the rows are; another one when they become totals."""
        self._status = StatusLine(recorded=recorded)
        self._shown_pane = pane
        self._totals = ""
        """What rows are totals of, in words; empty: each is by itself."""
        if wanted := self._wanted_totals():
            self._set_totals(wanted)
            self.table = _rows_view(self._shown_pane)
        self._snapshot = Snapshot(rows={}, total=0, empty_text="")
        self._drawn_at = 0.0
        """What "now" was when the pane was drawn last (Unix time)."""
        self._drawn: Frame | None = None
        """Of which it was drawn."""

    # -- parts ---------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Compose question, chart, rows and status."""
        yield self._question
        if self._chart is not None:
            yield self._chart
        yield self._reason
        yield self.table
        yield self._status

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
        self._bridge.watch(HOST, self)  # which goes on where the pane does not
        if self.table.is_attached and self._wanted_totals() != self._totals:
            self._show_totals(self._wanted_totals())
        elif self.table.is_attached:
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
        if not self._view.is_reached(self._bridge.now):
            return  # nothing of the way there is what was asked for
        frame = self._frame()
        if self._drawn_at < self._view.until and not _is_same(frame, self._drawn):
            self.draw()
            return
        if self._view.live:
            return
        if self._chart is not None:
            self._chart.age(self._bridge.now)
        self.table.age(self._bridge.now)
        self._draw_status(frame)

    # -- drawing -------------------------------------------------------------

    def draw(self) -> None:
        """Draw the pane at the moment looked at."""
        if not self.is_mounted or not self.display:
            return
        self._drawn_at = self._bridge.now
        frame = self._drawn = self._frame()
        reason = frame.status.unavailable if frame is not None else None
        self._draw_reason(reason)
        if self._chart is not None:
            # Not in on_resize alone: on a host that starves, Frames came before the first size was known,
            # and the chart was left without room for good.  Out of sight it has no size, and keeps the last.
            if self.size and self._chart.room != self.size:
                self._chart.fit(self.size.width, self.size.height)
            self._chart.draw(self._bridge.now, available=reason is None)
        self._draw_rows(frame)
        self._draw_question(frame)
        self._draw_status(frame)

    def _frame(self) -> Frame | None:
        return newest_frame(self.pane, self._bridge, self._view)

    def _draw_question(self, frame: Frame | None) -> None:
        notes = []
        if self._totals:
            notes.append(self._called)
        if self._snapshot.kept_s is not None:
            notes.append(f"of the last {span(self._snapshot.kept_s)}")
        if self._snapshot.sampled_s:
            of = f" of the last {STACK_SECONDS:g} s" if self._snapshot.sampled_s < STACK_SECONDS - 1 else ""
            notes.append(f"sampled {self._snapshot.sampled_s:.3g} s{of}")
        if self._view.follow is not None and self._shown_pane.has_processes:
            waiting = ", which has no row now" if not self.is_on(self._view.follow) else ""
            notes.append(f"following {self._view.follow.pid}{waiting}")
        notes += self._snapshot.notes
        if frame is not None and frame.dropped:
            notes.append(f"{frame.dropped} rows of this moment are no longer kept")
        if self._snapshot.older and self._snapshot.kept_s is None:
            notes.append(f"{self._snapshot.older} older ones are no longer kept")
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
        per_name = self._totals == PER_NAME
        found = self._snapshot = snapshot(
            self.pane, self._shown_pane, frame, self._bridge, self._view, per_name=per_name
        )
        self.table.show_snapshot(found)
        self.table.follow_process(self._view.follow)
        self._draw_row_chart()
        self.post_message(self.Drawn(found.count, found.total, found.ignored))

    def _draw_status(self, frame: Frame | None) -> None:
        host = self._bridge.newest(HOST)
        self._status.show(
            frame.status if frame is not None else Status(),
            frame.interval_s if frame is not None else None,
            host.host if host is not None else {},
        )

    def _draw_row_chart(self) -> None:
        if self._chart is not None and isinstance(self.pane.chart, RowHistogram):
            self._chart.draw_row(self.table.cursor_row())

    # -- what the screen asks for --------------------------------------------

    def is_on(self, process: Followed) -> bool:
        """Return whether the cursor is on ``process``."""
        return self.table.is_on(process)

    @property
    def shown_pane(self) -> Pane:
        """What the table shows: the pane, or totals of it."""
        return self._shown_pane

    @property
    def is_on_map(self) -> bool:
        """Whether the keyboard is the heatmap's."""
        chart = self._chart.focusable if self._chart is not None else None
        return chart is not None and self.screen.focused is chart

    def focus_table(self) -> None:
        """Give the table the keyboard."""
        if self.table.is_attached:
            # At once, here as below: deferred, it could take the keyboard from a filter begun meanwhile.
            self.screen.set_focus(self.table)

    def switch_focus(self) -> bool:
        """Give the heatmap the keyboard, or the table again; return whether there is one."""
        chart = self._chart.focusable if self._chart is not None else None
        if chart is not None and not self.is_on_map:
            self.screen.set_focus(chart)
        else:
            self.focus_table()
        return chart is not None

    def toggle_per_process(self) -> bool:
        """Show one row for each process, or the pane's own rows; return whether there are such totals.

        They stay in the same order, and the cursor on the same process.  Of stacks it is one for each name.
        """
        if self.pane.adds_up_per_process:
            words = PER_NAME if self.pane.shape is Shape.STACKS else PER_PROCESS
            self._show_totals("" if self._totals == words else words)
        return self.pane.adds_up_per_process

    def toggle_per_cgroup(self) -> bool:
        """Show one row for each cgroup, in all panes, or the pane's own rows; likewise."""
        if self.pane.adds_up_per_cgroup:
            self._show_totals("" if self._totals == PER_CGROUP else PER_CGROUP)
        return self.pane.adds_up_per_cgroup

    def _wanted_totals(self) -> str:
        """Return what the rows are to be totals of: per cgroup in all panes that can, or in none."""
        if self._view.per_cgroup and self.pane.adds_up_per_cgroup:
            return PER_CGROUP
        return "" if self._totals == PER_CGROUP else self._totals

    def _show_totals(self, words: str) -> None:
        """Have rows be totals, or none, from now on."""
        self._view.per_cgroup = words == PER_CGROUP
        self._set_totals(words)
        if self.pane.shape is Shape.STACKS:
            self.focus_table()
            self.draw()
            return
        old, self.table = self.table, FrameTable(self._shown_pane, self.table.sorting)
        self.mount(self.table, after=old)
        self.focus_table()
        old.remove()
        # Among events it was on the newest, whoever caused that: what comes first is looked at then.
        row = old.cursor_row() or {} if self.pane.shape is Shape.TABLE else {}
        known = {column.name for column in self._shown_pane.columns}
        same = [name for name in (self.pane.process_key, START) if name in row and name in known]
        if not same and CGROUP.name in row:
            same = [CGROUP.name]
        self.call_after_refresh(self._table_changed, {name: row[name] for name in same})

    @property
    def _called(self) -> str:
        """What the totals are called here."""
        of_events = self.pane.event_totals
        return of_events.called if of_events is not None and self._totals == PER_PROCESS else self._totals

    def _set_totals(self, words: str) -> None:
        self._totals = words
        # The tree of stacks has both in one: processes stand below their cgroup.
        in_rows = words and self.pane.shape is not Shape.STACKS
        self._shown_pane = _TOTALS[words](self.pane) if in_rows else self.pane

    def _table_changed(self, row: Mapping[str, Any]) -> None:
        self.draw()
        if row and self._view.follow is None:
            self.table.go_to(**row)

    # -- messages ------------------------------------------------------------

    def on_frame_table_selected(self, event: FrameTable.Selected) -> None:
        """Open the process of the row; of a cgroup's totals show the processes."""
        event.stop()
        cgroup = (event.row or {}).get(CGROUP.name)
        if not self._shown_pane.has_processes and cgroup and self._snapshot.total:
            self._narrow(CGROUP.name, cgroup)
            return
        pid = number(event.row, self._shown_pane.process_key)
        if pid is not None:
            self.post_message(self.Opened(pid, number(event.row, self._shown_pane.start_key)))

    def _narrow(self, column: str, value: bytes) -> None:
        """Show nothing but the processes with ``value`` in ``column``, each by itself."""
        self._show_totals("")
        self.post_message(self.Narrowed(filter_for(column, value)))

    def on_frame_table_awaited(self, event: FrameTable.Awaited) -> None:
        """Open the process that is followed."""
        event.stop()
        if self._view.follow is not None:
            self.post_message(self.Opened(*self._view.follow))

    def on_stack_tree_selected(self, event: StackTree.Selected) -> None:
        """Open the process of the line: where a PID was used again, the last one.  Of several show those."""
        event.stop()
        if not event.pid:
            column, value = event.group or ("", None)
            if value:
                self._narrow(column, value)
            return
        rows = self._snapshot.rows
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


def _is_same(frame: Frame | None, drawn: Frame | None) -> bool:
    """Return whether ``frame`` looks like the one that was ``drawn``: it is that, or says the same reason."""
    if frame is None or drawn is None:
        return frame is drawn
    return frame.ts == drawn.ts or None is not frame.status.unavailable == drawn.status.unavailable


def _rows_view(pane: Pane) -> RowsView:
    """Return what shows the rows of ``pane``."""
    if pane.shape is Shape.STACKS:
        from ktop.ui.stack_tree import StackTree

        return StackTree()
    return FrameTable(pane)
