"""What a pane's rows are shown in, a table or a tree: all that the pane and its screen know of either."""

from __future__ import annotations

from typing import Any, NamedTuple

from ktop.frame import Rows
from ktop.ui.pane_rows import Snapshot
from ktop.ui.scrolled import Scrolled
from ktop.ui.view import Followed


class Sorting(NamedTuple):
    """The order of a table's rows."""

    column: str
    reverse: bool = False
    """Whether numbers rise, and text falls."""


class RowsView(Scrolled, can_focus=True):
    """Rows, of which one is under the cursor; its ``BINDINGS`` are the keys that move there.

    What is not said otherwise is so where lines are no rows, as in a tree: there
    are no columns to find one by or to sort by, and no ages.
    """

    def show(self, rows: Rows) -> None:
        """Show ``rows`` instead; the cursor stays on its own."""
        raise NotImplementedError

    def show_snapshot(self, found: Snapshot) -> None:
        """Show the rows of ``found``, and what else of it has a place here."""
        self.show(found.rows)

    def age(self, now: float) -> None:
        """Count ages from ``now`` (Unix time); the rows stay."""

    @property
    def process(self) -> Followed | None:
        """The process under the cursor; None where there is none."""
        raise NotImplementedError

    def is_on(self, process: Followed) -> bool:
        """Return whether the cursor is on ``process``."""
        return process.is_same(self.process)

    def follow_process(self, process: Followed | None) -> None:
        """Put the cursor on ``process`` and keep it there; None: no longer.  Said anew with all new rows."""
        raise NotImplementedError

    def cursor_row(self) -> dict[str, Any] | None:
        """Return the row under the cursor by columns; None without one, or no rows."""
        return None

    def go_to(self, **values: Any) -> bool:
        """Move the cursor to the first row with these values; return whether there is one."""
        del values
        return False

    @property
    def sorting(self) -> Sorting | None:
        """The order of the rows; None where there are no columns to sort by."""
        return None

    def sort_by(self, name: str, reverse: bool = False) -> None:
        """Sort by the column ``name``: numbers from the largest, text from A; ``reverse``: the other way."""

    def sort_next(self, step: int) -> None:
        """Sort by the column that is ``step`` to the right (negative: left) of the one sorted by."""

    def reverse_sort(self) -> None:
        """Turn the order round."""
