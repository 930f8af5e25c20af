"""The panes there are: every module in ktop/panes that has a ``PANE``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

import ktop.panes
from ktop.pane import Pane

ORDER = ("runqlat", "biotop", "tcptop", "cachestat", "hardirqs", "llcstat", "execsnoop", "profile")
"""The first tabs, what is asked most often first; other panes follow by name."""


class UnknownPaneError(LookupError):
    """There is no such pane; the message names those there are."""


@cache
def names() -> tuple[str, ...]:
    """Return the names of all panes in the order of the tabs; imports none of them."""
    # A module is called what its pane is (a contract test holds it), so a list of names costs no import.
    found = {module.name for module in pkgutil.iter_modules(ktop.panes.__path__)}
    found = {name for name in found if not name.startswith("_")}
    return tuple(sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)))


@cache
def get(name: str) -> Pane:
    """Return the pane called ``name``; raises UnknownPaneError with the nearest and all known names."""
    if name not in names():
        raise UnknownPaneError(_unknown(name))
    pane: Pane = importlib.import_module(f"ktop.panes.{name}").PANE
    return pane


def panes(chosen: Iterable[str] = ()) -> tuple[Pane, ...]:
    """Return the panes ``chosen``, each once, in the order given; all when empty; raises as ``get``."""
    return tuple(get(name) for name in dict.fromkeys(chosen) or names())


def _unknown(name: str) -> str:
    import difflib

    from ktop.text import escape

    near = difflib.get_close_matches(name, names(), n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    return f"there is no pane {escape(name[:40])!r}{hint} (known: {', '.join(names())})"
