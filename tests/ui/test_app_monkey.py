"""Whatever is typed and clicked, however fast, at whatever size: the application goes on."""

from __future__ import annotations

import random

import pytest
from textual import events
from textual.geometry import Size
from textual.keys import _character_to_key

from tests.ui.driven import Driven, running

KEYS = (
    *"12345678/?hjklgGsSrifFwcpemMato<>[]{}+- ",
    *("tab", "shift+tab", "enter", "enter", "escape", "up", "down", "left", "right"),
    *("pageup", "pagedown", "home", "end", "ctrl+p", "backspace"),
)
SIZES = ((80, 24), (200, 50), (40, 10), (20, 3), (5, 50), (1, 1))
ACTIONS = 120


async def act(k: Driven, at: random.Random) -> None:
    """Do one thing to the application, without waiting for what comes of it."""
    kind = at.random()
    if kind < 0.75:
        key = at.choice(KEYS)
        # As the terminal's parser names them: bindings know "?" as question_mark alone.
        name = _character_to_key(key) if len(key) == 1 else key
        k.app.post_message(events.Key(name, key if len(key) == 1 else None))
    elif kind < 0.85:
        x, y = at.randrange(80), at.randrange(24)
        for event in (events.MouseMove, events.MouseDown, events.MouseUp):
            k.app.post_message(event(None, x, y, 0, 0, 1, False, False, False, x, y))
    elif kind < 0.9:
        size = Size(*at.choice(SIZES))
        k.app.post_message(events.Resize(size, size))
    elif kind < 0.95:
        k.source.tick()
    else:
        await k.pilot.pause()


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_that_is_typed_ends_it(seed):
    at = random.Random(seed)
    async with running(size=(80, 24), ticks=3) as k:
        for _ in range(ACTIONS):
            await act(k, at)
        await k.pilot.pause()
        assert k.app.failure is None
        assert k.app.is_running
        for _ in range(10):  # out of whatever is open
            await k.press("escape")
        size = Size(80, 24)
        k.app.post_message(events.Resize(size, size))
        await k.press("3")
        await k.until(lambda: "cachestat" in k.main_text)
