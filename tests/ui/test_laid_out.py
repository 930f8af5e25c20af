"""What is laid out hears of its size, whoever asked for it first."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from ktop.ui.textual_fixes.laid_out import LaidOut


class Heard(Widget):
    sizes: tuple[Size, ...] = ()

    def on_resize(self) -> None:
        self.sizes = (*self.sizes, self.size)


class ScreenApp(App[None]):
    def __init__(self, screen: type[Screen[None]]) -> None:
        super().__init__()
        self._screen_class = screen

    def get_default_screen(self) -> Screen[None]:
        return self._screen_class()


@pytest.mark.parametrize(
    ("screen", "told"),
    [(LaidOut, True), pytest.param(Screen, False, id="Textual's own: once that hears too, LaidOut can go")],
)
async def test_what_is_mounted_while_somebody_asks_where_it_is_is_told(
    screen: type[Screen[None]], told: bool
):
    app = ScreenApp(screen)
    async with app.run_test(size=(80, 24)) as pilot:
        widget = Heard()
        await app.screen.mount(widget)
        await pilot.pause()
        assert widget.sizes == (Size(80, 24),)
        # The moment between its mounting and the layout that follows ...
        compositor = app.screen._compositor
        before = {each: place for each, place in compositor.full_map.items() if each is not widget}
        compositor._full_map = before
        if isinstance(app.screen, LaidOut):
            app.screen._told = before
        # ... in which somebody asks.
        compositor._full_map_invalidated = True
        assert widget in compositor.full_map
        app.screen._refresh_layout()
        await pilot.pause()
        assert (len(widget.sizes) == 2) is told
