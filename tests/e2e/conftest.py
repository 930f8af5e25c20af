"""Terminals that are closed, whatever happens, with nothing left running in them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.terminal import Terminal
from tests.proc import is_alive
from tests.waiting import eventually


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    """Return a function that opens a Terminal; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_one(
            *size: int, term: str = "tmux-256color", environment: dict[str, str] | None = None
        ) -> Terminal:
            terminal = Terminal(*size, term=term, environment=environment)
            stack.callback(terminal.close)
            return terminal

        yield open_one


@pytest.fixture
def terminal(open_terminal: Callable[..., Terminal]) -> Terminal:
    """Return a terminal of 120x40."""
    return open_terminal()


@pytest.fixture
def gone() -> Callable[[int], None]:
    """Return a function that waits for a process's end."""

    def wait(pid: int) -> None:
        eventually(lambda: not is_alive(pid), f"process {pid} lives on")

    return wait
