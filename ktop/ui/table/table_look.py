"""What a table looks like: its parts, their style sheet and styles, and its header."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from ktop.format import header
from ktop.tables.columns import ALARM, QUIET, SORTED, Slot
from ktop.text import fit

TABLE_PARTS = {
    "frame-table--header",
    "frame-table--header-sorted",
    "frame-table--row",
    "frame-table--quiet",
    "frame-table--sorted",
    "frame-table--alarm",
    "frame-table--trend",
    "frame-table--cursor",
    "frame-table--cursor-alarm",
}
"""The component classes: what can be styled."""

TABLE_CSS = """
FrameTable {
    height: 1fr;
    scrollbar-size: 0 1;
    /* The bar keeps its place and shows nothing while all fits: by coming and going it lays all out anew. */
    overflow-y: scroll;
    & > .frame-table--header { color: $muted; }
    & > .frame-table--header-sorted { color: $strong; text-style: bold; }
    & > .frame-table--quiet { color: $muted; }
    & > .frame-table--sorted { color: $strong; }
    & > .frame-table--alarm { color: $warn; }
    & > .frame-table--trend { color: $muted; }
    & > .frame-table--cursor {
        background: $block-cursor-blurred-background;
        color: $block-cursor-blurred-foreground;
        text-style: $block-cursor-blurred-text-style;
    }
    &:focus > .frame-table--cursor {
        background: $block-cursor-background;
        color: $block-cursor-foreground;
        text-style: $block-cursor-text-style;
    }
    /* What tells of a failure does so under the cursor, too: it begins on the first row. */
    & > .frame-table--cursor-alarm {
        background: $block-cursor-blurred-background;
        color: $warn;
        text-style: $block-cursor-blurred-text-style;
    }
    &:focus > .frame-table--cursor-alarm {
        background: $block-cursor-background;
        color: $warn;
        text-style: $block-cursor-text-style;
    }
    &:ansi:focus > .frame-table--cursor-alarm { color: ansi_bright_yellow; }
    &:ansi > .frame-table--header { color: ansi_default; text-style: dim; }
    &:ansi > .frame-table--quiet { color: ansi_default; text-style: dim; }
    &:nocolor > .frame-table--alarm { text-style: bold; }
    &:nocolor > .frame-table--cursor { text-style: underline; }
    &:nocolor:focus > .frame-table--cursor { text-style: reverse; }
    &:nocolor > .frame-table--cursor-alarm { text-style: bold underline; }
    &:nocolor:focus > .frame-table--cursor-alarm { text-style: bold reverse; }
}
"""

_PARTS = {QUIET: "quiet", SORTED: "sorted", ALARM: "alarm"}
"""The part of the style sheet for each role of a cell."""
_FALLING, _RISING = "▾", "▴"


class TableStyles:
    """The styles of a table's parts, remembered: asking the style sheet for one is dear."""

    def __init__(self, table: Widget) -> None:
        """Take them from the style sheets of ``table``, when they are first needed."""
        self._table = table
        self._styles: dict[str, Style] = {}

    def forget(self) -> None:
        """Ask anew: the theme is another one, or who has the keyboard."""
        self._styles.clear()

    def of(self, part: str) -> Style:
        """Return the style of ``part``, one of TABLE_PARTS without what they all begin with."""
        style = self._styles.get(part)
        if style is None:
            try:
                style = self._table.get_component_rich_style(f"frame-table--{part}")
            except KeyError:
                return Style.null()  # the mouse can ask before the first style sheet was applied
            self._styles[part] = style
        return style

    def painted(self, pieces: Sequence[tuple[str, int]]) -> list[Segment]:
        """Return the ``pieces`` of a row (text, role) in the styles of their roles."""
        styles = {role: self.of(part) for role, part in _PARTS.items()}
        plain = self.of("row")
        return [Segment(text, styles.get(role, plain)) for text, role in pieces]

    def under_cursor(self, pieces: Sequence[tuple[str, int]]) -> list[Segment]:
        """Return the ``pieces`` of the row under the cursor: in its style alone, but for failures."""
        cursor, alarm = self.of("cursor"), self.of("cursor-alarm")
        runs = groupby(pieces, key=lambda piece: piece[1] == ALARM)
        return [
            Segment("".join(text for text, _role in run), alarm if alarming else cursor)
            for alarming, run in runs
        ]


def header_segments(
    slots: Sequence[Slot], sorted_by: str, rising: bool, style: Style, sorted_style: Style
) -> list[Segment]:
    """Return the titles above ``slots``; the one sorted by has a mark: ▾ falling, ▴ rising."""
    segments = []
    for slot in slots:
        title = fit(header(slot.column), slot.width, right=slot.right)
        if slot.column.name == sorted_by:
            text = _marked(slot, title, _RISING if rising else _FALLING)
            segments.append(Segment(text, sorted_style))
        else:
            segments.append(Segment(" " * slot.gap + title, style))
    return segments


def with_arrows(strip: Strip, left: bool, right: bool, style: Style) -> Strip:
    """Return the header with a mark at each side where there are more columns."""
    width = strip.cell_length
    if width < 3:
        return strip
    start, middle, end = strip.divide([1, width - 1, width])
    before = Strip([Segment("‹", style)], 1) if left else start
    behind = Strip([Segment("›", style)], 1) if right else end
    return Strip.join([before, middle, behind])


def _marked(slot: Slot, title: str, mark: str) -> str:
    """Return the gap and the title with the mark: in front, or behind a title aligned left that has room."""
    if not slot.right and title.endswith(" "):
        name = title.rstrip()
        return " " * slot.gap + name + mark + title[len(name) + 1 :]
    name = title.lstrip()
    return " " * (slot.gap + len(title) - len(name) - 1) + mark + name
