"""One line of styled text: the cheapest widget there is."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget


class Line(Widget):
    """One line whose content is replaced as a whole; never parsed as markup."""

    DEFAULT_CSS = """
    Line {
        height: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def __init__(self, content: Content | None = None, *, id: str | None = None) -> None:  # noqa: A002
        """Show ``content`` (nothing yet when None)."""
        super().__init__(id=id)
        self._content = content if content is not None else Content.empty()
        self._right = Content.empty()

    def set(self, content: Content, right: Content | None = None) -> None:
        """Show ``content`` from now on, and ``right`` at the other end.

        A refresh is paid only when something differs.
        """
        right = right if right is not None else Content.empty()
        if content.is_same(self._content) and right.is_same(self._right):
            return
        self._content, self._right = content, right
        self.refresh()

    def render(self) -> Content:
        """Return the line."""
        return spread(self._content, self._right, self.size.width) if self._right else self._content


def spread(left: Content, right: Content, width: int) -> Content:
    """Return ``left`` and ``right`` at the two ends of a line of ``width`` cells.

    ``left`` is cut when there is no room for both: the right end names states
    (paused, interval) that must not get lost.
    """
    room = width - right.cell_length
    if room <= 0:
        return right.truncate(max(width, 0), ellipsis=True)
    if left.cell_length >= room:
        left = left.truncate(max(room - 1, 0), ellipsis=True)
    return Content.assemble(left, " " * (room - left.cell_length), right)
