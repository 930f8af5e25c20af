"""Screens that go at their first answer, on hosts so slow that one asks twice."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import Screen

Result = TypeVar("Result")


class Once(Screen[Result]):
    """Takes no screen but itself away: at a second answer Textual (8.2.8) would take the next."""

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Go, unless gone or covered."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()
