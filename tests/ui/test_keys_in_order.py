"""Keys that come together, as over a slow line, do what they do one after the other."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from ktop.ui.process_screen import ProcessScreen
from tests.ui.driven import Driven, running

BACKSPACE, LEFT, CLEAR = "backspace", "left", "ctrl+u"


def come_together(driven: Driven, *keys: str) -> None:
    """Give the application all of ``keys`` at once, as the driver does with what it has read."""
    for key in keys:
        driven.app.post_message(events.Key({"/": "slash"}.get(key, key), key if len(key) == 1 else None))


@pytest.mark.parametrize(
    ("typed", "filter_text"),
    [
        ((*"/abc", BACKSPACE, BACKSPACE, BACKSPACE, *"xyz"), "xyz"),
        ((*"/abc", LEFT, LEFT, "x"), "axbc"),
        ((*"/abc", CLEAR, *"xyz"), "xyz"),
        (("/", *"abc", "escape", "/", *"bash"), "bash"),
    ],
    ids=["backspace", "left", "clear", "escape"],
)
async def test_what_is_typed_into_the_filter(typed, filter_text):
    async with running() as k:
        come_together(k, *typed)
        await k.until(lambda: not k.app.keys_held)
        await k.until(lambda: k.main.query(Input) and k.main.query_one(Input).value == filter_text)
        await k.until(lambda: k.view._view.filter and k.view._view.filter.text == filter_text)


async def test_a_key_after_enter_is_no_more_of_the_filter():
    async with running() as k:
        come_together(k, *"/stress", "enter", "2")
        await k.until(lambda: k.main.pane_view is not None and k.view.pane.name != "runqlat")
        assert k.view._view.filter.text == "stress"


async def test_a_key_after_enter_is_the_screen_s_that_it_opened():
    async with running() as k:
        come_together(k, "down", "enter", "escape", "down", "enter")
        await k.until(lambda: not k.app.keys_held and k.shows(ProcessScreen))
        opened = k.screen.pid
        await k.press("escape")
        await k.until(lambda: not k.shows(ProcessScreen))
        assert (k.table.cursor_row() or {})["pid"] == opened


async def test_who_leaves_waits_for_no_other_key(monkeypatch):
    async with running() as k:
        waiting: list[int] = []
        leave = k.app.exit

        def counted() -> None:
            waiting.append(k.app.keys_held)
            leave()

        monkeypatch.setattr(k.app, "exit", counted)
        come_together(k, *"jjjjjjjj", "ctrl+c")
        await k.until(lambda: waiting)
        assert waiting[0] > 1


async def test_the_keyboard_is_not_lost_with_the_widget_that_had_it():
    async with running(pane="biotop") as k:
        for _ in range(5):
            come_together(k, "p", "p", "p", "down")
            await k.pilot.pause()
            await k.until(lambda: not k.app.keys_held)
        await k.until(lambda: "per process" in k.text)
