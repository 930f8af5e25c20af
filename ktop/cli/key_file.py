"""The file with keys of the user's own: where it is, and what is in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

NAME = "ktop/keys.toml"
MOST_BYTES = 1 << 16


class KeyFileError(Exception):
    """It cannot be taken; the message is one sentence."""


def places(environ: Mapping[str, str] = os.environ) -> tuple[Path, Path]:
    """Return where it may be: the user's own, and the host's."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/root", ".config"))
    return home / NAME, Path("/etc", NAME)


def load(paths: Iterable[Path]) -> Mapping[str, list[str]]:
    """Return the keys of bindings, by id, of the first file there is; none where there is none.

    KeyFileError: it cannot be read, or is wrong.
    """
    for path in paths:
        try:
            text = _content(path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # who may not look there has none
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}") from None
        from ktop.ui.keymap import KeymapError, parse

        try:
            return parse(text)
        except KeymapError as error:
            raise KeyFileError(f"{path}: {error}") from None
    return {}


def _content(path: Path) -> bytes:
    # Without waiting for whoever would write into a pipe of that name.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        text = file.read(MOST_BYTES + 1) or b""
    if len(text) > MOST_BYTES:
        raise KeyFileError(f"{path}: longer than {MOST_BYTES} bytes")
    return text
