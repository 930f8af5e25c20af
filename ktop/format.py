"""How values are written: human units, three significant digits, aligned by the last digit.

One function a kind of value, and ``cell``, which picks by the column's unit and
leaves the place of a suffix free where a value has none, so that in a
right-aligned column digits stand below digits.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ktop.frame import Array
from ktop.pane import Column, Unit
from ktop.text import escape, visible

NOT_MEASURED = "–"
INFINITE = "∞"
ZERO_BAR = "·"
"""Nothing on that CPU."""

UNIT_WIDTH: Mapping[Unit, int] = {
    Unit.TEXT: 15,
    Unit.ARGS: 24,
    Unit.STACK: 0,
    Unit.NUMBER: 7,
    Unit.COUNT: 5,
    Unit.BYTES: 5,
    Unit.US: 6,
    Unit.SECONDS: 6,
    Unit.RATIO: 5,
    Unit.TIME: 8,
    Unit.ADDRESS: 15,
    Unit.FLAG: 3,
    Unit.BY_CPU: 8,
    Unit.HISTOGRAM: 0,
}
"""Cells a value needs; for what has no bound (text, addresses, CPUs) what is usual. 0: never a cell, or
as many as it has slots."""

_TIMES = ((0.9995, 1e3, "ns"), (999.5, 1.0, "µs"), (999.5e3, 1e-3, "ms"), (999.5e6, 1e-6, "s"))
"""Below so many microseconds: multiplied by, and called.  The limits are where three digits round up."""
_MAX_NUMBER = 6
_BARS = "▁▂▃▄▅▆▇"
"""Not "█" too: bars of neighbouring rows would run into each other."""
_UNSAFE = re.compile(r"[^\w@%+=:,./-]", re.ASCII)
_SPECIAL_IN_DOUBLE = re.compile(r'["$`!]')
V4_MAPPED = b"\0" * 10 + b"\xff\xff"
"""What IPv4 addresses begin with where IPv6 addresses are expected (RFC 4291, 2.5.5.2)."""


def count(value: float) -> str:
    """Return a number of things: ``999``, ``1.23k``, ``12.3M`` (thousands)."""
    return _scaled(value, ("", "k", "M", "G", "T", "P", "E"), 1000.0)


def size(value: float) -> str:
    """Return bytes: ``512B``, ``1.23K``, ``1023K``, ``12.3M`` (1,024 each)."""
    return _scaled(value, ("B", "K", "M", "G", "T", "P", "E"), 1024.0)


def micros(value: float) -> str:
    """Return a time given in microseconds: ``350ns``, ``12.3µs``, ``1.23ms``, ``12.3s``, ``16m40s``."""
    if value == 0:
        return "0"
    if value < 0:
        return "-" + micros(-value)
    if math.isinf(value):
        return INFINITE
    for limit, scale, unit in _TIMES:
        if value < limit:
            return _digits(value * scale) + unit
    return _long(value / 1e6)


def duration(seconds: float) -> str:
    """Return a time given in seconds, as ``micros`` does."""
    return micros(seconds * 1e6)


def span(seconds: float) -> str:
    """Return how long something was looked at, from a minute on as ages are written: ``42.0s``, ``8m12s``."""
    return duration(seconds) if seconds < 59.95 else _long(seconds)


def percent(ratio: float) -> str:
    """Return a ratio (0 to 1) in per cent: ``12.3%``; ``0%`` and ``100%`` are never rounded to."""
    value = ratio * 100
    if math.isinf(value):
        return INFINITE
    if value in {0, 100}:
        return f"{value:.0f}%"
    if 99.9 < value < 100:
        return "99.9%"
    return ("-" if value < 0 else "") + _digits(abs(value)) + "%"


def number(value: float) -> str:
    """Return a number that is no quantity, whole where it is."""
    if math.isinf(value):
        return INFINITE
    return str(int(value)) if value == int(value) else f"{value:g}"


def clock(ts: float) -> str:
    """Return Unix seconds as the local time of day: ``HH:MM:SS``."""
    return NOT_MEASURED if math.isinf(ts) else _clock(int(ts))


def address(raw: bytes | bytearray | memoryview) -> str:
    """Return 16 bytes as an IPv6 address, or as IPv4 where they map one (``::ffff:a.b.c.d``)."""
    return _address(bytes(raw))


def args(raw: bytes) -> str:
    r"""Return NUL-separated arguments as one line that a shell would take.

    Quoted where needed; with unprintable characters as ``$'a\nb'``, of which
    bash makes the same bytes again.
    """
    if not raw:
        return ""
    return " ".join([_quoted(argument) for argument in raw.removesuffix(b"\0").split(b"\0")])


def flag(value: object) -> str:
    """Return ``yes`` or ``no``."""
    return "yes" if value else "no"


def bars(counts: Array, zero: str = ZERO_BAR) -> str:
    """Return a bar for each of ``counts`` (shape (n,)), on the scale of the highest; ``zero`` for none."""
    values = counts.tolist()  # each visible row has dozens, each second
    peak = max((value for value in values if value == value), default=0)  # noqa: PLR0124 - all but NaN
    glyphs, top = _BARS + _BARS[-1], len(_BARS)
    return "".join(
        [
            glyphs[int(value * top / peak)] if value > 0 else zero if value == value else NOT_MEASURED  # noqa: PLR0124 - NaN
            for value in values
        ]
    )


def squeeze(counts: Array, width: int) -> Array:
    """Return ``counts`` (shape (..., cpus)), of neighbours the highest: shape (..., at most ``width``).

    Not their sum: groups are not all of one size, and CPUs that did the same are to look the same.
    """
    cpus = counts.shape[-1]
    if cpus <= width or width < 1:
        return counts
    starts = np.arange(width) * cpus // width
    grouped: Array = np.maximum.reduceat(counts, starts, axis=-1)
    return grouped


def header(column: Column) -> str:
    """Return what stands above the column: its title; above histograms, which share it, their scale."""
    if column.unit is Unit.HISTOGRAM and column.bounds is not None:
        return ruler(column.bounds)
    return column.title


def ruler(bounds: Array) -> str:
    """Return a line of one cell a slot with 1µs, 1ms and 1s where they are in ``bounds`` (microseconds)."""
    text = " " * (len(bounds) - 1)
    for value in (1.0, 1e3, 1e6):
        slot = int(bounds.searchsorted(value, "right")) - 1
        label = micros(value).replace(".00", "")
        if 0 <= slot <= len(text) - len(label):
            text = text[:slot] + label + text[slot + len(label) :]
    return text


def cell(column: Column, value: Any) -> str:
    """Return ``value`` as it stands in the table; what was not measured (None, NaN) is ``–``."""
    return formatter(column)(value)


def formatter(column: Column) -> Callable[[Any], str]:
    """Return the function that ``cell`` calls for ``column``: for many values."""
    write, letters = _WRITERS[column.unit]
    if column.unit is Unit.FLAG and column.alarm:
        write = _alarm
    if letters:
        write = _padded(write, letters)
    missing = NOT_MEASURED + " " * letters
    isnan = math.isnan

    def written(value: Any) -> str:
        if value is None or (value.__class__ is float and isnan(value)):
            return missing
        return write(value)

    return written


def written(unit: Unit, value: float) -> str:
    """Return a figure of ``unit`` as ``cell`` does, but not padded: for axes, legends and readings."""
    return NOT_MEASURED if math.isnan(value) else _WRITERS[unit][0](value)


def quiet(column: Column) -> Callable[[Any], bool]:
    """Return a test of whether a cell of ``column`` says nothing, as 0 does: written faintly."""
    if column.ordinary:
        return {None, column.ordinary}.__contains__
    if column.unit is Unit.BY_CPU:
        return _is_absent
    return _is_nothing if column.is_quantity else _is_missing


def _is_absent(value: object) -> bool:
    return value is None


def _is_missing(value: Any) -> bool:
    return value is None or (value.__class__ is float and math.isnan(value))


def _is_nothing(value: Any) -> bool:
    return not value or (value.__class__ is float and math.isnan(value))


def _digits(value: float) -> str:
    """Return ``value`` (positive, below 1024) with three significant digits."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _scaled(value: float, suffixes: tuple[str, ...], base: float) -> str:
    if value == 0:
        return "0"
    if value < 0:
        return "-" + _scaled(-value, suffixes, base)
    if math.isinf(value):
        return INFINITE
    if value < base - 0.5:
        # Whole numbers are exact; an average has digits behind the point.
        return (str(int(value)) if value == int(value) else _digits(value)) + suffixes[0]
    last = suffixes[-1]
    for suffix in suffixes[1:]:
        value /= base
        if value < base - 0.5 or suffix == last:
            return _digits(value) + suffix
    raise AssertionError(suffixes)


def _long(seconds: float) -> str:
    whole = round(seconds) if seconds < 1e15 else int(1e15)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    days = whole // 86400
    return f"{days}d{whole % 86400 // 3600:02d}h" if days < 100 else f"{days}d"


@lru_cache(maxsize=256)
def _clock(second: int) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(second))
    except (OverflowError, ValueError, OSError):  # a recording may hold any date
        return NOT_MEASURED


@lru_cache(maxsize=16384)
def _address(raw: bytes) -> str:
    if len(raw) != 16:
        raw = raw[:16].ljust(16, b"\0")  # numpy's S drops zeros at the end
    if raw.startswith(V4_MAPPED):
        return f"{raw[12]}.{raw[13]}.{raw[14]}.{raw[15]}"
    import socket

    return socket.inet_ntop(socket.AF_INET6, raw)


def _quoted(argument: bytes) -> str:
    text = escape(argument)
    if "\\" in text:
        # escape() doubled the backslashes, so those it wrote are the only single ones.
        return "$'" + text.replace("'", "\\'") + "'"
    # Letters beyond ASCII need no quotes.
    if text and not _UNSAFE.search(text if text.isascii() else text.encode("ascii", "ignore").decode()):
        return text
    if "'" in text and not _SPECIAL_IN_DOUBLE.search(text):
        return f'"{text}"'
    return "'" + text.replace("'", "'\\''") + "'"


def _never(value: object) -> str:
    del value
    return ""


def _alarm(value: object) -> str:
    """Return a word where there is something to tell: "no" beside a text without room would mislead."""
    return "yes" if value else ""


def _slots(counts: Array) -> str:
    return bars(counts, zero=" ")


def _padded(write: Callable[[float], str], letters: int) -> Callable[[float], str]:
    """Return ``write`` with blanks for the letters of the unit (at most ``letters``) that a value lacks."""
    blanks = " " * letters

    def padded(value: float) -> str:
        text = write(value)
        if text[-letters:].isalpha() or not text[-1:].isascii():
            return text
        missing = letters if text[-1].isdigit() else letters - 1
        # 16m40s and the like are aligned by their end.
        return text + blanks[:missing] if len(text) + missing <= _MAX_NUMBER else text

    return padded


_WRITERS: Mapping[Unit, tuple[Callable[[Any], str], int]] = {
    Unit.TEXT: (visible, 0),
    Unit.ARGS: (args, 0),
    Unit.STACK: (_never, 0),
    Unit.NUMBER: (number, 0),
    Unit.COUNT: (count, 1),
    Unit.BYTES: (size, 1),
    Unit.US: (micros, 2),
    Unit.SECONDS: (duration, 2),
    Unit.RATIO: (percent, 1),
    Unit.TIME: (clock, 0),
    Unit.ADDRESS: (address, 0),
    Unit.FLAG: (flag, 0),
    Unit.BY_CPU: (bars, 0),
    Unit.HISTOGRAM: (_slots, 0),
}
"""By unit: what writes a value, and how many letters a unit behind it has at most."""
