"""How many colours the terminal has.  Pure, and free of Textual, so it can run before it is imported.

Textual asks Rich, and Rich believes ``COLORTERM`` or a ``-256color`` at the end
of ``TERM``.  That is wrong in the two places ktop is used most: ``sudo`` and
ssh both drop ``COLORTERM``, and tmux, which takes true colour and reduces it to
what the terminal outside can do, is called ``tmux-256color`` or just ``screen``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

ColorSystem: TypeAlias = Literal["truecolor", "256", "standard"]
"""As in ``TEXTUAL_COLOR_SYSTEM``."""

_TRUE_COLOR = ("alacritty", "contour", "foot", "ghostty", "kitty", "rio", "tmux", "vte", "wezterm")
"""Terminals, by their TERM without ``xterm-``, of which every supported version takes true colour."""


def detect(environ: Mapping[str, str]) -> ColorSystem:
    """Return the colour system of the terminal that ``environ`` describes.

    ``TEXTUAL_COLOR_SYSTEM`` decides when it names one.  Unknown terminals have
    16 colours: too few is plain, too many is garbage.
    """
    match environ.get("TEXTUAL_COLOR_SYSTEM", "").strip().lower():
        case "truecolor":
            return "truecolor"
        case "256":
            return "256"
        case "standard":
            return "standard"
    if environ.get("COLORTERM", "").strip().lower() in {"truecolor", "24bit"}:
        return "truecolor"
    term = environ.get("TERM", "").strip().lower()
    name = term.removeprefix("xterm-")
    if environ.get("TMUX") or name.startswith(_TRUE_COLOR) or term.endswith("-direct"):
        return "truecolor"
    return "256" if term.endswith("-256color") else "standard"


def no_color(environ: Mapping[str, str]) -> bool:
    """Return whether the user wants no colour at all (https://no-color.org: set and not empty)."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
