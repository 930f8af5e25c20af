"""The screen that is always there: header, tabs, the pane in sight, filter, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container

from ktop.pane import Pane, Shape
from ktop.source import HOST, Source
from ktop.ui import keys
from ktop.ui.bridge import Bridge
from ktop.ui.footer import KeyLine
from ktop.ui.header import Header, pressure_style
from ktop.ui.line import Line
from ktop.ui.line_widget import Ground
from ktop.ui.tabs import PaneTabs
from ktop.ui.textual_fixes.laid_out import LaidOut
from ktop.ui.time_keys import TimeKeys
from ktop.ui.view import View

if TYPE_CHECKING:
    from ktop.history.history import History
    from ktop.ui.charts.heatmap import HeatmapView
    from ktop.ui.filter_bar import FilterBar
    from ktop.ui.pane_view import PaneView


class Body(Container, Ground):
    """Where the pane in sight is."""


class MainScreen(TimeKeys, LaidOut, Ground):
    """Shows one pane at a time; each is made when it is first looked at."""

    BINDINGS = keys.MAIN

    def __init__(self, source: Source, panes: Sequence[Pane], bridge: Bridge, view: View, pane: int) -> None:
        """Show the panes of ``source`` from ``bridge``, the one at ``pane`` first."""
        super().__init__()
        self.source = source
        self.panes = tuple(panes)
        self.bridge = bridge
        self.view = view
        # Held, not queried: while the application ends its widgets go before the screen does.
        self._header = Header(source.identity, bridge, view)
        self._tabs = PaneTabs([each.name for each in panes], pane)
        self._footer = keys.footer(keys.TABLE, self.BINDINGS, keys.APP)
        self._keys = KeyLine(self._footer)
        self._current = pane
        self._views: dict[int, PaneView] = {}
        self._demanded: set[str] = set()
        self._bar: FilterBar | None = None

    @property
    def pane(self) -> Pane:
        """The pane in sight."""
        return self.panes[self._current]

    @property
    def history(self) -> History:
        """The Frames kept."""
        return self.bridge.history

    @property
    def pane_view(self) -> PaneView | None:
        """The view in sight; None while it is being made, for keys that come meanwhile."""
        view = self._views.get(self._current)
        return view if view is not None and view.is_mounted else None

    def compose(self) -> ComposeResult:
        """Compose what is seen before anything is known; panes come after the first paint."""
        yield self._header
        yield self._tabs
        with Body(id="body"):
            yield Line([("Attaching to the kernel …", "muted")], id="attaching")
        yield self._keys
        yield Line([("ktop needs 40x10 or larger", "")], id="too-small")

    def on_resize(self) -> None:
        """Say so when there is no room."""
        self.set_class(self.size.width < 40 or self.size.height < 10, "-tiny")
        if self.focused is None and self.pane_view is not None and not self.has_class("-tiny"):
            self.pane_view.focus_table()  # what is not displayed loses the keyboard

    def begin(self) -> None:
        """Make the first view: the skeleton has been painted."""
        self.query_one("#attaching").remove()
        if self.view.filter is not None:
            self.call_later(self._filter_bar)
        self.show_pane(self._current)

    def on_unmount(self) -> None:
        """Look at nothing any more."""
        self.bridge.unwatch(self)

    # -- panes ---------------------------------------------------------------

    def show_pane(self, index: int) -> None:
        """Bring the pane at ``index`` into sight."""
        old = self._views.get(self._current)
        if old is not None and index != self._current:
            old.display = False
            old.sleep()
        self._current = index
        self.app.clear_notifications()  # they spoke of the other pane
        new = self._views.get(index)
        if new is None:
            from ktop.ui.pane_view import PaneView

            recorded = self.source.identity.recorded
            new = PaneView(self.panes[index], self.bridge, self.view, recorded=recorded)
            self._views[index] = new
            self.query_one("#body").mount(new)
        else:
            new.display = True
            new.wake()
        self.source.look_at((self.panes[index].name,))
        self.show_keys()
        self.show_tabs()

    def show_tabs(self) -> None:
        """Mark the current tab, the ones that have no figures, and where the host's pressure leads."""
        latest = [self.history.latest(pane.name) for pane in self.panes]
        dim = frozenset(
            index for index, frame in enumerate(latest) if frame is not None and frame.status.unavailable
        )
        host = self.bridge.newest(HOST)
        figures = host.host if host is not None else {}
        alarms = {
            index: style
            for index, pane in enumerate(self.panes)
            if pane.pressure and (style := pressure_style(figures.get(f"pressure_{pane.pressure}")))
        }
        self._tabs.show(self._current, dim, alarms)

    def show_keys(self) -> None:
        """Name what works in the pane in sight, as it is shown."""
        pane, view = self.pane, self._views.get(self._current)
        on_map = view is not None and view.is_on_map
        shown = view.shown_pane if view is not None else pane
        without = keys.idle(pane, shown, on_map=on_map)
        if self.source.identity.recorded:
            without |= keys.LIVE_ONLY
        words = keys.renamed(shown)
        needed = {} if self.view.live else keys.WHILE_HELD
        if self.typing:
            without = keys.not_typed(self._footer)
        elif self.view.filter is not None and self.view.live and not on_map:
            needed = {each.id or "": each.description for each in keys.declared(keys.CLEAR)}
        else:
            without |= {"view.back"}
        self._keys.suit(without, words | needed, needed)

    @property
    def typing(self) -> bool:
        """Whether the keyboard is the filter's."""
        return self.focused is not None and self._bar in self.focused.ancestors

    def on_descendant_focus(self) -> None:
        """Name the keys of what has the keyboard now."""
        self.show_keys()

    def on_pane_tabs_clicked(self, event: PaneTabs.Clicked) -> None:
        """Show the pane whose tab was clicked."""
        self.action_pane(event.index + 1)

    def action_pane(self, number: int) -> None:
        """Show pane ``number`` (from 1), if there is one."""
        if 1 <= number <= len(self.panes) and number - 1 != self._current:
            self.show_pane(number - 1)

    def action_turn(self, step: int) -> None:
        """Show the next pane, or the one before."""
        self.show_pane((self._current + step) % len(self.panes))

    # -- time ----------------------------------------------------------------

    def timeline(self) -> str:
        """Return the pane whose samples the steps in time go by."""
        name = self.pane.name
        return name if self.bridge.newest(name) is not None else HOST

    def redraw(self) -> None:
        """Draw the moment looked at."""
        self._header.redraw()
        if self.pane_view is not None:
            self.pane_view.draw()

    # -- the pane in sight ---------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave letters to a line that is being typed into."""
        if action == "filter" and self.typing:
            return False
        return super().check_action(action, parameters)

    async def action_filter(self) -> None:
        """Edit the filter; over a slow line, what is typed into it can come in one piece with the key."""
        self.app.clear_notifications()  # which would lie over what is typed
        await (await self._filter_bar()).edit()

    async def _filter_bar(self) -> FilterBar:
        """Return the line of the filter, made when it is first needed."""
        if self._bar is None:
            from ktop.tables.totals import per_cgroup, per_process
            from ktop.ui.filter_bar import FilterBar

            tables = [pane for pane in self.panes if pane.shape is not Shape.STACKS]
            added_up = [per_process(pane) for pane in tables if pane.adds_up_per_process]
            added_up += [per_cgroup(pane) for pane in tables if pane.adds_up_per_cgroup]
            self._bar = FilterBar(self.view, [*self.panes, *added_up])
            await self.mount(self._bar, before=self._keys)
        return self._bar

    def on_filter_bar_changed(self, _event: FilterBar.Changed) -> None:
        """Apply the filter."""
        self.redraw()

    def on_filter_bar_done(self, _event: FilterBar.Done) -> None:
        """Go back to the table."""
        if self.pane_view is not None:
            self.pane_view.focus_table()

    def action_back(self) -> None:
        """Undo one thing: looking back, else the filter, else following."""
        if self.view.at is not None:
            self.view.at = None
        elif self._bar is not None and self._bar.has_class("-shown"):
            self._bar.clear()
        else:
            self.view.follow = None
        self.redraw()

    def action_pick_sort(self) -> None:
        """Choose the column to sort by."""
        view = self.pane_view
        sorting = view.table.sorting if view is not None else None
        if view is not None and sorting is None:
            self.say(f"{view.pane.name} is a tree: it has no column to sort by.")
        if view is not None and sorting is not None:
            from ktop.ui.table.sort_picker import SortPicker

            def sort(column: str | None) -> None:
                if column is not None:
                    view.table.sort_by(column)

            self.app.push_screen(SortPicker(view.shown_pane, sorting.column), sort)

    def action_sort_next(self, step: int) -> None:
        """Sort by a neighbouring column."""
        if self.pane_view is not None:
            self.pane_view.table.sort_next(step)

    def action_reverse_sort(self) -> None:
        """Reverse the order."""
        if self.pane_view is not None:
            self.pane_view.table.reverse_sort()

    def action_follow(self) -> None:
        """Follow the process under the cursor, or no longer."""
        view = self.pane_view
        if view is not None and not view.shown_pane.has_processes:
            self.say("No row here is of one process.")
        elif view is not None:
            followed = self.view.follow
            self.view.follow = None if followed is not None and view.is_on(followed) else view.table.process
            if followed is None is self.view.follow:
                self.say("No one process is under the cursor.")
            self.redraw()

    def action_per_process(self) -> None:
        """Show totals per process, or each row by itself."""
        if self.pane_view is not None and not self.pane_view.toggle_per_process():
            pane = self.pane_view.pane
            rows = "no more than one row of a process" if pane.has_processes else "no rows of processes"
            self.say(f"{pane.name} has {rows}.")

    def action_per_cgroup(self) -> None:
        """Show totals per cgroup, or each row by itself."""
        if self.pane_view is not None and not self.pane_view.toggle_per_cgroup():
            self.say(f"{self.pane_view.pane.name} has no totals per cgroup.")

    def action_on_demand(self) -> None:
        """Have collected what the pane collects only on demand, or no longer."""
        pane = self.pane
        if not pane.on_demand:
            self.say(f"{pane.name} collects nothing on demand.")
        if pane.on_demand and self.source.identity.recorded:
            self.say("This is a recording: it has what was collected then, and no more.")
            return
        for group in pane.on_demand:
            on = f"{pane.name}/{group}" not in self._demanded
            self._demanded ^= {f"{pane.name}/{group}"}
            self.source.demand(pane.name, group, on)
            self.say(f"{group}: {'collected from now on' if on else 'no longer collected'}")

    def action_chart(self) -> None:
        """Move the keyboard between chart and table."""
        if self.pane_view is not None and not self.pane_view.switch_focus():
            self.say(f"{self.pane_view.pane.name} has no heatmap.")

    def on_heatmap_view_chosen(self, event: HeatmapView.Chosen) -> None:
        """Hold the moment that was chosen."""
        self.view.hold(event.ts, self.history.times(self.timeline()))
        self.redraw()

    def on_pane_view_opened(self, event: PaneView.Opened) -> None:
        """Show the process of the row that was chosen."""
        self.open_process(event.pid, event.start_ns)

    def open_process(self, pid: int, start_ns: int | None = None) -> None:
        """Show the process ``pid`` that started at ``start_ns`` on a screen of its own; without: the last."""
        from ktop.ui.process_screen import ProcessScreen

        self.app.push_screen(ProcessScreen(pid, self, start_ns), self._returned)

    def _returned(self, _result: None) -> None:
        """Look at the pane again; not where the screen of another process follows at once."""
        if self.app.screen is self:
            self.source.look_at((self.pane.name,))
            self.redraw()

    async def on_pane_view_narrowed(self, event: PaneView.Narrowed) -> None:
        """Leave in all panes only the rows that were chosen."""
        await (await self._filter_bar()).narrow(event.term)

    def on_pane_view_drawn(self, event: PaneView.Drawn) -> None:
        """Keep tabs and keys true, and the filter's count."""
        self.show_tabs()
        self.show_keys()
        if not self.view.live:
            self._header.redraw()  # the moment has come, maybe of a recording that has no other Frames
        if self._bar is not None:
            self._bar.count(event.shown, event.total, event.ignored)
