"""The keys of a table, as the help screen explains them."""

from __future__ import annotations

from textual.binding import Binding, BindingType


def _binding(keys: str, action: str, name: str, what: str, tooltip: str) -> Binding:
    return Binding(keys, action, what, show=False, id=f"table.{name}", tooltip=tooltip)


TABLE_KEYS: list[BindingType] = [
    _binding("up,k", "move(-1)", "up", "Up", "One row up"),
    _binding("down,j", "move(1)", "down", "Down", "One row down"),
    _binding("pageup", "page(-1)", "page_up", "Page up", "One screen of rows up"),
    _binding("pagedown", "page(1)", "page_down", "Page down", "One screen of rows down"),
    _binding("home,g", "first", "first", "First row", "To the first row"),
    _binding("end,G", "last", "last", "Last row", "To the last row"),
    _binding("left,h", "sideways(-1)", "left", "Left", "To the columns on the left, where not all fit"),
    _binding("right,l", "sideways(1)", "right", "Right", "To the columns on the right, where not all fit"),
    _binding("enter", "select", "select", "Open", "Open the process of this row"),
]
