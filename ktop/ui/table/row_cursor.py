"""A cursor that is the identity of a row, wherever the row stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktop.frame import Array, Rows
from ktop.pane import Pane
from ktop.tables.order import find, key_of


class RowCursor:
    """Which row of a table is meant, by the values of the pane's key."""

    def __init__(self, pane: Pane) -> None:
        """Mean no row yet; the first there is, once there are rows."""
        self._pane = pane
        self.position = 0
        """The place of the row in the order, or where it was when it went."""
        self.key: dict[str, Any] | None = None
        """What identifies the row."""
        self.absent = True
        """Whether the row is not among the rows now; then nothing is under the cursor."""

    def locate(self, rows: Rows, order: Array, *, wait: bool) -> None:
        """Find the row among ``rows``, which are shown in ``order`` (positions).

        If it is gone, mean the row that has its place now, or ``wait`` until it
        comes back.  With no rows at all nothing else can be meant: wait as well.
        """
        place = -1 if self.key is None else find(rows, self.key)
        if place >= 0:
            self.position, self.absent = int(np.flatnonzero(order == place)[0]), False
        elif not len(order) or (wait and self.key is not None):
            self.position, self.absent = min(self.position, max(0, len(order) - 1)), True
        else:
            self.put(rows, order, self.position)

    def wait_for(self, key: dict[str, Any]) -> None:
        """Mean the row that ``key`` identifies, once it comes; nothing until then."""
        self.key, self.absent = key, True

    def put(self, rows: Rows, order: Array, position: int) -> None:
        """Mean the row at ``position`` of ``order``, or the nearest there is (there must be one)."""
        self.position = max(0, min(position, len(order) - 1))
        self.key = key_of(self._pane, rows, int(order[self.position]))
        self.absent = False
