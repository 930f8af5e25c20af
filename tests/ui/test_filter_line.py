"""The line that the filter is typed into."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from ktop.ui.filter_bar import FilterBar
from tests.ui.driven import running
from tests.ui.synthetic import PANES


async def test_the_filter_applies_to_all_panes_and_stays_in_sight():
    async with running() as k:
        await k.press("slash", *"comm:nginx", "enter")
        assert k.table.row_count == 1
        await k.press("3")
        assert k.table.row_count == 1
        assert "comm:nginx" in k.text
        assert "1 of" in k.text
        await k.press("f", "escape")
        assert k.table.row_count > 1
        assert not k.main.query_one(FilterBar).has_class("-shown")


async def test_no_message_lies_over_what_is_typed():
    async with running(size=(80, 24), complaint="keys.toml: no good", notifications=True) as k:
        await k.until(lambda: "no good" in k.text)
        await k.press("slash", *"comm:nginx")
        await k.until(lambda: "no good" not in k.text)
        assert "comm:nginx" in k.text


async def test_leaving_the_line_undoes_nothing_but_the_filter():
    async with running() as k:
        await k.press("F", "left_square_bracket")
        looked_at, followed = k.app.view.at, k.app.view.follow
        await k.press("slash", *"nginx", "escape")
        assert k.app.view.filter is None
        assert k.app.view.at == looked_at is not None
        assert k.app.view.follow == followed is not None


async def test_a_filter_that_makes_no_sense_says_why_and_changes_nothing():
    async with running() as k:
        rows = k.table.row_count
        await k.press("slash", *"waits>")
        assert "missing" in k.text
        assert k.table.row_count == rows
        assert "still: all rows" in k.text
        await k.press("9")
        assert "missing" not in k.text
        await k.press(*["backspace"] * 7, *"nginx", "enter")
        assert k.table.row_count == 1
        # Typing replaces it, moving edits it.
        await k.press("f", *"waits>")
        assert k.main.query_one(Input).value == "waits>"
        assert "still: nginx" in k.text
        assert k.table.row_count == 1
        await k.press("1", "enter", "slash", "end", "0")
        assert k.main.query_one(Input).value == "waits>10"


async def test_a_term_for_another_pane_is_named():
    async with running() as k:
        await k.press("slash", *"disk:sda", "enter")
        assert "no column here for disk:sda" in k.text
        await k.press("2")
        assert "no column here" not in k.text


async def test_a_column_that_no_pane_has_is_named_where_nothing_is_found():
    async with running() as k:
        await k.press("slash", *"cgrp:web", "enter")
        assert "no pane has a column cgrp: it is looked for as text" in k.text


async def test_letters_typed_into_the_filter_do_nothing_else():
    async with running() as k:
        await k.press("slash", *"q1 Sx")
        assert k.main.query_one(Input).value == "q1 Sx"
        assert k.view.pane is PANES[0]


async def test_what_is_pasted_turns_no_terminal():
    async with running() as k:
        await k.press("slash")
        box = k.main.query_one(Input)
        box.post_message(events.Paste("ab\u202ecd\x9bX\x1b[2J"))
        await k.until(lambda: box.value)
        assert box.value == "abcdX[2J"


async def test_a_filter_says_nothing_any_more_once_its_widgets_are_gone():
    async with running() as k:
        await k.press("slash")
        bar = k.main.query_one(FilterBar)
        await bar.query("*").remove()
        bar._say()
        assert k.app.failure is None
