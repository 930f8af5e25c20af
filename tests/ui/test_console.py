"""The Linux console: what is written there is in the fonts it has."""

from __future__ import annotations

import ast
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

import ktop
from ktop.ui.terminal.console import SIMPLER, glyphs

# Beyond Latin-1, of what ktop might use: psfgettable Lat15-Fixed16.psf, of Debian's console-setup.
DEBIANS = "‘’…‹›←↑→↓−∞≈≠≤≥─━│┃└═║╰█░▒■▮▲▴▶▸▼▾◀◂◈●–"
# What the kernel's own (drivers/tty/vt/cp437.uni) has besides Python's cp437: for controls, or as x.
PICTURES = "←↑→↓▲▼▶◀×"


def _is_everywhere(glyph: str) -> bool:
    kernels = glyph in PICTURES or bool(glyph.encode("cp437", "ignore"))
    return kernels and (ord(glyph) < 256 or glyph in DEBIANS)


def _drawn() -> set[str]:
    """Return every glyph beyond ASCII that stands in a text of ktop's."""
    texts = (
        node.value
        for path in Path(ktop.__file__).parent.rglob("*.py")
        if path.name not in {"console.py", "text.py"}  # that one is about all that others may write
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {each for text in texts for each in text if not each.isascii() and each.isprintable()}


def test_what_ktop_draws_is_there_or_has_a_stand_in():
    drawn = _drawn()
    assert {"▁", "▾", "–"} <= drawn
    # Greek mu is in texts that are read, not drawn.
    assert not {each for each in drawn - {"μ"} if not _is_everywhere(each.translate(SIMPLER))}


def test_every_stand_in_is_in_all_fonts_and_takes_one_cell():
    for glyph, simple in SIMPLER.items():
        assert cell_len(chr(glyph)) == cell_len(simple) == 1
        assert _is_everywhere(simple), unicodedata.name(chr(glyph))


@pytest.mark.parametrize(
    ("braille", "simple"),
    [("⠀", " "), ("⠉", "'"), ("⠒", "-"), ("⠤", "-"), ("⣀", "_"), ("⠙", "'"), ("⡇", "│")],
)
def test_a_line_keeps_its_level(braille, simple):
    assert braille.translate(SIMPLER) == simple


def test_a_path_that_was_cut_begins_in_nobodys_home():
    assert "~" not in "…/sort --buffer-size=4M /srv/de…".translate(SIMPLER)


def test_other_terminals_get_what_is_drawn():
    assert glyphs({"TERM": "xterm-256color"}) is None
    assert glyphs({}) is None
    assert glyphs({"TERM": "linux"}) is SIMPLER
