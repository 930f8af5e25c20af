"""The keys of a table, as the help screen explains them."""

from __future__ import annotations

from textual.binding import BindingType

from ktop.ui.keys import key

TABLE_KEYS: list[BindingType] = [
    key("up,k", "move(-1)", "Up", "One row up", "table.up"),
    key("down,j", "move(1)", "Down", "One row down", "table.down"),
    key("pageup", "page(-1)", "Page up", "One screen of rows up", "table.page_up"),
    key("pagedown", "page(1)", "Page down", "One screen of rows down", "table.page_down"),
    key("home,g", "first", "First row", "To the first row", "table.first"),
    key("end,G", "last", "Last row", "To the last row", "table.last"),
    key("left,h", "sideways(-1)", "Left", "To the columns on the left, where not all fit", "table.left"),
    key("right,l", "sideways(1)", "Right", "To the columns on the right, where not all fit", "table.right"),
    key("enter", "select", "Open", "Open the process of this row", "table.select"),
]
