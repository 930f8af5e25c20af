"""Pause and steps through the history: the same keys on every screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from ktop.frame import Array
from ktop.ui.bridge import Bridge
from ktop.ui.view import View


class TimeKeys(Screen[None]):
    """A screen with the actions of ``keys.TIME``."""

    bridge: Bridge
    view: View

    def timeline(self) -> str:
        """Return the pane whose samples the steps go by."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the moment looked at."""
        raise NotImplementedError

    def say(self, sentence: str) -> None:
        """Say what the keys cannot show."""
        self.notify(sentence, markup=False)

    def action_pause(self) -> None:
        """Hold the newest sample, or go back to now."""
        if self._may_go():
            self.view.pause(self.bridge.history.times(self.timeline()))
            self.redraw()

    def action_step(self, count: int) -> None:
        """Go ``count`` samples forward or back."""
        self._go(self.view.step, count)

    def action_leap(self, seconds: float) -> None:
        """Go ``seconds`` forward or back."""
        self._go(self.view.leap, seconds)

    def _may_go(self) -> bool:
        """Say so where the moment that a recording is to begin at has not come yet."""
        reached = self.view.is_reached(self.bridge.now)
        if not reached:
            self.say("The recording is still being read, up to there.")
        return reached

    def _go(self, go: Callable[[Array, Any], None], far: float) -> None:
        """Go as far as there are samples, and say where they end."""
        if not self._may_go():
            return
        times = self.bridge.history.times(self.timeline())
        before = self.view.at
        go(times, far)
        if far < 0 and len(times) and before != self.view.at == times[0]:
            self.say("This is the oldest sample that is kept.")
        self.redraw()
