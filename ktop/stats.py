"""Differences, histograms and percentiles on numpy arrays.  Pure functions, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ktop.frame import Array

LINEAR_BITS = 3
"""log2 of the linear steps in each power of two of a log-linear histogram.

The same constant as HIST_LINEAR_BITS in bpf/histogram.bpf.h: 8 steps, so a value is
known to 1/8 of its power of two, 6.25 % either way from the middle.
"""


def log_linear_bounds(slots: int, unit: float = 1.0) -> Array:
    """Return the bounds of a log-linear histogram: float64, shape (slots + 1,).

    Slot i below 8 holds the value i itself; above, every power of two has 8
    slots.  ``unit`` divides (1000: counted in ns, bounds in us).  The last
    bound is infinity: the last slot also holds everything above it.
    """
    steps = 1 << LINEAR_BITS
    index = np.arange(slots + 1)
    octave = np.maximum(index // steps - 1, 0)
    bounds = np.where(index < steps, index, (index % steps + steps) * 2.0**octave)
    bounds = bounds / unit
    bounds[-1] = np.inf
    return bounds


def log2_bounds(slots: int, unit: float = 1.0) -> Array:
    """Return the bounds of a plain log2 histogram: float64, shape (slots + 1,).

    Slot 0 holds 0 and 1, slot i holds 2**i to 2**(i+1), the last also all above.
    """
    bounds = 2.0 ** np.arange(slots + 1) / unit
    bounds[0] = 0.0
    bounds[-1] = np.inf
    return bounds


LATENCY_BOUNDS_US = log_linear_bounds(264, unit=1000)
"""Of the histograms of a host and its CPUs: SLOTS in bpf/sched.bpf.c and bpf/block.bpf.c, counted in ns."""
LOG2_BOUNDS_US = log2_bounds(26, unit=1 / 0.512)
"""Of those that every process has: LOG2_SLOTS and log2_slot_of in bpf/histogram.bpf.h."""


def reached(cumulated: Array, target: Array) -> Array:
    """Return the slots with the values of rank ``target``: the first ones with so many up to there.

    ``cumulated``: counts added up, shape (..., slots); ``target``: shape (...).  Returns intp of that shape.
    """
    rounding = 1e-9 * (cumulated[..., -1:] + 1)
    found: Array = np.argmax(cumulated >= target[..., None] - rounding, axis=-1)
    return found


def percentile(
    counts: Array, bounds: Array, q: float | Sequence[float], longest: Array | float | None = None
) -> Array:
    """Return the ``q`` (0 to 1) percentile of histograms, interpolated within its slot.

    ``counts``: shape (..., slots), ``bounds``: shape (slots + 1,).  Returns
    float64 of shape (...), of several ``q`` (len(q), ...); NaN where a histogram
    is empty.  In the last slot, which has no upper bound, its lower bound is
    returned: "at least".

    ``longest``: the largest value of each histogram, infinity where that is not known.
    No percentile is above it, and where the values are so few that a percentile is the
    last of them, it is that one: the median of a single wait is that wait.
    """
    counts = np.asarray(counts, dtype=np.float64)
    wanted = np.asarray(q)
    if not counts.size:
        return np.full(wanted.shape + counts.shape[:-1], np.nan)
    cumulated = np.cumsum(counts, axis=-1)
    total = cumulated[..., -1]
    target = np.multiply.outer(wanted, total)
    counts, cumulated = (
        np.broadcast_to(each, (*target.shape, counts.shape[-1])) for each in (counts, cumulated)
    )
    slot = reached(cumulated, target)
    # q = 0 or a target of 0 must not name an empty slot below the smallest value.
    slot = np.maximum(slot, np.argmax(counts > 0, axis=-1))
    inside = np.take_along_axis(counts, slot[..., None], axis=-1)[..., 0]
    below = np.take_along_axis(cumulated, slot[..., None], axis=-1)[..., 0] - inside
    lower = bounds[slot]
    upper = bounds[slot + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((target - below) / inside, 0.0, 1.0)
        value = np.where(np.isinf(upper), lower, lower + share * (upper - lower))
    if longest is not None:
        is_last = np.isfinite(longest) & (target - 1e-9 * (total + 1) > total - 1)
        value = np.where(is_last, longest, np.fmin(value, longest))
    found: Array = np.where(total > 0, value, np.nan)
    return found


def ratio(part: Array, whole: Array) -> Array:
    """Return part / whole as float64; NaN (not measured) where whole is 0."""
    part = np.asarray(part, dtype=np.float64)
    whole = np.asarray(whole, dtype=np.float64)
    out: Array = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.divide(part, whole, out=out, where=whole > 0)


def group(keys: Sequence[Array]) -> tuple[Array, Array]:
    """Return (order, starts): positions sorted by ``keys`` and where each distinct key begins.

    ``order`` is stable, so rows that came later stand later within their group.
    """
    if len(keys[0]) == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    codes = [_sortable(key) for key in keys]
    order = np.lexsort(codes[::-1])
    new = np.zeros(len(order), dtype=bool)
    new[0] = True
    for code in codes:
        ordered = code[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    return order, np.flatnonzero(new)


def most_frequent(texts: Array, starts: Array) -> Array:
    """Return of each of the groups that begin at ``starts`` the most frequent of its ``texts``.

    None counts for nothing, and is what a group of nothing else has.  Of equals the first from A.
    """
    items = texts.tolist()
    place = {text: code for code, text in enumerate(sorted(set(items) - {None}))}
    codes = np.array([place.get(text, -1) for text in items], dtype=np.intp)
    number = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(codes))))
    order, begins = group([number, codes])
    often = np.diff(np.append(begins, len(order)))
    first = order[begins]
    often[codes[first] < 0] = 0
    best = first[np.lexsort((codes[first], -often, number[first]))]
    found: Array = texts[best[np.searchsorted(number[best], np.arange(len(starts)))]]
    return found


def distinct(values: Array) -> Array:
    """Return the distinct ``values`` (one-dimensional, no NaN), ascending.

    np.unique imports numpy.ma for that, 1.3 MB that stay resident.
    """
    ordered = np.sort(values)
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def _sortable(key: Array) -> Array:
    """Return ``key`` as something lexsort takes: integers, or codes of the distinct values."""
    if key.dtype.kind in "iub":
        return key
    if key.dtype.kind == "f":
        # What was not measured is one group: NaN would be many.
        return np.unique(key, return_inverse=True)[1] if np.isnan(key).any() else key
    if key.dtype.kind == "O":
        # Stacks and arguments, None among them, have no order: they are told apart, no more.
        seen: dict[Any, int] = {}
        cells = (tuple(cell) if isinstance(cell, list) else cell for cell in key.tolist())
        return np.array([seen.setdefault(cell, len(seen)) for cell in cells], dtype=np.intp)
    if key.dtype.kind == "V":
        key = np.ascontiguousarray(key).view(f"S{key.dtype.itemsize}").reshape(len(key))
        # S drops trailing zeros, which is harmless for fixed-size values.
    codes: Array = np.unique(key, return_inverse=True)[1]
    return codes.reshape(-1)


def match(previous: Array, current: Array) -> Array:
    """Return for each key of ``current`` its position in ``previous``, -1 where it is new.

    Both: one-dimensional, of the same dtype (plain or structured without
    object fields); the keys of ``previous`` are distinct.
    """
    if len(previous) == 0 or len(current) == 0:
        return np.full(len(current), -1, dtype=np.intp)
    before, now = _comparable(previous), _comparable(current)
    order = np.argsort(before, kind="stable")
    place = np.searchsorted(before, now, sorter=order)
    place = np.minimum(place, len(order) - 1)
    found = order[place]
    return np.where(before[found] == now, found, -1)


def _comparable(key: Array) -> Array:
    """Return ``key`` as a one-dimensional array that sorts fast."""
    # A field of records is read several times, each time over the whole of the records.
    key = np.ascontiguousarray(key)
    if key.dtype.kind in "iu":
        return key
    size = key.dtype.itemsize
    if size in {1, 2, 4, 8}:
        return key.view(f"u{size}").reshape(len(key))
    # Memory order is as good as any for matching; a trailing byte keeps S from
    # dropping zeros that belong to the key.
    raw = np.empty((len(key), size + 1), dtype=np.uint8)
    raw[:, :size] = key.view(np.uint8).reshape(len(key), size)
    raw[:, size] = 1
    return raw.view(f"S{size + 1}").reshape(len(key))


def highest(counts: Array) -> Array:
    """Return the highest slot in use of each histogram, 0 where none is: intp, shape (rows,).

    ``counts``: shape (rows, slots).
    """
    places = np.arange(counts.shape[-1])
    slots: Array = np.where(counts > 0, places, 0).max(axis=-1, initial=0)
    return slots


def difference(previous: Array, current: Array, place: Array) -> Array:
    """Return ``current`` minus the matching ``previous`` (``place`` from match), new ones whole.

    Of the type of both, so that a counter which began again from 0 at its end grew by little.
    """
    if len(previous) == 0:
        return current.copy()
    before = previous[place]
    before[place < 0] = 0
    growth: Array = current - before
    return growth


def fell(growth: Array) -> Array:
    """Return which counters went backwards: bool, of the shape of ``growth`` (from difference)."""
    # In whole numbers without a sign, such a difference is in the upper half.
    backwards: Array = growth.view(f"i{growth.itemsize}") < 0
    return backwards


def bounded_percentile(
    counts: Array, bounds: Array, longest: Array | float, q: float | Sequence[float]
) -> Array:
    """Return the ``q`` percentiles of histograms, interpolated, but not beyond the ``longest`` seen.

    Some values have no row: the slot of the largest shows how far they go at least.  A longest
    beyond that slot is another CPU's, and that of these is not known.
    """
    top = highest(counts)
    known = np.where(longest > bounds[top + 1], np.inf, np.maximum(longest, bounds[top]))
    return percentile(counts, bounds, q, known)


def grown(previous: Array, current: Array, place: Array) -> Array:
    """Return as ``difference`` does, counters that went backwards whole."""
    growth = difference(previous, current, place)
    return np.where(fell(growth), current, growth)
