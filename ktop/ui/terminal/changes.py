"""What goes to the terminal each second: the cells that changed, and of their looks what differs.

Textual (8.2.8) writes a line from the left edge of its widget on, and every piece of it with all of its
colours and a reset: a heatmap of 200x50 is 52 KB a second, where the way to the host may be long and narrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

_RESET = "\x1b[0m"


class _Look(NamedTuple):
    """Parameters of "select graphic rendition" (ECMA-48, 8.3.117)."""

    ink: str
    ground: str
    attributes: str


_PLAIN = _Look("39", "49", "")


@lru_cache(4096)
def _look(parameters: str) -> _Look:
    """Return what is in ``parameters``."""
    ink, ground, attributes = _PLAIN.ink, _PLAIN.ground, []
    codes = iter(parameters.split(";"))
    for code in filter(None, codes):
        if code in {"38", "48"}:
            kind = next(codes)
            color = ";".join([code, kind, *(next(codes) for _ in range(3 if kind == "2" else 1))])
            ink, ground = (color, ground) if code == "38" else (ink, color)
        elif 30 <= int(code) <= 39 or 90 <= int(code) <= 97:
            ink = code
        elif 40 <= int(code) <= 49 or 100 <= int(code) <= 107:
            ground = code
        else:
            attributes.append(code)
    return _Look(ink, ground, ";".join(attributes))


class Pen:
    """Writes text, and what of the look before it has to change."""

    def __init__(self, system: ColorSystem) -> None:
        """Begin with a terminal that has been reset."""
        self._system = system
        self._now = _PLAIN
        self.written: list[str] = []

    def write(self, text: str, style: Style | None) -> None:
        """Write ``text`` in ``style``."""
        now, then = self._now, _PLAIN
        if style is not None:
            # Textual keeps them with the style, whose hash is dearer than theirs.
            then = _look(style._ansi or Strip.render_ansi(style, self._system))  # noqa: SLF001
        if then is not now:
            if then.attributes != now.attributes:
                # Nothing takes one attribute back in every terminal.
                self.written.append(f"\x1b[0;{';'.join(filter(None, then))}m")
                self._now = then
            else:
                # The ink of a blank cannot be seen, unless it is underlined or reversed.
                ink = now.ink if not then.attributes and text.isspace() else then.ink
                codes = [new for new, old in ((ink, now.ink), (then.ground, now.ground)) if new != old]
                if codes:
                    self.written.append(f"\x1b[{';'.join(codes)}m")
                    self._now = _Look(ink, then.ground, then.attributes)
        self.written.append(text)

    def end(self) -> str:
        """Leave the terminal reset; return all that was written."""
        if self._now != _PLAIN:
            self.written.append(_RESET)
        return "".join(self.written)


class Changes(ChopsUpdate):
    """An update of parts of the screen."""

    def render_segments(self, console: Console) -> str:
        """Return the update as the terminal gets it."""
        pen = Pen(console._color_system or ColorSystem.TRUECOLOR)  # noqa: SLF001 - as Textual asks for it
        for y, begin, end in self.spans:
            place = -1
            for stop, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or start >= end or stop <= begin:
                    continue
                if place != max(start, begin):
                    pen.written.append(f"\x1b[{y + 1};{max(start, begin) + 1}H")
                _write(pen, strip, begin - start, min(stop, end) - start)
                place = min(stop, end)
        return pen.end()


def _write(pen: Pen, strip: Strip, first: int, last: int) -> None:
    """Write the cells of ``strip`` from ``first`` to ``last``."""
    if first > 0 or last < strip.cell_length:
        segments: Iterable[Segment] = _between(list(strip), strip.cell_length, first, last)
    else:
        segments = strip
    for text, style, _control in segments:
        pen.write(text, style)


def _between(segments: list[Segment], end: int, first: int, last: int) -> list[Segment]:
    """Return the cells from ``first`` to ``last`` of ``segments``, which are ``end`` cells."""
    # From the right, where charts change: the width of text is dear to ask for.
    found: list[Segment] = []
    while segments and end > first:
        segment = segments.pop()
        begin = end - segment.cell_length
        if begin < last:
            if end > last:
                segment, _right = segment.split_cells(last - begin)
            if begin < first:
                _left, segment = segment.split_cells(first - begin)
            found.append(segment)
        end = begin
    return found[::-1]
