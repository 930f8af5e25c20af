"""Pause and steps through the history: the same keys on every screen."""

from __future__ import annotations

from ktop.ui.bridge import Bridge
from ktop.ui.view import View


class TimeKeys:
    """Actions of ``keys.TIME`` for a screen that has ``bridge``, ``view``, ``timeline`` and ``redraw``."""

    bridge: Bridge
    view: View

    def timeline(self) -> str:
        """Return the pane whose samples the steps go by."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the moment looked at."""
        raise NotImplementedError

    def action_pause(self) -> None:
        """Hold the newest sample, or go back to now."""
        self.view.pause(self.bridge.history.times(self.timeline()))
        self.redraw()

    def action_step(self, count: int) -> None:
        """Go ``count`` samples forward or back."""
        self.view.step(self.bridge.history.times(self.timeline()), count)
        self.redraw()

    def action_leap(self, seconds: float) -> None:
        """Go ``seconds`` forward or back."""
        self.view.leap(self.bridge.history.times(self.timeline()), seconds)
        self.redraw()
