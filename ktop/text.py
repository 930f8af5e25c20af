r"""Text that others chose, made harmless: escaped for screen and JSON, cut to a width.

Names of processes, files and hosts are bytes.  ``escape`` keeps what is printed
in the same place and at the same width by every terminal, and writes the rest
as backslash escapes: those of Python and of bash's ``$'...'``.  A backslash is
doubled, and bytes that are no UTF-8 (``\x85``) are written differently from the
character of that number (``\u0085``), so no two names look alike and the bytes
can be had back.
"""

from __future__ import annotations

import re
from functools import lru_cache

ELLIPSIS = "…"
"""Marks a cut."""

_MAX_MARKS = 2
"""Combining marks kept on one letter: more pile up over the lines above and below."""

_CACHED_BYTES = 64
"""Longer texts (arguments) are not remembered: the cache would hold megabytes."""

_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\"}

_DISPUTED = re.compile(
    "["
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"  # fillers that count as letters
    "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # variation selectors: they change the width of the one before
    "\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff"  # flags, skin tones: drawn as one with their neighbour
    "\u2630-\u2637\u268a-\u268f\u4dc0-\u4dff\U0001d300-\U0001d356\U0001d360-\U0001d376"  # wider in Unicode 16
    "\ufdfd"  # one cell by every table, and drawn over many
    "]"
)

_JAMO = re.compile("[\u1161-\u11ff\ud7b0-\ud7fb]")
"""Vowels and finals of Hangul syllables written as letters: no width of their own."""


def escape(raw: bytes | str) -> str:
    r"""Return ``raw`` as printable text that stays in its place.

    Bytes are UTF-8; those that are not become ``\xff``, as do the surrogates
    that stand for such bytes in a ``str`` (PEP 383).  Escaped are: controls,
    line breaks, all spaces but the plain one, everything invisible or of no
    width, variation selectors, private and unassigned characters.  Also
    right-to-left letters, because terminals that know them reorder the cells
    beside them; marks that have no letter to stand on, or terminals disagree
    on the width of; and the halves of flags and skin tones.  Wide letters and
    plain emoji are kept.  Never raises.
    """
    return _short(raw) if len(raw) <= _CACHED_BYTES else _escape(raw)


def visible(raw: bytes | str) -> str:
    r"""Return ``raw`` as ``escape`` does, but never as nothing to be seen: for names.

    Of a blank one each space is ``\x20``, and an empty one, which no other name
    looks like, is ``\0``: in a table such a cell would seem to be missing.
    """
    text = escape(raw)
    return text if text.strip(" ") else r"\x20" * len(text) or r"\0"


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return ``text`` cut or padded to exactly ``width`` terminal cells, by Rich's ``cell_len``.

    ``…`` marks a cut.  Padded on the left when ``right`` (aligned).  A wide
    character that would be cut in half is replaced by padding.
    """
    if text.isascii() and text.isprintable():
        length = len(text)
    else:
        text, length = _cut(text, width)
    if length > width:
        return text[: width - 1] + ELLIPSIS if width > 0 else ""
    return " " * (width - length) + text if right else text + " " * (width - length)


def cells(text: str) -> int:
    """Return how many terminal cells ``text`` takes, as Rich and Textual count."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cut(text: str, width: int) -> tuple[str, int]:
    """Return ``text`` cut to ``width`` cells at most, and the cells it takes."""
    # Not at the top: `ktop list` needs no Rich.
    from rich.cells import cell_len, get_character_cell_size

    # These join their neighbours (also the padding).  escape() leaves none.
    text = text.replace("\u200d", "").replace("\ufe0f", "")
    length = cell_len(text)
    if length <= width:
        return text, length
    if width <= 0:
        return "", 0
    taken = 0
    for index, character in enumerate(text):
        size = get_character_cell_size(character)
        if taken + size > width - 1:
            return text[:index] + ELLIPSIS, taken + 1
        taken += size
    return text, taken


@lru_cache(maxsize=8192)
def _short(raw: bytes | str) -> str:
    return _escape(raw)


def _escape(raw: bytes | str) -> str:
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
    if text.isascii():
        if text.isprintable() and "\\" not in text:
            return text
        return "".join([character if _plain(character) else _written(character) for character in text])
    return _escape_unicode(text)


def _plain(character: str) -> bool:
    return " " <= character <= "~" and character != "\\"


def _escape_unicode(text: str) -> str:
    import unicodedata

    out: list[str] = []
    marks = _MAX_MARKS  # how many the last character carries; at the start there is none to carry any
    for character in text:
        if character.isascii():
            keep = _plain(character)
            marks = 0 if character.isalnum() else _MAX_MARKS
        elif not character.isprintable() or _DISPUTED.match(character):
            keep, marks = False, _MAX_MARKS
        elif unicodedata.category(character) == "Mn" or _JAMO.match(character):
            keep = marks < _MAX_MARKS
            marks = marks + 1 if keep else _MAX_MARKS
        else:
            keep = _has_own_cells(character)
            marks = 0 if keep and character.isalnum() else _MAX_MARKS
        out.append(character if keep else _written(character))
    return "".join(out)


def _has_own_cells(character: str) -> bool:
    """Return whether terminals agree that ``character`` takes its cells, and stays in them."""
    import unicodedata

    if unicodedata.category(character) in {"Mc", "Me"}:
        return False
    return unicodedata.bidirectional(character) not in {"R", "AL", "AN"}


def _written(character: str) -> str:
    """Return ``character`` as a backslash escape."""
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
