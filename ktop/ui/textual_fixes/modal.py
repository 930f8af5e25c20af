"""Textual's dialogs, for slow hosts: answered twice, used before they have any room, clicked too late."""

from __future__ import annotations

import contextlib
from typing import Any

from textual.app import ComposeResult
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hits, SearchIcon
from textual.errors import NoWidget
from textual.events import Click
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.system_commands import SystemCommandsProvider
from textual.widgets import OptionList

from ktop.ui.textual_fixes.once import Once, Result

NARROWEST = 8
"""Columns in which an option has room for a letter between its margins."""


class Modal(ModalScreen[Result], Once[Result]):
    """A screen before another, which goes at its first answer."""


class Options(OptionList):
    """A list that stands being used before it was laid out, and clicked on after it has changed."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Get the height for ``width``, or for the least that holds a letter."""
        return super().get_content_height(container, viewport, max(width, NARROWEST))

    def _update_lines(self) -> None:
        if self.scrollable_content_region.width >= NARROWEST:
            super()._update_lines()

    def _move_page(self, direction: Any) -> None:
        with contextlib.suppress(KeyError):
            super()._move_page(direction)

    async def _on_click(self, event: Click) -> None:
        event.prevent_default()  # Textual would call what it is that we replace, too
        with contextlib.suppress(IndexError):
            await super()._on_click(event)


class InOrder(SystemCommandsProvider):
    """The application's commands, as it gives them."""

    async def discover(self) -> Hits:
        """Yield all, for the beginning."""
        for title, text, callback, _ in self.app.get_system_commands(self.screen):
            yield DiscoveryHit(title, callback, help=text)


class CommandOptions(CommandList, Options):
    """The list of the command palette."""


class Commands(CommandPalette, Once[None]):
    """The command palette; runs the chosen command once."""

    def compose(self) -> ComposeResult:
        """Compose Textual's parts, but for the list, and the icon: many fonts have no emoji."""
        for widget in super().compose():
            if isinstance(widget, SearchIcon):
                widget.icon = ":"
            yield CommandOptions() if isinstance(widget, CommandList) else widget

    def _gather_commands(self, search_value: str) -> Any:
        # Keys that were still waiting when it was left.
        return super()._gather_commands(search_value) if self.app.screen is self else None

    def _select_or_command(self, event: Any = None) -> None:
        super()._select_or_command(event)
        if self.app.screen is not self:
            self._selected_command = None

    def _on_click(self, event: Click) -> None:  # type: ignore[override]
        event.prevent_default()
        with contextlib.suppress(NoWidget):
            super()._on_click(event)
