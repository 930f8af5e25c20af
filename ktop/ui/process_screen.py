"""Everything known of one process: who it is, and what each pane has seen of it since ktop started."""

from __future__ import annotations

import time
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from textual._styles_cache import StylesCache
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from ktop.format import NOT_MEASURED, args, clock, duration, number, percent, size
from ktop.frame import Rows, length
from ktop.history.across import across
from ktop.history.process import ProcessHistory
from ktop.pane import START, Pane, Shape
from ktop.process import Process, read
from ktop.source import HOST, Source
from ktop.text import ELLIPSIS, escape, visible
from ktop.ui import keys
from ktop.ui.bridge import Arrived, Bridge
from ktop.ui.footer import KeyLine
from ktop.ui.header import Header
from ktop.ui.laid_out import LaidOut
from ktop.ui.line import Line
from ktop.ui.main_screen import MainScreen
from ktop.ui.sections import ROWS, Section, last_of, nothing, of_family, section
from ktop.ui.time_keys import TimeKeys
from ktop.ui.view import View

TWO_COLUMNS = 140
"""From this width on the sections stand in two columns."""
MARGIN = 4
FACT_LINES = 3
CHART_LINES = 9
CPU_NS = 500_000_000
"""What it uses of the CPUs is measured over as long at least: /proc counts in ticks of 10 ms."""
REST = 9.0
"""Folding a long history takes a while: the pause before the next is so many times as long."""


class PaneSection(Vertical):
    """One pane's part: title, histogram, text."""

    def __init__(self, pane: Pane) -> None:
        """Make room for ``pane``."""
        super().__init__()
        self.pane = pane
        self._heading = [(pane.name, "strong bold"), ("  " + pane.question, "muted")]
        self._title = Line(self._heading)
        self._text = Static(Content.styled("…", "$muted"), markup=False)
        self._chart: Any = None

    def compose(self) -> ComposeResult:
        """Compose title and text; the histogram comes when there is one."""
        yield self._title
        yield self._text

    def show(self, content: Section) -> None:
        """Show ``content``; nothing when there is none."""
        self.display = not content.why_empty
        self._title.set(self._heading, [(content.note, "warn")] if content.note else [])
        self._text.update(Content("\n").join(content.lines))
        if content.histogram is None:
            return
        if self._chart is None:
            from ktop.ui.charts.histogram import HistogramView

            self._chart = HistogramView()
            self.mount(self._chart)
        self._chart.show(*content.histogram)
        # A bar for each slot, where that leaves room for others.
        self._chart.styles.height = self._chart.lines(max(self.screen.size.height * 2 // 5, CHART_LINES))


class ProcessScreen(TimeKeys, LaidOut):
    """One process over the whole history kept; it stays when the process ends."""

    CSS = """
    ProcessScreen > #title {
        padding: 0 1;
        background: $surface;
    }

    ProcessScreen > VerticalScroll {
        height: 1fr;
        padding: 0 1;
        scrollbar-size-vertical: 1;
    }

    ProcessScreen #who {
        height: auto;
        padding: 1 0;
    }

    ProcessScreen #sections {
        height: auto;
        layout: vertical;
    }

    ProcessScreen.-wide #sections {
        layout: grid;
        grid-size: 2;
        grid-rows: auto;
        grid-gutter: 0 2;
    }

    ProcessScreen #nothing {
        height: auto;
        padding-bottom: 1;
    }

    PaneSection {
        height: auto;
        padding-bottom: 1;
    }

    PaneSection > Static {
        height: auto;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """
    BINDINGS = keys.PROCESS

    def __init__(  # noqa: PLR0913, PLR0917 - what it is of, and what it is drawn from
        self,
        pid: int,
        source: Source,
        panes: Sequence[Pane],
        bridge: Bridge,
        view: View,
        start_ns: int | None = None,
    ) -> None:
        """Show process ``pid`` from the Frames of ``bridge``, up to the moment of ``view``.

        A PID is used again: ``start_ns`` (since boot) says which process of that
        PID is meant; without, the one that runs, else the last that was seen.
        """
        super().__init__()
        self.pid = pid
        self.source = source
        shown = [pane for pane in panes if pane.has_processes]
        # Stacks come last: they have the whole width.
        self.panes = sorted(shown, key=lambda pane: pane.shape is Shape.STACKS)
        self.bridge = bridge
        self.view = view
        self._process: Process | None = None
        self._seen = 0.0
        """When ``_process`` was read (Unix time)."""
        self._before: Process | None = None
        """An earlier reading, from which on its CPU time is counted."""
        self._cpus: float | None = None
        """How many CPUs it kept busy between the last two of those."""
        self._begun: dict[str, Any] | None = None
        """The last exec of it that was seen: what there is of one that ended at once."""
        self._starter: Process | None = None
        """Who started that, while it runs."""
        self._ended: float | None = None
        """When it was found to have ended."""
        self._start_ns = start_ns
        self._comm = b"?"
        self._sampled = 0.0
        """When a pane last saw it, as far as has been looked at; 0: none did."""
        # Held, not queried: while a screen is closed its widgets go before it does.
        self._header = Header(source.identity, bridge, view)
        self._title = Line([("process ", "muted"), (str(pid), "strong bold")], id="title")
        self._about = Static(id="who", markup=False)
        self._sections = [PaneSection(pane) for pane in self.panes]
        self._nothing = Static(id="nothing", markup=False)
        self._busy = False
        self._asked_again = False
        """Whether another moment was asked for while one was being folded."""
        self._failure = ""
        """Why the sections are not up to date; empty when they are."""
        self._next = 0.0
        self._folded_at = 0.0
        """What "now" was when the history was folded last (Unix time)."""

    def compose(self) -> ComposeResult:
        """Compose the head, who it is, and a section for each pane that speaks of processes."""
        yield self._header
        yield self._title
        with VerticalScroll():
            yield self._about
            beside = [each for each in self._sections if each.pane.shape is not Shape.STACKS]
            yield Container(*beside, id="sections")
            yield from self._sections[len(beside) :]
            yield self._nothing
        yield KeyLine([*self.BINDINGS, *keys.APP])

    def on_mount(self) -> None:
        """Ask for the stacks too while this is on the screen, and follow the host's beat."""
        self.source.look_at(tuple(pane.name for pane in self.panes if not pane.resident))
        self.bridge.watch(HOST, self)
        self.query_one(VerticalScroll).focus()
        self.call_after_refresh(self.redraw)

    def on_unmount(self) -> None:
        """Follow nothing more."""
        self.bridge.unwatch(self)
        # Textual remembers there, for each widget that ever was, colours and with them all its lines.
        StylesCache.get_inner_outer.cache_clear()

    def on_resize(self) -> None:
        """Use the width there is."""
        self.set_class(self.size.width >= TWO_COLUMNS, "-wide")
        self.redraw()

    def on_arrived(self, _event: Arrived) -> None:
        """Fold anew, unless it is too soon, or all up to the moment that is held is in it."""
        if self._folded_at < self.view.until and not self._busy and time.monotonic() >= self._next:
            self.redraw()

    def timeline(self) -> str:
        """Return the beat of the host: it goes on for a process that is idle."""
        return HOST

    def redraw(self) -> None:
        """Fold the history for the process, off the screen's thread."""
        self._header.redraw()
        if self._busy:
            self._asked_again = True
        elif self.is_attached:
            self._busy = True
            self.run_worker(self._gather, thread=True, exit_on_error=False)

    def action_back(self) -> None:
        """Go back to where one was."""
        self.dismiss()

    def action_parent(self) -> None:
        """Go to the process that started it, if that is known."""
        main = self.app.screen_stack[0]
        if not self._ppid:
            self.notify("It has no parent that is known.", markup=False)
        elif isinstance(main, MainScreen):
            self.dismiss()
            main.open_process(self._ppid, self._starter.start_ns if self._starter is not None else None)

    @property
    def _ppid(self) -> int:
        """The PID of its parent; 0 where there is none, or nobody knows."""
        if self._process is not None:
            return self._process.ppid
        return int(self._begun["ppid"]) if self._begun is not None else 0

    def action_pane(self, number: int) -> None:
        """Go to pane ``number`` (from 1), if there is one, instead of back."""
        main = self.app.screen_stack[0]
        if isinstance(main, MainScreen) and number <= len(main.panes):
            self.dismiss()
            main.action_pane(number)

    def action_turn(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        main = self.app.screen_stack[0]
        if isinstance(main, MainScreen):
            self.dismiss()
            main.action_turn(step)

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

    def _fold(self) -> tuple[Process | None, list[tuple[Section, ProcessHistory]]]:
        """Return who it is, and what each pane knows of it."""
        recorded = self.source.identity.recorded
        process = None if recorded else read(self.pid)
        columns = 2 if self.size.width >= TWO_COLUMNS else 1
        most = max(ROWS, self.size.height // 4)
        start_ns, histories = across(
            self.bridge.history,
            self.panes,
            self.pid,
            self._start_ns,
            self._process or process,
            self.view.until,
        )
        known: list[tuple[Section, ProcessHistory]] = []
        for pane, history in zip(self.panes, histories, strict=True):
            events: Rows = {}
            if pane.shape is Shape.EVENTS:
                all_events, _ = self.bridge.events(pane.name, self.view.at)
                events = of_family(pane, all_events, self.pid, start_ns)
                self._begun = last_of(pane, events, self.pid)
                if self._begun is not None and not recorded:
                    starter = read(int(self._begun["ppid"]))
                    # Who has that PID now, and began later, never started it.
                    did = starter is not None and starter.start_ns <= self._begun.get(START, 0)
                    self._starter = starter if did else None
            latest = self.bridge.history.latest(pane.name)
            width = self.size.width // (1 if pane.shape is Shape.STACKS else columns) - MARGIN
            known.append((section(pane, history, latest, events, width, most), history))
        return process, known

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

    def _show(self, process: Process | None, known: list[tuple[Section, ProcessHistory]]) -> None:
        if not self.is_attached:
            return
        if self._start_ns is None:
            self._start_ns = next(filter(None, (history.start_ns for _, history in known)), None)
        self._take(process, seen=any(len(history) for _, history in known))
        for widget, (content, _) in zip(self._sections, known, strict=True):
            widget.show(content)
        silent = nothing([content for content, _ in known], self.size.width - MARGIN)
        self._nothing.update(Content("\n").join(silent))
        sampled, comm = _newest(known)
        self._sampled = max(sampled, self._sampled)
        self._comm = self._process.comm if self._process is not None else comm
        self._draw_title()
        self._about.update(Content("\n").join(self._who()))

    def _draw_title(self) -> None:
        """Draw which process it is, and how far the figures can be trusted."""
        span = self.bridge.history.span()
        # What came later stands in no figure while an earlier moment is looked at.
        seconds = min(span[1], self.view.until) - span[0] if span else 0.0
        kept = duration(seconds).strip() if seconds > 0 else ""
        self._title.set(
            [
                (visible(self._comm), "strong bold"),
                ("  process ", "muted"),
                (str(self.pid), ""),
                *([("   ended ", "warn bold reverse")] if self._ended is not None else []),
                *([(f"   not updated: {escape(self._failure)}", "warn")] if self._failure else []),
            ],
            [(f"all figures over the last {kept}", "muted")] if kept else [],
        )

    def _take(self, process: Process | None, *, seen: bool) -> None:
        """Keep who it is; the process has ended when it is gone or its PID is another's.

        One that is not there, and was not ``seen`` by any pane either, there never was.
        """
        if self.source.identity.recorded:
            return
        start_ns = self._process.start_ns if self._process is not None else self._start_ns
        if process is None:
            over = seen or start_ns is not None
        else:
            over = process.state in "ZX" or not (start_ns is None or process.began_at(start_ns))
            if not over:
                self._process, self._seen = process, time.time()
                self._count_cpus(process)
        if over and self._ended is None:
            self._ended = time.time()

    def _count_cpus(self, process: Process) -> None:
        """Keep what it uses of the CPUs, measured from an earlier reading."""
        if self._before is None:
            self._before = process
        elif process.read_ns - self._before.read_ns >= CPU_NS:
            self._cpus, self._before = process.cpus_since(self._before), process

    def _who(self) -> list[Content]:
        """Return who the process is, as far as it is known."""
        process = self._process
        if process is None:
            return [Content.styled(self._why_unknown(), "$muted"), *self._as_begun()]
        age = (self.view.at or self.bridge.now) - process.started
        parent = f"{process.ppid} {visible(process.parent)}" if process.ppid else "none"
        facts = [
            (
                "command",
                args(process.argv) if process.argv else f"[{visible(process.comm)}], a kernel thread",
            ),
            ("user", f"{escape(process.user)} ({process.uid})"),
            ("parent", parent),
            ("cgroup", escape(process.cgroup)),
        ]
        if process.container:
            facts.append(("container", process.container))
        ago = f", {duration(age).strip()} ago" if age > 0 else ""
        facts.append(("started", clock(process.started) + ago))
        if self._ended is not None:
            facts.append(("ended", f"by {clock(self._ended)}"))
        return [*self._lines(facts), self._state(process)]

    def _why_unknown(self) -> str:
        """Return why nobody can say who the process is."""
        if self.source.identity.recorded:
            unknown = "user and memory" if self._begun is not None else "command line, user and memory"
            return f"A recording keeps what the panes saw of it, not its {unknown}."
        if self._ended is None:
            return "There is no process of this PID, and no pane has seen one."
        last = f" It was last seen at {clock(self._sampled)}." if self._sampled else ""
        return "It ended before it could be looked at." + last

    def _as_begun(self) -> list[Content]:
        """Return who it was when it was started, as far as that was seen."""
        begun = self._begun
        if begun is None:
            return []
        name = visible(self._starter.comm) if self._starter is not None else ""
        command = args(begun["argv"]) if begun["argv"] else NOT_MEASURED
        return self._lines([("command", command), ("parent", f"{self._ppid} {name}".rstrip())])

    def _lines(self, facts: Sequence[tuple[str, str]]) -> list[Content]:
        return [line for name, value in facts for line in _fact(name, value, self.size.width - MARGIN)]

    def _state(self, process: Process) -> Content:
        """Return what changes all the time, with the moment that it is of: not the one looked at."""
        now = self._ended is None and self.view.live
        memory = NOT_MEASURED if process.rss_bytes is None else size(process.rss_bytes)
        swapped = f" and {size(process.swap_bytes)} swapped" if process.swap_bytes else ""
        return Content.assemble(
            ("now       " if now else "last seen ", "$muted"),
            "" if now else clock(self._seen) + "  ",
            ("threads ", "$muted"),
            number(process.threads),
            ("  memory ", "$muted"),
            memory + swapped,
            ("  cpu ", "$muted"),
            NOT_MEASURED if self._cpus is None else f"{percent(self._cpus)} of one",
            ("  state ", "$muted"),
            _STATES.get(process.state, process.state),
        )


_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting, not interruptible",
    "T": "stopped",
    "t": "traced",
    "Z": "ended",
    "X": "ended",
    "I": "idle",
}


def _fact(name: str, value: str, width: int) -> list[Content]:
    """Return ``name`` in its column and ``value`` beside it, in FACT_LINES lines at most."""
    lines = wrap(value, max(width - 10, 20), max_lines=FACT_LINES, placeholder=" " + ELLIPSIS) or [""]
    names = [f"{name:<10}", *[" " * 10] * (len(lines) - 1)]
    return [Content.assemble((left, "$muted"), line) for left, line in zip(names, lines, strict=True)]


def _newest(known: list[tuple[Section, ProcessHistory]]) -> tuple[float, bytes]:
    """Return the newest name that a pane has for the process, and of when it is."""
    newest: tuple[float, bytes] = (0.0, b"?")
    for _, history in known:
        if "comm" in history.rows and length(history.rows):
            ts = float(history.ts[history.place[-1]])
            if ts >= newest[0]:
                newest = (ts, bytes(history.rows["comm"][-1]))
    return newest
