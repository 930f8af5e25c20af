"""Keys of the user's own: what the file may say, and that the whole screen says the same."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import OptionList

from ktop.ui.filter_bar import FilterBar
from ktop.ui.footer import KeyLine
from ktop.ui.help_screen import HelpScreen
from ktop.ui.keymap import KeymapError, parse, template
from ktop.ui.table.sort_picker import SortPicker
from tests.ui.driven import plain, running


def _without_comments(keymap: dict[str, list[str]]) -> dict[str, list[str]]:
    sections = tomllib.loads("\n".join(template(keymap)))
    return {
        f"{section}.{name}": [value] if isinstance(value, str) else value
        for section, entries in sections.items()
        for name, value in entries.items()
    }


def test_the_template_is_a_file_that_changes_nothing():
    usual = _without_comments({})
    assert usual["view.filter"] == ["/", "f"]
    assert parse("\n".join(template({})).encode()) == usual
    assert _without_comments(usual) == usual


def test_the_template_says_what_the_file_said():
    own = parse(b'[view]\nfilter = "f3"\nsort = ["f6", "S"]\n')
    assert own == {"view.filter": ["f3"], "view.sort": ["f6", "S"]}
    assert _without_comments(own) == {**_without_comments({}), **own}


def test_keys_may_be_written_as_the_screen_does():
    own = parse(b'view.back = ["Esc", "ctrl+b"]\ntime.pause = "Space"\napp.quit = "F10"')
    assert own == {"view.back": ["escape", "ctrl+b"], "time.pause": ["space"], "app.quit": ["f10"]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"view.filter", "no TOML"),
        (b"\xff", "no TOML"),
        (b'view.filtr = "a"', "nothing is called view.filtr"),
        (b'app.interrupt = "a"', "nothing is called app.interrupt"),
        (b'view = "a"', "nothing is called view:"),
        (b"view.filter = 3", "needs a key"),
        (b'view.filter.x = "a"', "view.filter needs a key"),
        (b"view.filter = []", "needs a key"),
        (b'view.filter = ["a", 3]', "needs a key"),
        (b'view.filter = ""', "is no key"),
        (b'view.filter = "f99"', "f99 is no key"),
        (b'view.filter = "alt+f"', "alt\\+f is no key"),
        (b'view.filter = "a,b"', "is no key"),
        (b'view.filter = "\\u001b"', "is no key"),
        (b'view.filter = "<any>"', "is no key"),
        (b'view.filter = "S"', "S would be view.filter and view.sort"),
        (b'app.cost = "j"', "j would be app.cost and table.down"),
        (b'app.repaint = "r"', "app.repaint works while a filter is typed too"),
        (b'view.filter = "z"', "z would be view.filter and heatmap.zoom"),
    ],
)
def test_what_is_wrong_is_said(text, reason):
    with pytest.raises(KeymapError, match=reason) as raised:
        parse(text)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"a." * 20_000 + b"a = 1", "nothing is called a.a:", id="tables"),
        pytest.param(b"a = " + b"[" * 20_000, "no TOML", id="lists"),
        pytest.param(b"a = " + b"9" * 5_000, "more digits", id="digits"),
    ],
)
def test_what_is_too_much_is_said(text, reason):
    with pytest.raises(KeymapError, match=reason):
        parse(text)


def test_keys_may_change_places():
    own = parse(b'view.sort = "I"\nview.reverse = "S"')
    assert own == {"view.sort": ["I"], "view.reverse": ["S"]}


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nothing_else_comes_of_it(text):
    complaint = ""
    try:
        parse(text)
    except KeymapError as error:
        complaint = str(error)
    assert not complaint or complaint.isprintable()


async def test_the_keys_are_those_of_the_file_everywhere():
    own = parse(b'view.filter = "f3"\ntime.back = "B"\nview.chart = "v"\nheatmap.left = "H"\npane.2 = "f2"')
    async with running(keymap=own, size=(200, 60)) as k:
        line = k.main.query_one(KeyLine)
        assert "f3 filter" in plain(line)
        assert "B ] history" in plain(line)
        await k.press("slash")
        assert not k.main.query(FilterBar)
        await k.press("f3")
        assert k.main.query(FilterBar)
        await k.press("escape")
        await k.press("question_mark")
        assert k.shows(HelpScreen)
        await k.until(lambda: "Show only rows that match" in k.text)
        (described,) = (row for row in k.text.splitlines() if "Show only rows that match" in row)
        assert "f3" in described
        assert "/" not in described
        assert "f2" in next(row for row in k.text.splitlines() if "Pane 2" in row)
        await k.press("escape", "v")
        assert "H ↓ ↑ → move" in " ".join(plain(line).split())
        await k.press("escape", "f2")
        assert "2 biotop" in k.text
        assert k.view.pane.name == "biotop"


async def test_the_list_of_columns_can_have_other_keys_too():
    own = parse(b'sort.down = "n"\nsort.close = "X"')
    async with running(keymap=own) as k:
        await k.press("S")
        assert k.shows(SortPicker)
        columns = k.screen.query_one(OptionList)
        first = columns.highlighted
        await k.press("j")
        assert columns.highlighted == first
        await k.press("n")
        assert columns.highlighted == first + 1
        await k.press("X")
        assert k.screen is k.main


async def test_a_click_on_a_key_does_what_it_says():
    own = parse(b'app.help = "f9"')
    async with running(keymap=own) as k:
        line = k.main.query_one(KeyLine)
        x = plain(line).index("f9 help")
        assert await k.pilot.click(line, offset=(x, 0))
        await k.until(lambda: k.shows(HelpScreen))


async def test_ctrl_c_leaves_whatever_the_file_says():
    own = parse(b'app.quit = "Q"\napp.help = "q"')
    async with running(keymap=own) as k:
        await k.press("q")
        assert k.shows(HelpScreen)
        await k.press("ctrl+c")
        await k.until(lambda: k.app._exit)


async def test_what_was_wrong_is_on_the_screen():
    async with running(complaint="/x/keys.toml: [b]no[/b] good", notifications=True) as k:
        await k.until(lambda: "[b]no[/b] good" in k.text)
