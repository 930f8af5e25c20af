"""The base of what scrolls under a header: only lines on the screen are drawn, and only when they change."""

from __future__ import annotations

from typing import Any

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

from ktop.ui.line_widget import Bare, Finished, filtered


class SlimBar(ScrollBar):
    """A scroll bar without border and padding: it moves whenever the number of rows changes."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return its cells, one below the other."""
        if self.parent is None:
            # Removed, and still on the screen until that is laid out again.
            return [Strip.blank(crop.width)] * crop.height
        bar: Any = self.render()
        segments = bar.render_bar(
            self.outer_size.height,
            bar.virtual_size,
            bar.window_size,
            bar.position,
            bar.thickness,
            back_color=bar.style.bgcolor,
            bar_color=bar.style.color,
        ).segments
        cells = segments[crop.y : crop.bottom]
        return filtered(self, [Finished([cell], bar.thickness) for cell in cells])


class Scrolled(Bare, ScrollView):
    """More lines than fit, under a header that stays.

    Its scroll bar keeps its place and shows nothing while all fits (``overflow-y:
    scroll``): by coming and going it would lay the screen out anew.
    """

    def __init__(self) -> None:
        """Draw nothing yet."""
        super().__init__()
        self._strips: dict[int, Strip] = {}
        """Finished lines by their place in the whole, the first below the header."""
        self._header: Strip | None = None
        self._extent = Size(0, 0)
        """How wide the lines are, and how many with the header."""

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The scroll bar, made when it is first asked for, as Textual makes its own."""
        if self._vertical_scrollbar is None:
            bar = self._vertical_scrollbar = SlimBar(name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self.app._start_widget(self, bar)  # noqa: SLF001 - not a child, so it cannot be mounted
        return self._vertical_scrollbar

    def header_strip(self) -> Strip:
        """Return the line that stays."""
        raise NotImplementedError

    def line_strip(self, place: int) -> Strip:
        """Return the line at ``place``, which may be below the last one."""
        raise NotImplementedError

    @property
    def lines(self) -> int:
        """How many lines are on the screen."""
        return max(1, self.outer_size.height - 1)

    def forget(self) -> None:
        """Draw all lines anew when they are next asked for."""
        self._strips.clear()
        self._header = None

    def drawn(self) -> list[Strip | None]:
        """Return the lines as they are on the screen; None where not known."""
        top = self.scroll_offset.y
        return [self._header, *(self._strips.get(top + line) for line in range(self.lines))]

    def refresh_changed(self, before: list[Strip | None]) -> None:
        """Have only those lines drawn that differ from ``before``: the terminal may be far away."""
        regions = []
        top, width = self.scroll_offset.y, self.outer_size.width
        for y, old in enumerate(before):
            new = self.kept_header() if y == 0 else self.kept_strip(top + y - 1)
            if old is None or old != new:
                regions.append(Region(0, y, width, 1))
        if regions:
            self.refresh(*regions)

    def kept_header(self) -> Strip:
        """Return the header, drawn when it is first asked for."""
        if self._header is None:
            self._header = self.header_strip()
        return self._header

    def kept_strip(self, place: int) -> Strip:
        """Return the line at ``place``, drawn when it is first asked for."""
        strip = self._strips.get(place)
        if strip is None:
            strip = self._strips[place] = self.line_strip(place)
        return strip

    def set_extent(self, width: int, lines: int) -> None:
        """Say how wide the lines are and how many there are."""
        self._extent = Size(width, lines + 1)
        size = self._to_scroll(self.outer_size)
        if size != self.virtual_size:
            # Not by assignment, which lays the whole screen out again: nothing moves but the scroll bar.
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)

    def _to_scroll(self, size: Size) -> Size:
        """Return the extent in a widget of ``size``."""
        # Not less than the widget's own, or the scroll bar would be drawn anew although it shows nothing.
        return Size(self._extent.width, max(self._extent.height, size.height))

    def _size_updated(
        self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True
    ) -> bool:
        """Take another size; Textual would compare the extent in the old one, and show a bar for a moment."""
        self.set_reactive(Widget.virtual_size, self._to_scroll(size))
        return super()._size_updated(size, virtual_size, container_size, layout)
