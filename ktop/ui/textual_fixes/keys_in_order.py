"""Keys that come together: each is looked at when the one before has done what it does.

Textual hands a key to the widget that has the keyboard, and runs what is bound to it when the key has
come back from there: keys read at once, as over a slow line, overtake each other.  Of "abc", three times
Backspace and "xyz" there was "abc"; after Enter a digit was typed into the line that Enter had left.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App
from textual.message import Message

from ktop.ui.keys import Keymap

if TYPE_CHECKING:
    from textual.message_pump import MessagePump
    from textual.timer import Timer

SOON_S = 0.05
"""A key that comes later than that was typed after the one before was looked at.  Waiting takes 3 ms."""
LAPS = 3
"""Once for the key itself, once for what it has a widget tell others, once for what they do then."""
AT_ONCE = frozenset({"ctrl+c", "ctrl+q"})
"""Who leaves waits for nothing."""
GIVE_UP_S = 0.25
"""A widget that went has no answer."""


class Passed(Message):
    """Comes by all that a key comes by, after it."""

    def __init__(self, number: int) -> None:
        """Have a ``number`` of its own."""
        super().__init__()
        self.number = number


class KeysInOrder(App[None]):
    """An application that holds keys back while the one before is on its way."""

    def __init__(self, *, keymap: Keymap | None = None, **options: Any) -> None:
        """Hold none; ``keymap``: which bindings have other keys; ``options`` are the application's."""
        super().__init__(**options)
        self.keymap = keymap or {}
        self.set_keymap({ident: ",".join(own) for ident, own in self.keymap.items()})
        self._held: deque[events.Key] = deque()
        self._pressed_at = 0.0
        self._target: MessagePump = self
        """Who was given the last key."""
        self._number = 0
        self._laps = 0
        self._patience: Timer | None = None

    @property
    def keys_held(self) -> int:
        """How many keys wait for the one before."""
        return len(self._held)

    async def on_event(self, event: events.Event) -> None:
        """Hold a key back that comes soon after another."""
        if not isinstance(event, events.Key) or event.is_forwarded or event.key in AT_ONCE:
            await super().on_event(event)
        elif self._held:
            self._held.append(event)
        elif time.monotonic() - self._pressed_at < SOON_S:
            self._held.append(event)
            self._wait()
        else:
            await self._press(event)

    async def _press(self, event: events.Key) -> None:
        self._target = self.focused or self.screen
        await super().on_event(event)
        self._pressed_at = time.monotonic()

    def _wait(self) -> None:
        """Wait until the last key has done what it does."""
        self._laps = LAPS
        self._send(self._target)

    def _send(self, target: MessagePump) -> None:
        self._number += 1
        self._patience = self.set_timer(GIVE_UP_S, self._go_on)
        if not target.post_message(Passed(self._number)):
            self.post_message(Passed(self._number))

    async def _on_passed(self, event: Passed) -> None:
        event.stop()
        if event.number != self._number:
            return
        self._laps -= 1
        if self._laps:
            self._stop_waiting()
            self._send(self.focused or self.screen)
        else:
            await self._go_on()

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.stop()

    async def _go_on(self) -> None:
        """Look at the next key that is held."""
        self._stop_waiting()
        self._number += 1  # what is still under way is late
        if not self._held:
            return
        await self._press(self._held[0])
        del self._held[0]  # not before: a key that comes meanwhile waits its turn
        if self._held:
            self._wait()
