"""Everything known of one process: who it is, and what each pane has seen of it since ktop started."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from textual._styles_cache import StylesCache
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from ktop.format import span
from ktop.frame import Rows, length
from ktop.history.across import across
from ktop.history.process import ProcessHistory
from ktop.history.rivals import rivals
from ktop.pane import CGROUP, Pane, Shape
from ktop.process import read
from ktop.source import HOST
from ktop.tables.order import row_at
from ktop.text import escape, visible
from ktop.ui import keys
from ktop.ui.blocks import Parts, ends
from ktop.ui.bridge import Arrived
from ktop.ui.charts.histogram import bars, lines_for
from ktop.ui.footer import KeyLine
from ktop.ui.header import Header
from ktop.ui.line import Block, Line, Lines
from ktop.ui.line_widget import Ground
from ktop.ui.palette import Palette
from ktop.ui.pane_rows import counted_events
from ktop.ui.process_identity import Found, Seen, Who, find
from ktop.ui.sections import ROWS, Section, caused_by, last_of, nothing, of_family, section
from ktop.ui.textual_fixes.laid_out import LaidOut
from ktop.ui.time_keys import TimeKeys

if TYPE_CHECKING:
    from ktop.ui.main_screen import MainScreen

TWO_COLUMNS = 140
"""From this width on the sections stand in two columns."""
MARGIN = 4
CHART_LINES = 9
LATELY = 10
"""Intervals over which it is said who else took what the process waits for."""
REST = 9.0
"""Folding a long history takes a while: the pause before the next is so many times as long."""


class PaneSection(Block):
    """One pane's part: title, text, histogram."""

    def __init__(self, pane: Pane) -> None:
        """Speak of ``pane``, once there is anything to say."""
        super().__init__()
        self.pane = pane
        self._heading = [(pane.name, "strong bold"), ("  " + pane.question, "muted")]
        self._content = Section(pane, ())
        self._chart_lines = 0
        self.display = False

    def show(self, content: Section) -> None:
        """Show ``content``; nothing when there is none."""
        self._content = content
        self.display = not content.why_empty
        # A bar for each slot, where that leaves room for others.
        most = max(self.screen.size.height * 2 // 5, CHART_LINES)
        self._chart_lines = lines_for(content.histogram, most) if content.histogram is not None else 0
        # A blank line at the end: the rows of a grid have no room for margins.
        self.redraw_in(1 + len(content.lines) + self._chart_lines + 1)

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the title, the text, and the histogram where there is one."""
        del height
        note, histogram = self._content.note, self._content.histogram
        title = ends(look.parts(self._heading), look.parts([(note, "warn")] if note else []), width)
        chart = [] if histogram is None else bars(look, histogram, width, self._chart_lines)
        return [title, *map(look.parts, self._content.lines), *chart]


class Scrolling(VerticalScroll, Ground):
    """All that there is to say, however much."""

    def watch_has_focus(self, has_focus: bool) -> None:
        """Look the same with the keyboard: no style is to be applied anew, to this and all on it."""


class Beside(Container, Ground):
    """The sections that can stand beside each other."""


class ProcessScreen(TimeKeys, LaidOut, Ground):
    """One process over the whole history kept; it stays when the process ends."""

    CSS = """
    ProcessScreen > #title {
        padding: 0 1;
        background: $surface;
    }

    ProcessScreen > Scrolling {
        height: 1fr;
        padding: 0 1;
        scrollbar-size-vertical: 1;
    }

    ProcessScreen #who {
        margin: 1 0;
    }

    ProcessScreen Beside {
        height: auto;
        layout: vertical;
    }

    ProcessScreen.-wide Beside {
        layout: grid;
        grid-size: 2;
        grid-rows: auto;
        grid-gutter: 0 2;
    }

    ProcessScreen #nothing {
        margin-bottom: 1;
    }
    """
    BINDINGS = keys.PROCESS

    def __init__(self, pid: int, main: MainScreen, start_ns: int | None = None) -> None:
        """Show process ``pid`` over ``main``, up to the moment that is looked at there.

        A PID is used again: ``start_ns`` (since boot) says which process of that
        PID is meant; without, the one that runs, else the last that was seen.
        """
        super().__init__()
        self.pid = pid
        self.source, self.bridge, self.view = main.source, main.bridge, main.view
        self._main = main
        shown = [pane for pane in main.panes if pane.has_processes]
        # First what was asked when it was opened; stacks come last: they have the whole width.
        asked = main.pane
        self.panes = sorted(shown, key=lambda pane: (pane.shape is Shape.STACKS, pane is not asked))
        self._who = Who(start_ns, recorded=self.source.identity.recorded)
        # Held, not queried: while a screen is closed its widgets go before it does.
        self._header = Header(self.source.identity, self.bridge, self.view)
        self._keys = KeyLine([*self.BINDINGS, *keys.APP])
        self._title = Line([("process ", "muted"), (str(pid), "strong bold")], id="title")
        self._body = Scrolling()
        self._about = Lines([[("…", "muted")]], id="who")
        self._sections = [PaneSection(pane) for pane in self.panes]
        self._nothing = Lines(id="nothing")
        self._busy = False
        self._asked_again = False
        """Whether another moment was asked for while one was being folded."""
        self._failure = ""
        """Why the sections are not up to date; empty when they are."""
        self._next = 0.0
        """When the history may be folded again (monotonic)."""
        self._resting: Timer | None = None
        """Until then, where something came meanwhile."""
        self._folded_at = 0.0
        """What "now" was when the history was folded last (Unix time)."""
        # Now, not at its first size: by then all of it would be styled a second time.
        self._use(main.size.width)

    def compose(self) -> ComposeResult:
        """Compose the head, who it is, and a section for each pane that speaks of processes."""
        yield self._header
        yield self._title
        with self._body:
            yield self._about
            beside = [each for each in self._sections if each.pane.shape is not Shape.STACKS]
            yield Beside(*beside)
            yield from self._sections[len(beside) :]
            yield self._nothing
        yield self._keys

    def on_mount(self) -> None:
        """Ask for the stacks too while this is on the screen, and follow the host's beat."""
        self.source.look_at(tuple(pane.name for pane in self.panes if not pane.resident))
        self.bridge.watch(HOST, self)
        self._body.focus()

    def on_unmount(self) -> None:
        """Follow nothing more."""
        self.bridge.unwatch(self)
        # Textual remembers there, for each widget that ever was, colours and with them all its lines.
        StylesCache.get_inner_outer.cache_clear()

    def on_resize(self) -> None:
        """Use the width there is."""
        self._use(self.size.width)
        self.redraw()

    def _use(self, width: int) -> None:
        """Have the sections beside each other where ``width`` is enough."""
        self.set_class(width >= TWO_COLUMNS, "-wide")

    def on_arrived(self, _event: Arrived) -> None:
        """Fold anew, when it is no longer too soon; not where all up to the moment that is held is in it."""
        if self._folded_at >= self.view.until or self._resting is not None:
            return
        rest = self._next - time.monotonic()
        if rest <= 0:
            self.redraw()
        else:
            self._resting = self.set_timer(rest, self._rested)

    def _rested(self) -> None:
        """Fold what came meanwhile."""
        self._resting = None
        self.redraw()

    def timeline(self) -> str:
        """Return the beat of the host: it goes on for a process that is idle."""
        return HOST

    def redraw(self) -> None:
        """Fold the history for the process, off the screen's thread."""
        self._header.redraw()
        held = {} if self.view.live else keys.WHILE_HELD
        self._keys.suit((), held, held)
        if self._busy:
            self._asked_again = True
        elif self.is_attached:
            self._busy = True
            self.run_worker(self._gather, thread=True, exit_on_error=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by ``lines``."""
        self._body.scroll_relative(y=lines, animate=False)

    def action_edge(self, end: int) -> None:
        """Scroll to the beginning (0) or to the end (1)."""
        self._body.scroll_to(y=end * self._body.max_scroll_y, animate=False)

    def action_back(self) -> None:
        """Go back to where one was."""
        self.dismiss()

    def action_parent(self) -> None:
        """Go to the process that started it, if that is known."""
        ppid, start_ns = self._who.parent
        if not ppid:
            self.say("It has no parent that is known.")
        else:
            self.dismiss()
            self._main.open_process(ppid, start_ns)

    def action_pane(self, number: int) -> None:
        """Go to pane ``number`` (from 1), if there is one, instead of back."""
        if number <= len(self._main.panes):
            self.dismiss()
            self._main.action_pane(number)

    def action_turn(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        self.dismiss()
        self._main.action_turn(step)

    # -- gathering (a thread) ------------------------------------------------

    def _gather(self) -> None:
        """Fold, hand over what is known, and say that it is done, come what may."""
        failure = ""
        try:
            began = time.monotonic()
            self._folded_at = self.bridge.now
            try:
                folded = self._fold()
            finally:
                self._next = time.monotonic() + REST * (time.monotonic() - began)
            self.app.call_from_thread(self._show, *folded)
        except Exception as error:  # noqa: BLE001 - one defect must not hold the screen for good
            failure = f"{type(error).__name__}: {error}"
        self.app.call_from_thread(self._gathered, failure)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Go on where no thread was to be had: then nothing of _gather has run."""
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            self._gathered(f"{type(error).__name__}: {error}")

    def _fold(self) -> tuple[Found, list[tuple[Section, ProcessHistory]]]:
        """Return what is found of the process, and what each pane knows of it."""
        recorded = self.source.identity.recorded
        process = None if recorded else read(self.pid)
        over = process is None or self._who.ended is not None
        columns = 2 if self.size.width >= TWO_COLUMNS else 1
        most = max(ROWS, self.size.height // 4)
        start_ns, histories = across(
            self.bridge.history,
            self.panes,
            self.pid,
            self._who.start_ns,
            self._who.process or process,
            self.view.until,
        )
        begun: dict[str, Any] | None = None
        known: list[tuple[Section, ProcessHistory]] = []
        for pane, history in zip(self.panes, histories, strict=True):
            events: Rows = {}
            note = ""
            if pane.shape is Shape.EVENTS:
                # As of its newest Frame, which is dated a little after the moment looked at.
                shown = self.bridge.history.latest(pane.name, self.view.until)
                if shown is not None:
                    kept = counted_events(pane, shown, self.bridge, self.view)
                    events = of_family(pane, kept.rows, self.pid, start_ns)
                    if kept.older and kept.kept_s is not None:
                        note = f"only of the last {span(kept.kept_s)}"
                begun = begun or last_of(pane, events, self.pid)
            latest = self.bridge.history.latest(pane.name)
            width = self.size.width // (1 if pane.shape is Shape.STACKS else columns) - MARGIN
            lately = self.bridge.history.at_hand(pane.name, self.view.until)[-LATELY:] if pane.taken else ()
            lately = [frame for frame in lately if frame.status.unavailable is None]
            others = rivals(pane, lately, self.pid, start_ns)
            beside = others, sum(frame.interval_s for frame in lately)
            content = section(
                pane,
                history,
                latest,
                events,
                width,
                most,
                beside=beside,
                caused=caused_by(pane, events, self.pid),
                note=note,
                over=over,
            )
            known.append((content, history))
        return find(process, begun, recorded=recorded), known

    # -- showing -------------------------------------------------------------

    def _gathered(self, failure: str) -> None:
        """Go on: to the moment that was asked for meanwhile."""
        self._busy = False
        if not self.is_attached:
            return
        if failure != self._failure:
            self._failure = failure
            self._draw_title()
        if self._asked_again:
            self._asked_again = False
            self.redraw()

    def _show(self, found: Found, known: list[tuple[Section, ProcessHistory]]) -> None:
        if not self.is_attached:
            return
        if self._who.start_ns is None:
            self._who.start_ns = next(filter(None, (history.start_ns for _, history in known)), None)
        self._who.take(found, _newest(known), at_all=any(len(history) for _, history in known))
        for widget, (content, _) in zip(self._sections, known, strict=True):
            widget.show(content)
        self._nothing.set(nothing([content for content, _ in known], self.size.width - MARGIN))
        self._draw_title()
        now = self.view.at or self.bridge.now
        self._about.set(self._who.lines(now, self.size.width - MARGIN, live=self.view.live))

    def _draw_title(self) -> None:
        """Draw which process it is, and how far the figures can be trusted."""
        times = self.bridge.history.span()
        # What came later stands in no figure while an earlier moment is looked at.
        seconds = min(times[1], self.view.until) - times[0] if times else 0.0
        kept = span(seconds) if seconds > 0 else ""
        self._title.set(
            [
                (visible(self._who.comm), "strong bold"),
                ("  process ", "muted"),
                (str(self.pid), ""),
                *([("  ", ""), (" ended ", "warn bold reverse")] if self._who.ended is not None else []),
                *([(f"   not updated: {escape(self._failure)}", "warn")] if self._failure else []),
            ],
            [(f"all figures over the last {kept}", "muted")] if kept else [],
        )


def _newest(known: list[tuple[Section, ProcessHistory]]) -> Seen:
    """Return what the newest row that a pane has of the process says of it."""
    newest = Seen()
    for _, history in known:
        if "comm" in history.rows and length(history.rows):
            row = row_at(history.rows, -1)
            ts = float(history.ts[history.place[-1]])
            if ts >= newest.ts:
                newest = Seen(ts, b"?" if row["comm"] is None else row["comm"], row.get(CGROUP.name))
    return newest
