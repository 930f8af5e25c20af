"""The application on Frames made by arithmetic, driven by keys and the mouse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

from ktop.pane import Pane
from ktop.ui.app import KtopApp
from ktop.ui.main_screen import MainScreen
from ktop.ui.palette import Words
from ktop.ui.pane_view import PaneView
from ktop.ui.table.table import FrameTable
from tests.ui.synthetic import PANES, Synthetic

NAMES = [pane.name for pane in PANES]
XTERM = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for a condition, for as long as the runner lets a test take."""
    for _ in range(1000):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came to be")


def plain(widget: Widget) -> str:
    """What stands in a widget that draws its own lines."""
    return "\n".join(widget.render_line(y).text for y in range(widget.outer_size.height))


def spelt(words: Words) -> str:
    """What ``words`` say."""
    return "".join(text for text, _ in words)


class Driven:
    """The application, its source and its pilot."""

    def __init__(self, app: KtopApp, source: Synthetic, pilot: Pilot[None]) -> None:
        self.app, self.source, self.pilot = app, source, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.until(lambda: not self.app.keys_held)
        await self.pilot.pause()

    async def tick(self, count: int = 1) -> None:
        self.source.tick(count)
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        await until(self.pilot, holds)

    @property
    def main(self) -> MainScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def view(self) -> PaneView:
        view = self.main.pane_view
        assert view is not None
        return view

    @property
    def table(self) -> FrameTable:
        return next(table for table in self.main.query(FrameTable) if table.parent is self.view)

    @property
    def pid(self) -> int | None:
        """The process under the cursor."""
        process = self.view.table.process
        return process.pid if process is not None else None

    @property
    def text(self) -> str:
        """Everything on the screen, as text."""
        return self._text(self.app.screen)

    def keyboard_is_at(self, kind: type) -> bool:
        return isinstance(self.app.focused, kind)

    def shows(self, kind: type) -> bool:
        return isinstance(self.app.screen, kind)

    @property
    def screen(self) -> Any:
        return self.app.screen

    @property
    def main_text(self) -> str:
        return self._text(self.main)

    def _text(self, screen: Screen[Any]) -> str:
        width, _height = self.app.size
        lines = screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line)[:width] for line in lines)


@asynccontextmanager
async def running(  # noqa: PLR0913 - what a test may choose
    source: Synthetic | None = None,
    *,
    size: tuple[int, int] = (120, 40),
    ticks: int = 30,
    environ: dict[str, str] = XTERM,
    pane: str | None = None,
    pid: int | None = None,
    at: float | None = None,
    panes: Sequence[Pane] = PANES,
    notifications: bool = False,
    **options: Any,
) -> AsyncIterator[Driven]:
    source = source if source is not None else Synthetic()
    app = KtopApp(source, panes, pane=pane, pid=pid, at=at, environ=environ, **options)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        driven = Driven(app, source, pilot)
        await driven.until(lambda: source.started and driven.main.pane_view is not None)
        await driven.tick(ticks)
        await driven.until(lambda: driven.main.has_class("-tiny") or "measured" in driven.main_text)
        yield driven
        # As users leave: what is still waiting then may meet widgets that are gone already.
        app.exit()
