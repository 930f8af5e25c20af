"""How large the terminal is: as large as it says, whatever was exported."""

from __future__ import annotations

import os

import pytest

from ktop.ui.terminal.driver import LARGEST, KtopDriver
from tests.ui.test_app_leaves import DEMO, Terminal

EXPORTED = """
import os
os.environ.update(COLUMNS="²", LINES="12", JUPYTER_COLUMNS="x", JUPYTER_LINES="65535")
"""
# Python 3.12 and later: other tests' threads may be there; the child becomes another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def test_what_was_exported_does_not_count():
    terminal = Terminal(EXPORTED + DEMO)
    try:
        terminal.until(b"\x1b[24;1H")
        terminal.resize(30, 100)
        terminal.until(b"\x1b[30;1H")
        os.write(terminal.end, b"q")
        assert terminal.leaves() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ((100, 30), (100, 30)),
        ((0, 0), (80, 24)),
        ((0, 50), (80, 50)),
        ((65535, 65535), tuple(LARGEST)),
        (None, (80, 24)),
    ],
)
def test_what_the_terminal_says(monkeypatch, said, size):
    def ask(_fd: int) -> os.terminal_size:
        if said is None:
            raise OSError
        return os.terminal_size(said)

    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(os, "get_terminal_size", ask)
    assert object.__new__(KtopDriver)._get_terminal_size() == size
