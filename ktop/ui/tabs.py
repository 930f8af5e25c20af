"""The line of panes: one widget, drawn in one go (Textual's Tabs costs several)."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from ktop.ui.blocks import Parts, cells
from ktop.ui.line_widget import Drawn
from ktop.ui.palette import Palette, Words

GAP = 1
MORE_LEFT = "‹"
MORE_RIGHT = "›"


class PaneTabs(Drawn):
    """The names of all panes in one line; the current one stands out, dim ones have no figures.

    One whose question the host's pressure asks has the colour of that.
    """

    DEFAULT_CSS = "PaneTabs { height: 1; }"

    class Clicked(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            """Keep the position of the tab."""
            super().__init__()
            self.index = index

    def __init__(self, names: Sequence[str], current: int = 0) -> None:
        """Show ``names``, the one at ``current`` as the current one."""
        super().__init__()
        self._names = tuple(names)
        self._current = current
        self._dim: frozenset[int] = frozenset()
        self._alarms: dict[int, str] = {}
        self._spans: list[tuple[int, int, int]] = []

    def show(self, current: int, dim: frozenset[int], alarms: dict[int, str]) -> None:
        """Mark the tab at ``current``, draw those in ``dim`` as unavailable, and some in an alarm's style."""
        if (current, dim, alarms) != (self._current, self._dim, self._alarms):
            self._current, self._dim, self._alarms = current, dim, alarms
            self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the line: spaced where there is room, tight where not, scrolled at last."""
        del height  # it is one
        labels = self._labels(width)
        sizes = [cells(label) for label in labels]
        first, last = self._visible(sizes, width)
        words = [(MORE_LEFT, "muted")] if first > 0 else []
        self._spans = []
        x = len(words)
        for index in range(first, last):
            self._spans.append((x, x + sizes[index], index))
            words += [*labels[index]]
            words += [(" " * GAP, "")] if index + 1 < len(labels) else []
            x += sizes[index] + GAP
        if last < len(labels):
            words.append((MORE_RIGHT, "muted"))
        return [look.parts(words)]

    def _labels(self, width: int) -> list[Words]:
        """Return the labels: spaced if they fit so, else tight."""
        numbers = range(len(self._names))
        spaced = [self._label(index, " ") for index in numbers]
        if sum(cells(label) + GAP for label in spaced) - GAP <= width:
            return spaced
        return [self._label(index, "") for index in numbers]

    def _label(self, index: int, space: str) -> Words:
        """Return one tab: its digit (the key) quiet, its name in the style of its state."""
        digit = str(index + 1) if index < 9 else ""
        if index == self._current:
            return [(f"{space}{digit}{space}{self._names[index]}{space}", "foreground bold reverse")]
        style = "muted" if index in self._dim else self._alarms.get(index, "")
        return [(space + digit + space, "muted"), (self._names[index], style), (space, "")]

    def _visible(self, labels: Sequence[int], width: int) -> tuple[int, int]:
        """Return the range of tabs, as wide as ``labels``, to draw such that the current one is in sight."""
        sizes = [label + GAP for label in labels]
        if sum(sizes) - GAP <= width:
            return 0, len(labels)
        room = width - 2
        first, last = self._current, self._current + 1
        while True:
            used = sum(sizes[first:last])
            if last < len(labels) and used + sizes[last] <= room:
                last += 1
            elif first > 0 and used + sizes[first - 1] <= room:
                first -= 1
            else:
                return first, last

    def on_click(self, event: events.Click) -> None:
        """Say which tab was clicked."""
        place = event.get_content_offset(self)
        for start, end, index in self._spans:
            if place is not None and start <= place.x < end:
                self.post_message(self.Clicked(index))
                return
