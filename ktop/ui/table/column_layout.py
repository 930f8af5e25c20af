"""Which columns of a table are shown, and where: for the rows it has, and the room there is."""

from __future__ import annotations

import numpy as np

from ktop.frame import Rows
from ktop.pane import Column, Pane
from ktop.tables.columns import Slot, alarming, arrange, at, candidates, need, total_width


class ColumnLayout:
    """The places of columns, for which what these need only grows: nothing jumps from tick to tick.

    At another width they need no more than the next rows do.
    """

    def __init__(self, pane: Pane) -> None:
        """Show no column of ``pane`` yet."""
        self._pane = pane
        self.slots: tuple[Slot, ...] = ()
        """The columns that are shown, from the left."""
        self._needs: dict[str, int] = {}
        """Cells that columns needed so far, at this width."""
        self._width = 0
        self._alarming: set[str] = set()
        """Columns that told of a failure so far, at this width: they stay."""
        self._told: set[str] = set()
        """Columns that told of more than is ordinary, or of a failure, so far: they stay, at any size that
        has room."""

    def arrange(self, rows: Rows, sorted_by: str, screen_width: int, width: int) -> None:
        """Give the columns of ``rows`` their places within ``width`` cells, on a screen of ``screen_width``.

        The one called ``sorted_by`` is among them whatever the room.
        """
        if width != self._width:
            self._width = width
            self._needs.clear()
            self._alarming.clear()
        self._alarming |= alarming(self._pane, rows)
        keep = {sorted_by, *self._alarming}
        columns = candidates(self._pane, rows, screen_width, {*keep, self._pane.sort}, self._told)
        self._told |= {column.name for column in columns if column.ordinary or column.explains}
        for column in columns:
            wanted = need(column, rows[column.name] if rows else np.zeros(0))
            self._needs[column.name] = max(self._needs.get(column.name, 0), wanted)
        self.slots = arrange(self._pane, columns, self._needs, width, keep)

    @property
    def width(self) -> int:
        """Cells that the columns take in all; more than there are where even the least do not fit."""
        return total_width(self.slots)

    def at(self, x: int) -> Column | None:
        """Return the column at cell ``x`` of the table."""
        return at(self.slots, x)
