"""Keys of the user's own: a file that gives bindings, by their ids, other keys.

What is wrong in it is said, and the usual keys stay: nobody should stand before
a tool that does not open at night.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from textual.binding import Binding
from textual.keys import Keys

from ktop.text import escape
from ktop.ui import keys
from ktop.ui.keys import Keymap, declared, names, rebound

ALWAYS = "app.interrupt"
"""The way out that nobody can lose."""
_GROUPS = (
    keys.APP,
    keys.VIEW,
    keys.TIME,
    keys.PANES,
    keys.TABLE,
    keys.STACKS,
    keys.MAP,
    keys.PROCESS,
    keys.SORT,
    keys.HELP,
)
_TOGETHER = (
    (*keys.APP, *keys.MAIN, *keys.TABLE),
    (*keys.APP, *keys.MAIN, *keys.STACKS),
    (*keys.APP, *keys.MAIN, *keys.MAP),
    (*keys.APP, *keys.PROCESS),
    keys.SORT,
    keys.HELP,
)
"""Bindings that are live at the same time."""
_WRITTEN = {written.lower(): name for name, written in keys.KEY_NAMES.items()}
_NAMED = {key.value for key in Keys if not key.value.startswith("<")}
_SHOWN_MAX = 40
"""Characters of what is wrong that are repeated."""


class KeymapError(Exception):
    """The file cannot be taken; the message is one sentence."""


def parse(text: bytes) -> dict[str, list[str]]:
    """Return what a file with this content says.  KeymapError."""
    try:
        content = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeymapError(f"this is no TOML: {escape(str(error))}") from None
    except ValueError:
        raise KeymapError("a number in it has more digits than any may have") from None
    known = {each.id: each for each in _bindings()}
    keymap: dict[str, list[str]] = {}
    for ident, value in _flat(content):
        if ident not in known:
            raise KeymapError(f"nothing is called {escape(ident[:_SHOWN_MAX])}: `ktop keys` has all names")
        wanted = [value] if isinstance(value, str) else value
        if not isinstance(wanted, list) or not wanted or not all(isinstance(each, str) for each in wanted):
            raise KeymapError(f'{ident} needs a key ("f3") or several (["/", "f3"])')
        keymap[ident] = [_name(each, ident) for each in wanted]
        # That of the filter knows by itself when it is typed.
        early = known[ident].priority and ident != "view.filter"
        if early and any(len(key) == 1 for key in keymap[ident]):
            raise KeymapError(f"{ident} works while a filter is typed too: it cannot have a letter")
    _must_be_clear(keymap)
    return keymap


def template(keymap: Keymap) -> list[str]:
    """Return the lines of a file that says what ``keymap`` does: every binding, its keys and its use."""
    lines: list[str] = []
    section = ""
    for binding in rebound(_bindings(), keymap):
        group, name = (binding.id or "").split(".")
        if group != section:
            section = group
            lines += ["", f"[{group}]"]
        quoted = [f'"{each}"' for each in names(binding)]
        value = quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"
        lines.append(f"{name} = {value} ".ljust(36) + f"# {binding.tooltip}")
    return lines


def _bindings() -> list[Binding]:
    """Return every binding that can have other keys, each once."""
    every = (each for group in _GROUPS for each in declared(group) if each.id != ALWAYS)
    return list({each.id: each for each in every}.values())


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of the tables, by its dotted name: none has more than one dot."""
    for name, value in content.items():
        if isinstance(value, dict) and not prefix:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _name(text: str, ident: str) -> str:
    """Return a key as Textual calls it: Esc is escape."""
    key = text if len(text) == 1 else _WRITTEN.get(text.lower(), text.lower())
    bare = key.removeprefix("ctrl+")
    # A terminal sends letters as they are written, and what Alt adds is taken for Esc (see escape_key.py).
    if key not in _NAMED and (len(bare) != 1 or not bare.isprintable() or bare in {" ", ",", '"', "\\"}):
        raise KeymapError(f"{ident}: {escape(text[:_SHOWN_MAX])} is no key that it can have")
    return key


def _must_be_clear(keymap: Keymap) -> None:
    """Raise KeymapError where a key would do two things that does one without ``keymap``."""
    usual = set(_shared({}))
    for one, other, key in _shared(keymap):
        if (one, other, key) not in usual:
            raise KeymapError(f"{escape(key)} would be {one} and {other}")


def _shared(keymap: Keymap) -> Iterator[tuple[str, str, str]]:
    """Yield the ids of two bindings that are live together, and the key that both have."""
    for group in _TOGETHER:
        for one, other in combinations(rebound(group, keymap), 2):
            for key in sorted(set(names(one)) & set(names(other))):
                yield one.id or "", other.id or "", key
