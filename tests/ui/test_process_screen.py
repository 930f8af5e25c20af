"""The process screen keeps up: with the moment looked at, and with what goes wrong in a fold."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ktop.ui import process_screen, sections
from tests.ui.driven import running
from tests.ui.synthetic import Synthetic


def _each_section(monkeypatch: pytest.MonkeyPatch, before: Callable[[str, int], None]) -> None:
    """Call ``before`` with the name of the pane and its number of intervals, whenever one is folded."""
    real = sections.section

    def section(pane: Any, known: Any, *rest: Any) -> Any:
        before(pane.name, len(known.ts))
        return real(pane, known, *rest)

    monkeypatch.setattr(process_screen, "section", section)


async def test_the_moment_asked_for_during_a_fold_is_folded_next(monkeypatch):
    folded: list[int] = []
    goes_on = threading.Event()
    goes_on.set()

    def before(pane: str, intervals: int) -> None:
        if pane == "runqlat":
            folded.append(intervals)
            goes_on.wait(30)

    _each_section(monkeypatch, before)
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter", "space")
        await k.until(lambda: "waits by length" in k.text and folded[-1] == 30)
        goes_on.clear()
        await k.press("left_square_bracket")
        await k.until(lambda: folded[-1] == 29)
        await k.press(*["left_square_bracket"] * 3)
        goes_on.set()
        await k.until(lambda: folded[-1] == 26)
        await k.press("right_square_bracket")
        await k.until(lambda: folded[-1] == 27)


async def test_a_fold_that_fails_is_said_and_tried_again(monkeypatch):
    broken = threading.Event()
    broken.set()

    def before(pane: str, intervals: int) -> None:
        del intervals
        if pane == "biotop" and broken.is_set():
            raise ValueError("\x1b[31mno such thing")

    _each_section(monkeypatch, before)
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter")
        await k.until(lambda: "not updated: ValueError: \\x1b[31mno such thing" in k.text)
        broken.clear()
        await k.until(lambda: not k.screen._busy)
        k.screen._next = 0.0  # failing took time too, after which it rests
        await k.tick()
        await k.until(lambda: "waits by length" in k.text and "not updated" not in k.text)


async def test_what_cannot_be_drawn_is_said_too(monkeypatch):
    def breaks(*_arguments: object) -> None:
        raise ValueError("no line")

    monkeypatch.setattr(process_screen, "nothing", breaks)
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter")
        await k.until(lambda: "not updated: ValueError: no line" in k.text)
