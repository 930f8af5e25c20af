"""What is written to the terminal: the cells that changed, as Textual would have written them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from ktop.ui.terminal.changes import Changes
from tests.written import Written

WIDTH = 24
STYLES = [
    None,
    *map(
        Style.parse,
        [
            *("none", "#102030", "#102030 on #405060", "#ffffff on #405060", "on #405060", "red", "on blue"),
            *("bright_red on bright_blue", "color(200) on color(17)", "bold #102030", "reverse", "underline"),
        ],
    ),
]


@st.composite
def lines(draw: st.DrawFn) -> list[dict[int, Strip | None]]:
    """Return three lines in chops of 10 and 14 cells; of a chop nothing may be known."""
    text = st.text("ab \u2580\u00e9", min_size=1, max_size=6)
    made: list[dict[int, Strip | None]] = []
    for _ in range(3):
        line: dict[int, Strip | None] = {}
        for start, size in ((0, 10), (10, WIDTH - 10)):
            pieces = draw(st.lists(st.tuples(text, st.sampled_from(STYLES)), max_size=8))
            segments = [Segment(*piece) for piece in [*pieces, (" " * size, None)]]
            line[start] = Strip(segments).crop(0, size)
        if draw(st.booleans()):
            line[10] = None
        made.append(line)
    return made


spans = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, WIDTH), st.integers(0, WIDTH)).map(
        lambda span: (span[0], *sorted(span[1:]))
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda span: span[0],
).map(sorted)


@given(lines(), spans, st.sampled_from(["truecolor", "256", "standard"]))
def test_changed_cells_look_as_textual_draws_them_and_no_other_is_touched(chops, where, colors):
    console = Console(color_system=colors, force_terminal=True, width=WIDTH)
    for style in filter(None, STYLES):
        style._ansi = None  # a process has one kind of terminal
        Strip.render_ansi.cache_clear()
    ends = [[10, WIDTH]] * 3
    whole = ChopsUpdate(chops, [(y, 0, WIDTH) for y in range(3)], ends).render_segments(console)
    changes = Written(Changes(chops, where, ends).render_segments(console))
    wanted = {
        (y, x): cell
        for (y, x), cell in Written(whole).cells.items()
        if any(line == y and first <= x < last for line, first, last in where)
    }
    assert changes.cells == wanted
    assert changes.look == ("39", "49", frozenset()), "and the terminal is left as it was found"


def test_what_stays_the_same_is_not_written_again():
    console = Console(color_system="truecolor", force_terminal=True, width=WIDTH)
    looks = ["#010203 on #040506", "#070809 on #040506", "#070809 on #0a0b0c"]
    segments = [Segment("\u2580", Style.parse(look)) for look in [*looks, looks[-1]]]
    strip = Strip([*segments, Segment("  ", Style.parse("#ffffff on #0a0b0c"))])
    written = Changes([{0: strip}], [(0, 1, 6)], [[6]]).render_segments(console)
    assert written == ("\x1b[1;2H\x1b[38;2;7;8;9;48;2;4;5;6m\u2580\x1b[48;2;10;11;12m\u2580\u2580  \x1b[0m")


def test_the_ink_of_an_underlined_blank_can_be_seen():
    console = Console(color_system="standard", force_terminal=True, width=WIDTH)
    strip = Strip([Segment("a", Style.parse("underline red")), Segment(" ", Style.parse("underline blue"))])
    assert "\x1b[34m " in Changes([{0: strip}], [(0, 0, 2)], [[2]]).render_segments(console)


@pytest.mark.parametrize(("first", "last", "left"), [(1, 4, " b "), (0, 5, "\u4e16b\u754c"), (2, 3, "b")])
def test_half_of_a_wide_letter_is_blank(first, last, left):
    console = Console(color_system="truecolor", force_terminal=True, width=WIDTH)
    strip = Strip([Segment("\u4e16b\u754c")])
    written = Changes([{0: strip}], [(0, first, last)], [[5]]).render_segments(console)
    assert written == f"\x1b[1;{first + 1}H{left}"
