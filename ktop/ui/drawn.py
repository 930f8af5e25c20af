"""The base of widgets that draw their lines when data come, not when the screen asks."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from ktop.ui.palette import Palette, palette


class Drawn(Widget):
    """Keeps finished lines, and makes them anew for data, size and theme."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        """Draw nothing yet."""
        super().__init__(id=id)
        self._lines: list[Strip] = []

    def draw(self, look: Palette, width: int, height: int) -> list[Strip]:
        """Return the lines of the content; each at most ``width`` wide.

        Where they leave the colours open, they get the widget's own.
        """
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again, when there is a place to draw to."""
        if self.is_attached and self.size:
            width, height = self.size
            ground = self.rich_style
            lines = self.draw(palette(self.app), width, height)[:height]
            # Finished here, not in render_line: size and style are dear to ask for, line by line.
            self._lines = [strip.adjust_cell_length(width).apply_style(ground) for strip in lines]
            self.refresh()

    def on_mount(self) -> None:
        """Follow the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.redraw())

    def on_resize(self) -> None:
        """Fit the new size."""
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """Return a finished line on the widget's ground."""
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self.rich_style)
