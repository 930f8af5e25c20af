"""Values of a chart's unit as text, not padded: for axes, legends and readings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ktop import format as fmt
from ktop.pane import Unit

_WRITERS: Mapping[Unit, Callable[[float], str]] = {
    Unit.US: fmt.micros,
    Unit.SECONDS: fmt.duration,
    Unit.BYTES: fmt.size,
    Unit.COUNT: fmt.count,
    Unit.RATIO: fmt.percent,
}


def written(unit: Unit, value: float) -> str:
    """Return ``value`` with its unit; ``–`` for NaN, which was not measured."""
    return fmt.NOT_MEASURED if math.isnan(value) else _WRITERS.get(unit, fmt.number)(value)


def tick(unit: Unit, value: float) -> str:
    """Return a round value (an axis') without the zeros that three digits would give it."""
    text = written(unit, value)
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzBKMGTPEµ%")
    suffix = text[len(digits) :]
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + suffix


def band(unit: Unit, low: float, high: float) -> str:
    """Return the range from ``low`` to ``high``; the first has no lower end, the last no upper one."""
    if low <= 0:
        return f"< {tick(unit, high)}"
    if high == float("inf"):
        return f"≥ {tick(unit, low)}"
    left, right = tick(unit, low), tick(unit, high)
    number = right.rstrip("abcdefghijklmnopqrstuvwxyzBKMGTPEµ%")
    suffix = right[len(number) :]
    return f"{left.removesuffix(suffix) if left.removesuffix(suffix)[-1:].isdigit() else left}–{right}"


def age(seconds: float) -> str:
    """Return how long ago something was, as an axis says it: ``-45s``, ``-2m``, ``-1m30s``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if whole < 60:
        return f"-{whole}s"
    return f"-{minutes}m{rest:02d}s" if rest else f"-{minutes}m"
