"""The line of panes: one widget, drawn in one go (Textual's Tabs costs several)."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

GAP = 1
MORE_LEFT = "‹"
MORE_RIGHT = "›"


class PaneTabs(Widget):
    """The names of all panes in one line; the current one stands out, dim ones have no figures."""

    DEFAULT_CSS = """
    PaneTabs {
        height: 1;
        text-wrap: nowrap;
    }
    """

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
        self._spans: list[tuple[int, int, int]] = []

    def show(self, current: int, dim: frozenset[int]) -> None:
        """Mark the tab at ``current``, and draw those in ``dim`` as unavailable."""
        if (current, dim) != (self._current, self._dim):
            self._current, self._dim = current, dim
            self.refresh()

    def render(self) -> Content:
        """Return the line: spaced where there is room, tight where not, scrolled at last."""
        width = self.size.width
        labels = self._labels(width)
        first, last = self._visible(labels, width)
        parts: list[Content] = []
        self._spans = []
        x = 0
        if first > 0:
            parts.append(Content.styled(MORE_LEFT, "$muted"))
            x = 1
        for index in range(first, last):
            label = labels[index]
            self._spans.append((x, x + label.cell_length, index))
            parts += [label, Content(" " * GAP)]
            x += label.cell_length + GAP
        if last < len(labels):
            parts.append(Content.styled(MORE_RIGHT, "$muted"))
        return Content.assemble(*parts)

    def _labels(self, width: int) -> list[Content]:
        """Return the labels: spaced if they fit so, else tight."""
        numbers = range(len(self._names))
        spaced = [self._label(index, " ") for index in numbers]
        if sum(label.cell_length + GAP for label in spaced) - GAP <= width:
            return spaced
        return [self._label(index, "") for index in numbers]

    def _label(self, index: int, space: str) -> Content:
        """Return one tab: its digit (the key) quiet, its name in the style of its state."""
        digit = str(index + 1) if index < 9 else ""
        edge = " " if space else ""
        if index == self._current:
            return Content.styled(f"{edge}{digit}{space}{self._names[index]}{edge}", "bold reverse")
        style = "$muted" if index in self._dim else ""
        return Content.assemble(edge, (digit + space, "$muted"), (self._names[index], style), edge)

    def _visible(self, labels: list[Content], width: int) -> tuple[int, int]:
        """Return the range of tabs to draw such that the current one is in sight."""
        sizes = [label.cell_length + GAP for label in labels]
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
        for start, end, index in self._spans:
            if start <= event.x < end:
                self.post_message(self.Clicked(index))
                return
