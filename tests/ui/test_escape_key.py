"""Escape and the next key in one piece, however the line cuts what is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop.ui.terminal.escape_key import ESCAPE, EscapeKeys

SEQUENCES = ["\x1b[A", "\x1b[1;5C", "\x1bOP", "\x1b[<0;3;4M", "\x1b]11;rgb:0/0/0\x1b\\", "\x1bP>|tmux\x1b\\"]
KEYS = [ESCAPE, *"2q/é", "\x03"]


def taken(*texts: str) -> list[str]:
    keys = EscapeKeys()
    return [*(piece for text in texts for piece in keys.pieces(text)), *keys.nothing_came()]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("2", ["2"]),
        ("\x1b", [ESCAPE]),
        ("\x1b2", [ESCAPE, "2"]),
        ("j\x1bq\x1b[A", ["j", ESCAPE, "q\x1b[A"]),
        ("\x1b[A", ["\x1b[A"]),
        ("\x1b]11;rgb:0/0/0\x1b\\k", ["\x1b]11;rgb:0/0/0\x1b\\k"]),
        ("", []),
    ],
)
def test_the_key_is_told_from_sequences(text, pieces):
    assert taken(text) == pieces


def test_a_sequence_that_comes_in_two_is_none_of_the_key():
    assert taken("\x1b", "[A") == ["\x1b[A"]
    assert taken("\x1b", "2") == [ESCAPE, "2"]
    keys = EscapeKeys()
    assert (list(keys.pieces("j\x1b")), keys.waiting) == (["j"], True)
    assert (list(keys.nothing_came()), keys.waiting) == ([ESCAPE], False)
    assert list(keys.pieces("[")) == ["["]


@given(st.lists(st.sampled_from([*SEQUENCES, *KEYS])), st.data())
def test_nothing_is_lost_wherever_it_is_cut(typed, data):
    text = "".join(typed)
    cut = data.draw(st.integers(0, len(text)))
    assert "".join(taken(text[:cut], text[cut:])) == text
