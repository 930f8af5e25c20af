"""An application of one widget, which fills the terminal."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult

from ktop.ui.palette import ThemedApp


class OneWidget(ThemedApp):
    """Shows ``view`` in a terminal of 256 colours, or in another by ``environ``."""

    CSS = ".-whole { height: 100%; }"

    def __init__(self, view: Any, **environ: str) -> None:
        super().__init__(environ={"TERM": "xterm-256color", **environ})
        self.view = view
        view.add_class("-whole")

    def compose(self) -> ComposeResult:
        yield self.view

    def text(self) -> list[str]:
        """Return the lines that the widget draws."""
        return [self.view.render_line(y).text for y in range(self.view.size.height)]
