"""What is exported decides neither how large the terminal is, nor what Textual does with it."""

from __future__ import annotations

import os
import signal

import pytest
from textual.app import App

from ktop.cli.application import prepare
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


TEXTUAL = """
import os
os.environ.update(
    TEXTUAL="headless,debug,devtools",
    TEXTUAL_COLOR_SYSTEM="bogus",
    TEXTUAL_DRIVER="nope:Nope",
    TEXTUAL_FPS="100000000000",
    TEXTUAL_LOG="/nonexistent/x",
    TEXTUAL_PRESS="nope",
    TEXTUAL_SCREENSHOT="0",
    TEXTUAL_SCREENSHOT_LOCATION="/nonexistent",
)
"""


def test_what_is_meant_for_textual_does_not_count():
    terminal = Terminal(TEXTUAL + DEMO)
    try:
        terminal.until(b"quit")
        os.write(terminal.end, b"q")
        assert terminal.leaves() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("exported", "left"),
    [
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "standard"}, "standard"),
        ({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "bogus"}, "256"),
    ],
)
def test_what_is_left_of_it(exported, left):
    environ = {**exported, "TEXTUAL": "x", "TEXTUAL_FPS": "1", "TEXTUAL_ANIMATIONS": "none", "LINES": "1"}
    prepare(environ)
    assert environ == {
        "TERM": "xterm-256color",
        "TEXTUAL_ANIMATIONS": "none",
        "TEXTUAL_COLOR_SYSTEM": left,
    }


def test_a_theme_that_there_is_not_is_wrong_usage():
    terminal = Terminal(DEMO.replace('"demo"', '"demo", "--theme", "nope"'))
    try:
        assert terminal.leaves() == 2
        assert b"there is no theme 'nope' (ktop's own: ktop-dark" in terminal.output
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


async def test_it_is_believed_no_more_before_the_first_event(monkeypatch):
    """Textual lays out once before one has come."""
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((65535, 65535)))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    app = App[object]()
    driver = KtopDriver(app)
    os.close(driver._wake_read)
    os.close(driver._wake_write)
    app._driver = driver
    assert app.size == LARGEST
