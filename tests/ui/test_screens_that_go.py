"""Keys for a screen whose widgets are not there yet, or are gone already: slow hosts have such moments."""

from __future__ import annotations

import pytest

from tests.ui.driven import running

KEYS = pytest.mark.parametrize(
    ("opens", "action"),
    [("enter", "edge"), ("enter", "scroll"), ("?", "edge"), ("?", "scroll"), ("S", "move")],
)


@KEYS
async def test_a_key_that_comes_when_the_widgets_have_gone(opens, action):
    """While a screen is closed its widgets go before it does."""
    async with running() as k:
        await k.press(opens)
        await k.until(lambda: k.screen is not k.main)
        screen = k.screen
        await screen.remove_children()
        getattr(screen, f"action_{action}")(1)
        await k.pilot.pause()
        assert k.app.failure is None


@KEYS
async def test_a_key_that_comes_before_the_widgets(opens, action, monkeypatch):
    async with running() as k:
        push = k.app.push_screen

        def pushed(screen, *others):
            getattr(screen, f"action_{action}")(1)
            return push(screen, *others)

        monkeypatch.setattr(k.app, "push_screen", pushed)
        await k.press(opens)
        await k.until(lambda: k.screen is not k.main)
        await k.pilot.pause()
        assert k.app.failure is None
