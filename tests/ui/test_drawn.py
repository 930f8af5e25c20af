"""Widgets that draw their own lines."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.geometry import Region

from ktop.ui.line import Line
from ktop.ui.palette import ThemedApp


class LineApp(ThemedApp):
    def compose(self) -> ComposeResult:
        yield Line((("words", ""),))


async def test_a_place_larger_than_the_widget_was_told_of_is_filled():
    app: App[None] = LineApp()
    async with app.run_test(size=(20, 5)):
        line = app.query_one(Line)
        assert line.outer_size == (20, 1)
        strips = line.render_lines(Region(0, 0, 25, 3))
        assert [strip.text for strip in strips] == ["words".ljust(25), " " * 25, " " * 25]
        strips = line.render_lines(Region(2, 0, 23, 2))
        assert [strip.text for strip in strips] == ["rds".ljust(23), " " * 23]
        assert [strip.text for strip in line.render_lines(Region(2, 0, 3, 1))] == ["rds"]
