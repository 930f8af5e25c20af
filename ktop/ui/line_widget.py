"""The base of widgets that draw their lines when data come, not when the screen asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget

from ktop.ui.blocks import Parts, cells, cut
from ktop.ui.palette import Palette, palette


def filtered(widget: Widget, strips: list[Strip]) -> list[Strip]:
    """Return ``strips`` of ``widget`` as its application has lines changed: without colours, for one."""
    for line_filter in widget.get_line_filters():
        ground = widget.background_colors[1]
        strips = [strip.apply_filter(line_filter, ground) for strip in strips]
    return strips


class Finished(Strip):
    """A line that goes when nobody needs it any more.

    Textual keeps with a strip what it was divided into; undivided, that is the
    strip itself, which only the collector could free: 300 KB a second (measured).
    """

    __slots__ = ()

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Return the pieces between ``cuts`` (cells)."""
        inside = [cut for cut in cuts if cut <= self.cell_length]
        return [self] if inside == [self.cell_length] else super().divide(inside)


class Settled(Widget):
    """A widget that is laid out once for a size.

    Textual (8.2.8) tells it that size by setting this, which it has lay the screen out again.
    """

    virtual_size = Reactive(Size(0, 0))


class Bare(Settled):
    """A widget without border, tint and opacity: its lines are what it is.

    Textual asks for all of these for every line; that is half of what a line costs.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of ``crop`` as ``render_line`` has them; those must be as wide as the widget."""
        width, height = self.outer_size
        # The screen's map can be ahead of the size that the widget has been told (see ``laid_out``).
        strips = filtered(self, [self.render_line(y) for y in range(crop.y, min(crop.bottom, height))])
        start, end = crop.column_span
        if end > width:
            strips = [strip.extend_cell_length(end, self.rich_style) for strip in strips]
        if (start, end) != (0, width):
            strips = [strip.crop(start, end) for strip in strips]
        if len(strips) < crop.height:
            strips += filtered(self, [Strip.blank(crop.width, self.rich_style)]) * (crop.height - len(strips))
        return strips


class Ground(Settled):
    """A container that is nothing but ground: the compositor draws it whenever it draws what stands on it."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return one blank line as often as it takes."""
        return filtered(self, [Strip.blank(crop.width, self.visual_style.rich_style)]) * crop.height


class Drawn(Bare):
    """Keeps finished lines, and makes them anew for data, size and theme.

    Of its padding only the cells at both ends of a line count.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        """Draw nothing yet."""
        super().__init__(id=id)
        self._drawn: list[Parts | Strip] = []
        self._lines: list[Strip] = []
        """As ``_drawn``, on the widget's ground and as wide and high as it is."""
        self._ground = Style.null()
        self._room: tuple[int, int] | None = None
        """Columns and lines that ``_lines`` are made for; None: the style has changed since."""
        self._edges = ("", "")
        self._on_ground: dict[Style | None, Style] = {}

    def draw(self, look: Palette, width: int, height: int) -> Sequence[Parts | Strip]:
        """Return the lines of the content, at most ``height``; they are cut or padded to ``width``.

        Where they leave the colours open, they get the widget's own.  Strips are
        finished: as wide as the widget, on its ``ground``; those that are the same
        object have not changed.
        """
        raise NotImplementedError

    def ground(self, style: Style | None) -> Style:
        """Return ``style`` on the widget's ground: the same object for the same style."""
        whole = self._on_ground.get(style)
        if whole is None:
            whole = self._on_ground[style] = self._ground + style
        return whole

    def redraw(self) -> None:
        """Draw again, when there is a place to draw to; the screen is told of what differs."""
        if self.is_attached and self.outer_size:
            regions = self._make()
            if regions:
                self.refresh(*regions)

    def _make(self) -> list[Region]:
        """Make the lines anew; return where they differ from those before."""
        width, height = self.outer_size
        if self._room != (width, height):
            self._room, self._ground = (width, height), self.rich_style
            space = self.styles.padding
            self._edges = (" " * space.left, " " * space.right)
            self._on_ground.clear()
            self._drawn, self._lines = [], []
        inner = width - sum(map(len, self._edges))
        drawn = list(self.draw(palette(self.app), inner, height))[:height]
        # What is missing below is blank.
        drawn += [[]] * (height - len(drawn))
        before, old = self._drawn, self._lines
        same = [y < len(before) and _is_same(line, before[y]) for y, line in enumerate(drawn)]
        # Finished here, not when the screen asks: the style is dear to ask for, line by line.
        self._lines = [old[y] if same[y] else self._finished(line, inner) for y, line in enumerate(drawn)]
        self._drawn = drawn
        # Where a refresh begins to count: behind the padding.
        left = len(self._edges[0])
        lines = [(y, old[y] if y < len(old) else None) for y in range(height) if not same[y]]
        return [region.translate((-left, y)) for y, line in lines for region in changed(line, self._lines[y])]

    def _finished(self, parts: Parts | Strip, inner: int) -> Strip:
        """Return ``parts`` on the widget's ground, as wide as the widget."""
        if isinstance(parts, Strip):
            return parts
        left, right = self._edges
        size = cells(parts)
        if size > inner:
            parts = cut(parts, inner)
            size = cells(parts)
        segments = [Segment(left, self._ground)] if left else []
        segments += [Segment(text, self.ground(style)) for text, style in parts]
        if right or size < inner:
            segments.append(Segment(" " * (inner - size) + right, self._ground))
        return Finished(segments, len(left) + inner + len(right))

    def notify_style_update(self) -> None:
        """Forget what was drawn on another ground, or in another theme."""
        super().notify_style_update()
        self._room = None

    def on_resize(self) -> None:
        """Fit the new size."""
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """Return a finished line; made now, if nobody had it made for this size and theme."""
        if self._room != self.outer_size:
            self._make()
        return self._lines[y]


def changed(old: Strip | None, new: Strip) -> list[Region]:
    """Return where a line differs from what it was: no region, or one of a line's height."""
    if old is None or old.cell_length != new.cell_length:
        return [Region(0, 0, new.cell_length, 1)]
    before, after = list(old), list(new)
    end = new.cell_length
    while before and after and before[-1] == after[-1]:
        end -= after.pop().cell_length
        before.pop()
    pairs = enumerate(zip(before, after, strict=False))
    first = next((place for place, (one, other) in pairs if one != other), min(len(before), len(after)))
    # The width of text is dear to ask for.
    if first < len(after) // 2:
        begin = sum(segment.cell_length for segment in after[:first])
    else:
        begin = end - sum(segment.cell_length for segment in after[first:])
    return [Region(begin, 0, end - begin, 1)] if begin < end else []


def _is_same(line: Parts | Strip, before: Parts | Strip) -> bool:
    return line is before or (not isinstance(line, Strip) and line == before)
