"""Derived columns need not be stored: the pane makes them again from the others."""

from __future__ import annotations

from dataclasses import replace

from ktop.frame import Array, Frame, Rows, length
from ktop.pane import Pane


def strip(pane: Pane | None, frame: Frame) -> Frame:
    """Return ``frame`` without the columns that ``restore`` adds; as it is without rows or pane."""
    if pane is None or not len(frame):
        return frame
    derived = {column.name for column in pane.columns if column.derived}
    if not derived.intersection(frame.rows):
        return frame
    return replace(frame, rows={name: column for name, column in frame.rows.items() if name not in derived})


def restore(pane: Pane | None, rows: Rows) -> dict[str, Array]:
    """Return ``rows`` with the pane's derived columns; as they are when there is no row."""
    if pane is None or not length(rows):
        return dict(rows)
    return pane.derive(dict(rows))
