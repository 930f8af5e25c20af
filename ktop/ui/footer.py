"""The line of keys at the bottom, drawn from the bindings that are live."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from textual import events
from textual.binding import Binding, BindingType

from ktop.ui.blocks import Parts
from ktop.ui.keys import Keymap, declared, rebound, shown_key
from ktop.ui.line_widget import Drawn
from ktop.ui.palette import Palette

LAST_TO_GO = frozenset({"app.quit", "app.help", "process.back", "help.close"})
"""The ids of the bindings that nobody must have to look for."""
FIRST_TO_GO = frozenset({"view.follow", "view.chart", "pane.next"})
"""The ids of those that are there only where nothing else has to go for them; tabs show their own keys."""


class KeyLine(Drawn):
    """Keys and what they do; as many as fit, and each can be clicked.

    The way out and the help are there at any width: they are the last to go.
    """

    DEFAULT_CSS = "KeyLine { height: 1; }"

    def __init__(self, bindings: Iterable[BindingType]) -> None:
        """Show those of ``bindings`` that are made to be shown."""
        super().__init__()
        self._shown = [binding for binding in declared(bindings) if binding.show]
        self._left_out: frozenset[str] = frozenset()
        self._needed: frozenset[str] = frozenset()
        self._words: Mapping[str, str] = {}
        self._spans: list[tuple[int, int, Binding]] = []

    def suit(self, without: Collection[str], words: Mapping[str, str], needed: Collection[str] = ()) -> None:
        """Show all but the bindings with the ids of ``without``; ``words``: what others are called, by id.

        ``needed``: the ids of those that only the way out and the help outlast.
        """
        suited = frozenset(without), words, frozenset(needed)
        if (self._left_out, self._words, self._needed) != suited:
            self._left_out, self._words, self._needed = suited
            self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the line."""
        del height  # it is one
        words: list[tuple[str, str]] = []
        shown = self._fitting(width)
        gap = 2 if _width(shown, 2) <= width else 1
        self._spans = []
        x = 0
        for binding in shown:
            key, label = shown_key(binding), binding.description
            size = len(key) + len(label) + 1
            self._spans.append((x, x + size, binding))
            words += [(" " * gap, "")] if words else []
            words += [(key, "foreground bold"), (" " + label, "muted")]
            x += size + gap
        return [look.parts(words)]

    def _fitting(self, width: int) -> list[Binding]:
        """Return what there is room for: keys of the pane go before the application's, from the right."""
        keymap: Keymap = getattr(self.app, "keymap", {})
        shown = [
            replace(binding, description=self._words.get(binding.id or "", binding.description))
            for binding in rebound(self._shown, keymap)
            if binding.id not in self._left_out
        ]
        while len(shown) > 1 and _width(shown, 1) > width:
            rest = [binding for binding in shown if binding.id not in LAST_TO_GO]
            others = [binding for binding in rest if binding.id not in self._needed]
            extra = [binding for binding in others if binding.id in FIRST_TO_GO]
            shown.remove((extra or others or rest or shown)[-1])
        return shown

    def on_click(self, event: events.Click) -> None:
        """Do what the key would do."""
        place = event.get_content_offset(self)
        for start, end, binding in self._spans:
            if place is not None and start <= place.x < end:
                # Textual has its own names for what is no letter: of "?", "question_mark".
                self.app.simulate_key(next(iter(Binding.make_bindings([binding]))).key)
                return


def _width(bindings: Sequence[Binding], gap: int) -> int:
    """Return the cells that ``bindings`` take, ``gap`` blanks between them."""
    sizes = [len(shown_key(each)) + 1 + len(each.description) for each in bindings]
    return sum(sizes) + gap * max(len(sizes) - 1, 0)
