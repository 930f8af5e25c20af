"""The base of widgets that draw their lines when data come, not when the screen asks."""

from __future__ import annotations

from collections.abc import Iterator

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from ktop.ui.palette import Palette, palette


class Bare(Widget):
    """A widget without border, padding, tint and opacity: its lines are what it is.

    Textual asks for all of these for every line; that is half of what a line costs.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of ``crop`` as ``render_line`` has them, as wide as the widget."""
        width = self.size.width
        strips = [self.render_line(y).adjust_cell_length(width) for y in crop.line_range]
        for line_filter in self.get_line_filters():
            ground = self.background_colors[1]
            strips = [strip.apply_filter(line_filter, ground) for strip in strips]
        start, end = crop.column_span
        return strips if (start, end) == (0, width) else [strip.crop(start, end) for strip in strips]


class Ground(Widget):
    """A container that is nothing but ground: the compositor draws it whenever it draws what stands on it."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return one blank line as often as it takes."""
        strip = Strip.blank(crop.width, self.visual_style.rich_style)
        for line_filter in self.get_line_filters():
            strip = strip.apply_filter(line_filter, self.background_colors[1])
        return [strip] * crop.height


class Drawn(Bare):
    """Keeps finished lines, and makes them anew for data, size and theme."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        """Draw nothing yet."""
        super().__init__(id=id)
        self._drawn: list[Strip] = []
        self._lines: list[Strip] = []
        """As ``_drawn``, on the widget's ground and as wide as it is."""
        self._ground = Style.null()
        self._width = 0
        self._on_ground: dict[Style | None, Style] = {}

    def draw(self, look: Palette, width: int, height: int) -> list[Strip]:
        """Return the lines of the content; each at most ``width`` wide.

        Where they leave the colours open, they get the widget's own.
        """
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again, when there is a place to draw to; the screen is told of what differs."""
        if self.is_attached and self.size:
            width, height = self.size
            if self._width != width or self._ground != self.rich_style:
                self._width, self._ground = width, self.rich_style
                self._on_ground.clear()
                self._drawn = []
            before, lines = self._drawn, self.draw(palette(self.app), width, height)[:height]
            same = [
                y < len(before) and (line is before[y] or line == before[y]) for y, line in enumerate(lines)
            ]
            # Finished here, not in render_line: style and size are dear to ask for, line by line.
            self._lines = [
                self._lines[y] if same[y] else self._finished(line) for y, line in enumerate(lines)
            ]
            self._drawn = lines
            if len(before) != len(lines):
                self.refresh()
            elif not all(same):
                self.refresh(*(Region(0, y, width, number) for y, number in _runs(same)))

    def _finished(self, strip: Strip) -> Strip:
        """Return ``strip`` on the widget's ground, as wide as the widget."""
        segments = []
        for text, style, _control in strip.adjust_cell_length(self._width):
            whole = self._on_ground.get(style)
            if whole is None:
                whole = self._on_ground[style] = self._ground + style
            segments.append(Segment(text, whole))
        return Strip(segments, self._width)

    def on_mount(self) -> None:
        """Follow the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.redraw())

    def on_resize(self) -> None:
        """Fit the new size."""
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """Return a finished line on the widget's ground."""
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self.rich_style)


def _runs(same: list[bool]) -> Iterator[tuple[int, int]]:
    """Yield (first line, how many) for each run of lines that are not the ``same``."""
    start = None
    for y, unchanged in enumerate([*same, True]):
        if unchanged and start is not None:
            yield start, y - start
            start = None
        elif not unchanged and start is None:
            start = y
