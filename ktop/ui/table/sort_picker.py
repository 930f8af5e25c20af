"""Choose the column to sort by, from a list that says what each column means."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ktop.pane import Pane
from ktop.tables.order import is_sortable
from ktop.ui import keys
from ktop.ui.footer import KeyLine
from ktop.ui.line import Line
from ktop.ui.textual_fixes.modal import Modal, Options

AROUND = 6
"""Lines of the box that are not the list's."""


class SortPicker(Modal[str | None]):
    """A list of the pane's columns; its result is the name of the chosen one."""

    CSS = """
    SortPicker {
        background: $background 60%;
        align: center middle;
    }

    SortPicker > Vertical {
        width: 95%;
        max-width: 100;
        height: auto;
        background: $panel;
        padding: 1 2;
    }

    SortPicker OptionList {
        border: none;
        height: auto;
        background: transparent;
        margin: 1 0;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """
    BINDINGS = keys.SORT

    def __init__(self, pane: Pane, current: str) -> None:
        """Offer the columns of ``pane``; the one called ``current`` is chosen at first."""
        super().__init__()
        columns = [column for column in pane.columns if column.in_table and is_sortable(column)]
        self._names = [column.name for column in columns]
        self._current = current
        width = max(len(column.title) for column in columns)
        # Held, not queried, for keys that come before it is there, or when it has gone.
        self._options = Options(
            *(
                Option(
                    Content.assemble(
                        (f"{column.title:<{width}}", "bold"), "  ", (summary(column.help), "$muted")
                    ),
                    id=column.name,
                )
                for column in columns
            ),
            markup=False,
        )

    def compose(self) -> ComposeResult:
        """Compose a title and the list."""
        with Vertical():
            yield Line([("Sort by", "foreground bold")])
            yield self._options
            yield KeyLine(self.BINDINGS)

    def on_mount(self) -> None:
        """Go to the column that is sorted by now."""
        self._options.highlighted = self._names.index(self._current) if self._current in self._names else 0

    def on_resize(self) -> None:
        """Have the list scroll where not all fit, to the column under the cursor."""
        self._options.styles.max_height = max(self.size.height - AROUND, 1)
        self.call_after_refresh(self._options.scroll_to_highlight)

    def action_move(self, step: int) -> None:
        """Move by one."""
        if step > 0:
            self._options.action_cursor_down()
        else:
            self._options.action_cursor_up()

    def action_choose(self) -> None:
        """Take the column under the cursor."""
        self._options.action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with the column's name."""
        self.dismiss(event.option.id)


def summary(text: str) -> str:
    """Return the first sentence of a help text."""
    first, _, _ = " ".join(text.split()).partition(". ")
    return first.rstrip(".")
