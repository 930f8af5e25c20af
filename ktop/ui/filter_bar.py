"""The line of the filter: typed into, then in sight until it is cleared."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key
from textual.message import Message
from textual.widgets import Input

from ktop.pane import Pane
from ktop.tables.filter import FilterError, parse
from ktop.text import escape
from ktop.ui.line import Line
from ktop.ui.view import View

HINT = "text, pid:123, comm:post*, p99_us>10ms, !term"


class FilterInput(Input):
    """A line for text from anywhere: what would move the cursor of a terminal, or turn it, stays out."""

    def replace(self, text: str, start: int, end: int) -> None:
        """Put what can be printed of ``text`` there."""
        super().replace("".join(filter(str.isprintable, text)), start, end)


class FilterBar(Horizontal):
    """Hidden while there is no filter; what is typed applies at once."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; }
    FilterBar.-shown { display: block; }
    FilterBar #slash { width: 2; }
    FilterBar Input { width: 1fr; border: none; height: 1; padding: 0; background: transparent; }
    FilterBar Input:focus { border: none; background: transparent; background-tint: $foreground 0%; }
    FilterBar #about { width: auto; max-width: 70%; padding-left: 2; }
    """

    class Changed(Message):
        """Another filter applies."""

    class Done(Message):
        """The user is done with typing."""

    def __init__(self, view: View, panes: Sequence[Pane]) -> None:
        """Edit the filter of ``view``; columns are those of ``panes``."""
        super().__init__()
        self._view = view
        self._panes = panes
        self._before = view.filter
        self._error = ""
        self._counts: tuple[int, int, tuple[str, ...]] | None = None
        # Held, not queried: while the application ends it goes before the bar does.
        self._about = Line(id="about")

    def compose(self) -> ComposeResult:
        """Compose the mark and what is to be said; the input comes when it is needed."""
        yield Line([("/", "strong bold")], id="slash")
        yield self._about

    async def on_mount(self) -> None:
        """Show a filter given from the start."""
        if self._view.filter:
            await self._input()
            self.add_class("-shown")

    async def edit(self) -> None:
        """Show the line and take the keyboard, before the next key is looked at; typing replaces the text."""
        self.add_class("-shown")
        self._before = self._view.filter
        box = await self._input()
        self.screen.set_focus(box)
        box.select_all()
        self._say()

    async def narrow(self, term: str) -> None:
        """Have ``term`` apply as well."""
        chosen = self._view.filter
        self.add_class("-shown")
        box = await self._input()
        if chosen is None or term not in {each.text for each in chosen.terms}:
            box.value = f"{chosen.text if chosen else ''} {term}".strip()
        self._apply(box.value)

    def clear(self) -> None:
        """Show all rows again."""
        for box in self.query(Input):
            box.value = ""
        self._apply("")
        self.remove_class("-shown")

    def count(self, shown: int, total: int, ignored: tuple[str, ...]) -> None:
        """Say how many rows of how many are left, and which terms mean nothing in this pane."""
        self._counts = (shown, total, ignored)
        if self.has_class("-shown"):
            self._say()

    async def _input(self) -> Input:
        """Return the input, made at its first use."""
        found = list(self.query(Input))
        if found:
            return found[0]
        box = FilterInput(
            self._view.filter.text if self._view.filter else "",
            placeholder=HINT,
            select_on_focus=False,
            compact=True,
        )
        await self.mount(box, after=0)
        return box

    def _apply(self, text: str) -> None:
        """Apply ``text``; while it makes no sense, what applied before it was edited."""
        try:
            chosen = parse(text, self._panes) or None
            self._error = ""
        except FilterError as error:
            chosen = self._before
            self._error = str(error)
        if chosen != self._view.filter:
            self._view.filter = chosen
            self.post_message(self.Changed())
        self._say()

    def _say(self) -> None:
        """Say what is wrong with the filter, or what it does."""
        if self._error:
            # Others' text (of a name that was typed) is escaped by the parser.
            still = escape(self._view.filter.text) if self._view.filter else "all rows"
            text, style = f"{self._error}  still: {still}", "hot"
        elif self._counts is None or not self._view.filter:
            text, style = "", ""
        else:
            shown, total, ignored = self._counts
            text, style = f"{shown} of {total}", "muted"
            if ignored:
                text, style = f"no column here for {escape(' '.join(ignored))}  {text}", "warn"
            elif not shown and (unknown := self._view.filter.unknown):
                text, style = f"no pane has a column {escape(unknown[0])}: it is looked for as text", "warn"
        self._about.set([(text, style)])
        self._about.refresh(layout=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply what is typed."""
        event.stop()
        self._apply(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and leave the line in sight, or hide it when it is empty."""
        event.stop()
        if not self._view.filter and not self._error:
            self.remove_class("-shown")
        self.post_message(self.Done())

    def key_escape(self, event: Key) -> None:
        """Clear the filter and leave; the moment looked at, and who is followed, stay."""
        event.stop()
        self.clear()
        self.post_message(self.Done())
