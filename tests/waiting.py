"""Waiting for what must come to be, however long that takes on a slow host."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 30.0
"""No test is faster for failing it."""
LOOK_S = 0.01


def eventually(
    what: Callable[[], T | None], why: str = "", patience: float = PATIENCE_S, every: float = LOOK_S
) -> T:
    """Return the first true result of ``what``; AssertionError with ``why`` when none comes."""
    deadline = time.monotonic() + patience
    while not (result := what()):
        assert time.monotonic() < deadline, why or f"{what} never came true"
        time.sleep(every)
    return result
