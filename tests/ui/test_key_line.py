"""The line of keys: what works in the pane in sight, and the way out at any width."""

from __future__ import annotations

import pytest

from ktop.ui.filter_bar import FilterInput
from ktop.ui.footer import KeyLine
from ktop.ui.help_screen import HelpScreen
from ktop.ui.keys import idle
from tests.ui.driven import plain, running
from tests.ui.synthetic import BIOTOP, EXECSNOOP, HARDIRQS, PROFILE, RUNQLAT


async def _line(pane: str, width: int = 120, height: int = 40) -> str:
    async with running(size=(width, height), pane=pane) as k:
        return plain(k.main.query_one(KeyLine)).strip()


async def test_the_line_is_without_keys_that_do_nothing_in_the_pane():
    assert "S sort" in await _line("runqlat")
    stacks, interrupts = await _line("profile"), await _line("hardirqs")
    assert "sort" not in stacks
    assert "Enter process" in stacks
    assert "process" not in interrupts
    assert "S sort" in interrupts


async def test_what_only_some_panes_have_is_in_their_line():
    assert "p totals" in await _line("biotop")
    assert "x failed" in await _line("execsnoop")
    plain = await _line("runqlat")
    assert "totals" not in plain
    assert "failed" not in plain


async def test_the_line_is_of_what_has_the_keyboard():
    async with running() as k:
        line = k.main.query_one(KeyLine)
        await k.press("c")
        assert " ".join(plain(line).split()).startswith("← ↓ ↑ → move Enter that moment z zoom Esc table")
        assert "Enter process" not in plain(line)
        await k.press("escape")
        assert plain(line).strip().startswith("Enter process")


async def test_the_line_follows_the_pane():
    async with running(pane="profile") as k:
        line = k.main.query_one(KeyLine)
        await k.press("1")
        assert "S sort" in plain(line)
        await k.press("7")
        assert "S sort" not in plain(line)


@pytest.mark.parametrize("pane", ["runqlat", "biotop", "execsnoop"])
@pytest.mark.parametrize("width", [40, 60, 80, 200])
async def test_the_way_out_and_the_help_are_there_at_any_width(pane, width):
    line = await _line(pane, width, 10)
    assert line.split()[-4:] == ["q", "quit", "?", "help"]
    assert len(line) <= width
    assert line.startswith("Enter process")


@pytest.mark.parametrize("pane", ["runqlat", "biotop", "execsnoop", "profile"])
async def test_while_a_moment_is_held_the_line_names_the_way_on(pane):
    async with running(size=(80, 24), pane=pane) as k:
        line = k.main.query_one(KeyLine)
        assert "resume" not in plain(line)
        await k.press("space")
        assert "Space resume [ ] history" in " ".join(plain(line).split())
        assert plain(line).split()[-4:] == ["q", "quit", "?", "help"]
        await k.pilot.resize_terminal(40, 10)
        assert plain(line).split()[-4:] == ["q", "quit", "?", "help"]
        await k.press("escape")
        assert "resume" not in plain(line)


@pytest.mark.parametrize("pane", ["runqlat", "biotop", "execsnoop", "profile"])
@pytest.mark.parametrize("width", [40, 80, 120])
async def test_while_a_filter_applies_the_line_names_the_way_back(pane, width):
    async with running(size=(width, 24), pane=pane) as k:
        line = k.main.query_one(KeyLine)
        assert "all rows" not in plain(line)
        await k.press("slash", *"S?q")
        # All others are letters.
        assert plain(line).split() == ["Enter", "keep", "Esc", "clear"]
        await k.press("enter")
        assert "Esc all rows" in plain(line)
        assert plain(line).split()[-4:] == ["q", "quit", "?", "help"]
        # While a moment is held Esc leads to now first.
        await k.press("space")
        assert "all rows" not in plain(line)
        await k.press("escape", "escape")
        assert k.app.view.filter is None
        assert "all rows" not in plain(line)


async def test_on_the_process_screen_too_the_line_names_the_way_on():
    async with running(size=(80, 24)) as k:
        await k.press("enter")
        line = k.screen.query_one(KeyLine)
        assert "Space pause" in plain(line)
        await k.press("space")
        assert "Space resume" in plain(line)
        await k.press("space")
        assert "Space pause" in plain(line)


async def test_the_process_screen_keeps_the_way_back_too():
    async with running(size=(40, 12)) as k:
        await k.press("enter")
        line = plain(k.screen.query_one(KeyLine))
        for key in ("Esc back", "q quit", "? help"):
            assert key in line


def test_totals_need_rows_that_can_be_added_up():
    assert BIOTOP.adds_up_per_process
    assert PROFILE.adds_up_per_process
    assert not any(pane.adds_up_per_process for pane in (RUNQLAT, HARDIRQS, EXECSNOOP))
    assert "view.per_process" in idle(RUNQLAT)


async def test_a_click_keeps_the_filter_that_is_typed():
    """And types nothing into it: no letter is offered meanwhile."""
    async with running() as k:
        await k.tick(3)
        await k.press("slash", "1")
        line = k.main.query_one(KeyLine)
        assert "S sort" not in plain(line)
        assert await k.pilot.click(line, offset=(plain(line).index("Enter keep"), 0))
        await k.until(lambda: not isinstance(k.main.focused, FilterInput))
        assert k.app.view.filter.text == "1"


@pytest.mark.parametrize(
    ("shown", "done"),
    [
        ("/ filter", lambda k: isinstance(k.main.focused, FilterInput)),
        ("[ ] history", lambda k: k.app.view.at == k.main.history.times("runqlat")[-2]),
        ("? help", lambda k: k.shows(HelpScreen)),
    ],
)
async def test_a_click_does_what_a_key_does_that_is_no_letter(shown, done):
    async with running() as k:
        await k.tick(3)
        line = k.main.query_one(KeyLine)
        assert await k.pilot.click(line, offset=(plain(line).index(shown), 0))
        await k.until(lambda: done(k))
