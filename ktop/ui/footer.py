"""The line of keys at the bottom, drawn from the bindings that are live."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from ktop.ui.keys import declared, shown_key


class KeyLine(Widget):
    """Keys and what they do; as many as fit, and each can be clicked."""

    DEFAULT_CSS = """
    KeyLine {
        height: 1;
        text-wrap: nowrap;
    }
    """

    def __init__(self, bindings: Iterable[BindingType]) -> None:
        """Show those of ``bindings`` that are made to be shown."""
        super().__init__()
        self._shown = [binding for binding in declared(bindings) if binding.show]
        self._spans: list[tuple[int, int, Binding]] = []

    def render(self) -> Content:
        """Return the line."""
        parts: list[str | tuple[str, str]] = []
        sizes = [len(shown_key(each)) + 1 + len(each.description) for each in self._shown]
        gap = 2 if sum(sizes) + 2 * (len(sizes) - 1) <= self.size.width else 1
        self._spans = []
        x = 0
        for binding in self._shown:
            key, label = shown_key(binding), binding.description
            size = len(key) + len(label) + 1
            if x + size > self.size.width:
                break
            self._spans.append((x, x + size, binding))
            parts += [(key, "bold"), " ", (label, "$muted"), " " * gap]
            x += size + gap
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Do what the key would do."""
        for start, end, binding in self._spans:
            if start <= event.x < end:
                self.app.simulate_key(binding.key.split(",", maxsplit=1)[0])
                return
