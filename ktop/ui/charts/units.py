"""What stands at the axes of charts: round values, ranges, ages."""

from __future__ import annotations

from ktop.format import written
from ktop.pane import Unit

_LETTERS = "abcdefghijklmnopqrstuvwxyzBKMGTPEµ%"
"""Those of units."""


def tick(unit: Unit, value: float) -> str:
    """Return a round value (an axis') without the zeros that three digits would give it."""
    text = written(unit, value)
    digits = text.rstrip(_LETTERS)
    suffix = text[len(digits) :]
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + suffix


def band(unit: Unit, low: float, high: float) -> str:
    """Return the range from ``low`` to ``high``; the first has no lower end, the last no upper one."""
    if low <= 0:
        return f"< {tick(unit, high)}"
    if high == float("inf"):
        return f"≥ {tick(unit, low)}"
    left, right = tick(unit, low), tick(unit, high)
    number = right.rstrip(_LETTERS)
    suffix = right[len(number) :]
    return f"{left.removesuffix(suffix) if left.removesuffix(suffix)[-1:].isdigit() else left}–{right}"


def age(seconds: float) -> str:
    """Return how long ago something was, as an axis says it: ``-45s``, ``-2m``, ``-1m30s``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if whole < 60:
        return f"-{whole}s"
    return f"-{minutes}m{rest:02d}s" if rest else f"-{minutes}m"
