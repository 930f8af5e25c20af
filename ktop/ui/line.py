"""Lines of styled text."""

from __future__ import annotations

from collections.abc import Sequence

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


class Block(Drawn):
    """As high as what it shows has lines."""

    DEFAULT_CSS = "Block { height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Show nothing yet."""
        super().__init__(id=id)
        self._count = 0

    def redraw_in(self, lines: int) -> None:
        """Draw again, ``lines`` high; only another height has the screen laid out."""
        if lines != self._count:
            self._count = lines
            self.refresh(layout=True)
        self.redraw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines it takes, for ``height: auto``."""
        del container, viewport, width
        return self._count


class Lines(Block):
    """Lines whose words are replaced as a whole; never parsed as markup."""

    def __init__(self, lines: Sequence[Words] = (), *, id: str | None = None) -> None:  # noqa: A002 - as above
        """Show ``lines``."""
        super().__init__(id=id)
        self._words = lines
        self._count = len(lines)

    def set(self, lines: Sequence[Words]) -> None:
        """Show ``lines`` from now on."""
        self._words = lines
        self.redraw_in(len(lines))

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the lines."""
        del width, height
        return [look.parts(line) for line in self._words]
