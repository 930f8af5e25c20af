"""Hostile text: nothing unprintable comes out, nothing is lost, and widths are exact."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ktop.text import cells, escape, fit, visible

ANY_TEXT = st.text(st.characters(codec=None, categories=None))
"""Every character, lone surrogates included."""
# Characters that change the width or the place of their neighbours come up often.
HOSTILE = st.text(
    st.sampled_from(
        "a1 \\'\"[]\x00\x1b\n\t\x7f\x85é\u0301\u200b\u200d\u200e\u202e\ufe0f\u20e3漢😀👩🏽🇩🇪שع\u1161\udcff"
    ),
    max_size=20,
)
RAW = st.one_of(st.binary(max_size=40), ANY_TEXT, HOSTILE)

_ESCAPE = re.compile(r"\\(?:(x)([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([ntr\\]))")
_LETTERS = {"n": b"\n", "t": b"\t", "r": b"\r", "\\": b"\\"}


def unescape(text: str) -> bytes:
    """Return the bytes that ``escape`` made ``text`` of."""
    out, end = b"", 0
    for match in _ESCAPE.finditer(text):
        assert "\\" not in text[end : match.start()]
        out += text[end : match.start()].encode()
        byte, digits, short, long, letter = match.groups()
        if byte:
            out += bytes([int(digits, 16)])
        elif letter:
            out += _LETTERS[letter]
        else:
            out += chr(int(short or long, 16)).encode("utf-8", "surrogatepass")
        end = match.end()
    assert "\\" not in text[end:]
    return out + text[end:].encode()


@given(RAW)
def test_only_printable_characters_come_out(raw):
    shown = escape(raw)
    assert shown.isprintable()
    for character in shown:
        assert unicodedata.category(character)[0] != "C"
        assert unicodedata.bidirectional(character) not in {
            "R",
            "AL",
            "AN",
            "RLO",
            "LRO",
            "RLE",
            "LRE",
            "PDF",
        }


@given(st.binary(max_size=60))
def test_bytes_can_be_had_back(raw):
    assert unescape(escape(raw)) == raw


@given(st.binary(max_size=60))
def test_a_str_from_the_file_system_looks_like_its_bytes(raw):
    assert escape(raw.decode("utf-8", "surrogateescape")) == escape(raw)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"nginx: worker [1]", "nginx: worker [1]"),
        (b"\x1f !}~\x7f", r"\x1f !}~\x7f"),
        (b"a\nb\tc\rd", r"a\nb\tc\rd"),
        (b"\x1b[31m\x7f\x00", r"\x1b[31m\x7f\x00"),
        (b"back\\slash", r"back\\slash"),
        (b"\x80\xff\xc3(", r"\x80\xff\xc3("),
        ("\x80\x85\x9b".encode(), r"\u0080\u0085\u009b"),
        ("\u202eevil\u200f".encode(), r"\u202eevil\u200f"),
        ("a\u200d\ufe0f\u200bb".encode(), r"a\u200d\ufe0f\u200bb"),
        ("\ue000\ufffe\U000e0001".encode(), r"\ue000\ufffe\U000e0001"),
        ("\xa0\u3000\u2028".encode(), r"\u00a0\u3000\u2028"),
        ("漢字😀é".encode(), "漢字😀é"),
        ("🇩👍🏽".encode(), r"\U0001f1e9👍\U0001f3fd"),
        ("e\u0301\u0301\u0301".encode(), "e\u0301\u0301\\u0301"),
        ("\u0301 \u0301".encode(), r"\u0301 \u0301"),
        ("של".encode(), r"\u05e9\u05dc"),
        ("\ud800", r"\ud800"),
        ("\ufdfd", r"\ufdfd"),
    ],
)
def test_what_is_kept_and_what_is_escaped(raw, shown):
    assert escape(raw) == shown


def test_every_character_kept_has_the_width_unicode_gives_it():
    """Else a terminal with another table than Rich's would shift the rest of the line."""
    for code in range(0x110000):
        character = chr(code)
        if escape(character) == character:
            wide = unicodedata.east_asian_width(character) in "WF"
            assert cell_len(character) == 1 + wide, hex(code)


@given(RAW)
def test_escaped_text_is_utf_8(raw):
    escape(raw).encode("utf-8")


@given(st.one_of(ANY_TEXT, HOSTILE), st.integers(0, 40), st.booleans())
def test_fit_is_exact(text, width, right):
    for each in (text, escape(text)):
        assert cell_len(fit(each, width, right=right)) == width


@given(HOSTILE)
def test_what_fits_is_not_cut(text):
    shown = escape(text)
    width = cell_len(shown)
    assert cells(shown) == width
    assert fit(shown, width) == shown
    assert fit(shown, width + 3) == shown + "   "
    assert fit(shown, width + 3, right=True) == "   " + shown


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        ("abcdef", 4, "abc…"),
        ("abcdef", 1, "…"),
        ("abcdef", 0, ""),
        ("漢字漢字", 4, "漢… "),
        ("漢字漢字", 5, "漢字…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_a_cut_is_marked(text, width, fitted):
    assert fit(text, width) == fitted


@pytest.mark.parametrize(
    ("raw", "shown"), [(b"", r"\0"), (b"  ", r"\x20\x20"), (b" a", " a"), (b"\t", r"\t")]
)
def test_a_blank_name_is_seen(raw, shown):
    assert visible(raw) == shown


@given(st.binary(max_size=16))
def test_names_that_are_seen_are_never_blank_and_never_alike(raw):
    shown = visible(raw)
    assert shown.strip()
    assert shown == escape(raw) or not escape(raw).strip()
    assert raw == b"" or unescape(shown) == raw
