"""One line of styled text."""

from __future__ import annotations

from textual.geometry import Size

from ktop.ui.blocks import Parts, cells, ends
from ktop.ui.line_widget import Drawn
from ktop.ui.palette import Palette, Words


class Line(Drawn):
    """One line whose words are replaced as a whole; never parsed as markup."""

    DEFAULT_CSS = "Line { height: 1; }"

    def __init__(self, words: Words = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Show ``words``."""
        super().__init__(id=id)
        self._left: Words = words
        self._right: Words = ()

    def set(self, left: Words, right: Words = ()) -> None:
        """Show ``left`` from now on, and ``right`` at the other end."""
        self._left, self._right = left, right
        self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the line."""
        del height  # it is one
        return [ends(look.parts(self._left), look.parts(self._right), width)]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the cells that the words take, for ``width: auto``."""
        del container, viewport
        return cells(self._left) + cells(self._right)
