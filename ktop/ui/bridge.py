"""From the source's thread to the widgets: history first, then a message to those who look."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.message import Message
from textual.widget import Widget

from ktop.frame import Frame, Rows, Status
from ktop.pane import Pane, Shape
from ktop.source import HOST
from ktop.ui.view import View

if TYPE_CHECKING:
    from ktop.history.events import EventLog
    from ktop.history.history import Held, History


GAP_INTERVALS, GAP_S = 6, 3.0
"""A Frame that is older is not of this moment.  Some can lack where the kernel is short of memory, or come
late where CPUs are."""


class Arrived(Message, bubble=False):
    """New Frames are in the history; says no more, so an unhandled one is replaced by the next."""

    def can_replace(self, message: Message) -> bool:
        """Let adjacent ones in a queue merge: a slow screen skips, it never lags behind."""
        return isinstance(message, Arrived)


class Bridge:
    """Takes Frames on the source's thread and wakes only the widgets that show their pane."""

    def __init__(self, panes: Sequence[Pane], view: View) -> None:
        """Keep the Frames of ``panes``, the last events of those that have such, and what ``view`` holds."""
        self._panes = panes
        self._view = view
        self._history: History | None = None
        self._logs: dict[str, EventLog] = {}
        self._without_figures: dict[str, Frame] = {}
        """The last Frame of each pane that has none."""
        self._lock = threading.Lock()
        self.now = 0.0
        """Unix time of the newest Frame: what "now" means to live data and recordings alike."""
        self.ended: str | None = None
        """Why the source failed, so that no Frames come any more; None while it has not."""
        self._watchers: dict[str, tuple[Widget, ...]] = defaultdict(tuple)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._host_waits = False
        """Whether a Frame of the host has come of which nobody was told yet."""
        self._open = True

    @property
    def history(self) -> History:
        """The Frames kept; made when it is first asked for, which is after the first paint."""
        if self._history is None:
            # The source's thread and the screen's can both be first.
            with self._lock:
                if self._history is None:
                    self._history = self._make_history()
        return self._history

    def _make_history(self) -> History:
        from ktop.history.history import History

        self._begin_logs()
        return History(self._panes)

    def _begin_logs(self) -> None:
        """Keep no event yet."""
        from ktop.history.events import EventLog

        events = [pane for pane in self._panes if pane.shape is Shape.EVENTS]
        self._logs = {pane.name: EventLog(pane) for pane in events}

    def newest(self, pane: str) -> Frame | None:
        """Return the Frame of ``pane`` at the moment looked at; None where there is none of it: in a gap."""
        frame = self.history.latest(pane, self._view.until)
        if frame is None or frame.status.unavailable is not None:
            return frame
        moment = self.now if self._view.at is None else self._view.at
        lasts = max(GAP_S, GAP_INTERVALS * max(frame.interval_s, self._view.interval_s))
        return frame if frame.ts > moment - lasts else None

    def watch(self, pane: str, widget: Widget) -> None:
        """Post Arrived to ``widget`` for each Frame of ``pane`` from now on."""
        self._loop = asyncio.get_running_loop()
        # Tuples are replaced, never changed: the source's thread may be walking the old one.
        if widget not in self._watchers[pane]:
            self._watchers[pane] = (*self._watchers[pane], widget)

    def unwatch(self, widget: Widget) -> None:
        """Post nothing more to ``widget``."""
        for pane, widgets in list(self._watchers.items()):
            self._watchers[pane] = tuple(other for other in widgets if other is not widget)

    def close(self) -> None:
        """Drop whatever still comes: the application is leaving."""
        self._open = False
        self._watchers.clear()

    def events(self, pane: str, at: float | None = None) -> tuple[Rows, int]:
        """Return the events of ``pane`` as they stood ``at`` that moment, and how many older ones went."""
        log = self._logs[pane]
        with self._lock:
            log.hold(self._view.held)
            return log.rows(at), log.dropped_before(at)

    def publish(self, frame: Frame) -> None:
        """Take one Frame; called on the source's thread."""
        if not self._open:
            return
        if frame.pane == HOST and frame.status.unavailable is not None:
            # No sample: it stands at no moment of the history.
            self.ended = frame.status.unavailable
            self._tell(self._watchers.get(HOST, ()))
            return
        if frame.pane == HOST:
            self._follow_the_clock(frame.ts)
        held = self._held
        try:
            self._keep(frame, held)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one pane's figures: the others go on
            self._keep_nothing(frame, held, error)
        if frame.pane == HOST or not self.now:
            self.now = frame.ts
        else:
            self.now = max(self.now, frame.ts)
        widgets = self._watchers.get(frame.pane, ())
        if frame.pane == HOST and not self._host_waits:
            # The pane in sight follows at once: the screen is drawn once for both.
            self._host_waits = True
            return
        later = self._watchers.get(HOST, ()) if self._host_waits and frame.pane != HOST else ()
        later = tuple(widget for widget in later if widget not in widgets)  # once is enough
        self._host_waits = False
        self._tell(widgets, later)

    @property
    def _held(self) -> Held | None:
        from ktop.history.history import Held

        at, until = self._view.at, self._view.held
        return None if at is None else Held(at, at if until is None else until)

    def _follow_the_clock(self, ts: float) -> None:
        """Once it is set back, hold no moment that is still to come, and keep no event from then.

        All until then would seem of that moment; the history begins anew by itself.
        """
        if ts >= self.now:
            return
        from ktop.history.history import SLACK_S

        if self._view.at is not None and ts < self._view.at:
            self._view.at = None
        if ts < self.now - SLACK_S:
            with self._lock:
                self._begin_logs()

    def _keep(self, frame: Frame, held: Held | None) -> None:
        """Put ``frame`` into the history, and its events into their log; raises whatever they do."""
        self.history.add(frame, held)
        self._keep_reasons(frame, held)
        log = self._logs.get(frame.pane)
        if log is not None:
            with self._lock:
                log.hold(held.until if held is not None else None)
                log.add(frame.rows, frame.ts)

    def _keep_nothing(self, frame: Frame, held: Held | None, error: Exception) -> None:
        """Begin the pane of ``frame`` anew, with a Frame that says why."""
        status = Status(unavailable=f"its figures cannot be kept ({type(error).__name__}: {error!s:.100})")
        self.history.forget(frame.pane)
        self.history.add(Frame(frame.pane, frame.ts, frame.interval_s, {}, status=status), held)

    def _tell(self, widgets: Sequence[Widget], later: Sequence[Widget] = ()) -> None:
        """Have the screen's thread wake ``widgets``, and ``later`` the others."""
        if (widgets or later) and self._loop is not None:
            # RuntimeError: the event loop was closed meanwhile.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_wake, widgets, later)

    def _keep_reasons(self, frame: Frame, held: Held | None) -> None:
        """Have the history hold at each tick why panes have no figures: sources say it once, it forgets."""
        if frame.status.unavailable is not None:
            self._without_figures[frame.pane] = frame
        elif frame.pane != HOST:
            self._without_figures.pop(frame.pane, None)
        else:
            for silent in self._without_figures.values():
                self.history.add(replace(silent, ts=frame.ts), held)


def _wake(widgets: Sequence[Widget], later: Sequence[Widget] = ()) -> None:
    """Tell ``widgets``, and then those which draw themselves: the others have children that do."""
    for widget in widgets:
        if widget.is_attached:
            widget.post_message(Arrived())
    if later:
        # Both are a round of the event loop apart from the screen then, which so hears of all at once.
        asyncio.get_running_loop().call_soon(_wake, later)
