"""The base of the main and the process screen: widgets hear of every change of their size."""

from __future__ import annotations

from typing import Any

from textual.geometry import Size

from ktop.ui.textual_fixes.once import Once


class LaidOut(Once[None]):
    """Tells each widget where it is, whoever asked for that first.

    Textual (8.2.8) sends Resize for what differs from the last map of the screen.
    But that map is also made anew when somebody only asks where a widget is
    (``Compositor.full_map``): what is mounted or sized at such a moment would
    hear nothing, and on a slow host stay empty.
    """

    def __init__(self) -> None:
        """Nothing is laid out yet."""
        super().__init__()
        self._told: Any = {}
        """The map whose differences were last told."""

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """Compare with what was told last."""
        whole = not scroll or bool(self._layout_widgets)
        if whole:
            self._compositor._full_map = self._told  # noqa: SLF001 - what it compares with
        super()._refresh_layout(size, scroll)
        if whole:
            self._told = self._compositor._full_map  # noqa: SLF001 - what it compares with
