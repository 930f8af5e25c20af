"""Widgets that draw their own lines."""

from __future__ import annotations

import gc

import pytest
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from ktop.ui.line import Line
from ktop.ui.line_widget import Finished
from tests.ui.one_widget import OneWidget


async def test_a_place_larger_than_the_widget_was_told_of_is_filled():
    line = Line((("words", ""),))
    async with OneWidget(line).run_test(size=(20, 1)):
        assert line.outer_size == (20, 1)
        strips = line.render_lines(Region(0, 0, 25, 3))
        assert [strip.text for strip in strips] == ["words".ljust(25), " " * 25, " " * 25]
        strips = line.render_lines(Region(2, 0, 23, 2))
        assert [strip.text for strip in strips] == ["rds".ljust(23), " " * 23]
        assert [strip.text for strip in line.render_lines(Region(2, 0, 3, 1))] == ["rds"]


@pytest.mark.parametrize(("kind", "found"), [(Strip, True), (Finished, False)])
def test_a_line_that_nobody_needs_goes_without_the_collector(kind, found):
    """Textual's own does not: it can go back to that when it does."""

    def there() -> int:
        return sum(type(each) is kind for each in gc.get_objects())

    gc.disable()
    try:
        before = there()
        line = kind([Segment("abc")], 3)
        assert list(line.divide([3])) == [line]
        del line
        assert (there() > before) is found
    finally:
        gc.enable()


@pytest.mark.parametrize("cuts", [[3], [1, 3], [2], [3, 9], [9], []])
def test_a_line_is_divided_as_textual_divides(cuts):
    segments = [Segment("ab"), Segment("c")]
    assert list(Finished(segments, 3).divide(cuts)) == list(Strip(segments, 3).divide(cuts))
