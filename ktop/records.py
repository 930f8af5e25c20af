"""Differences between two Readings of per-process records or keyed maps.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ktop.frame import Array, Reading
from ktop.stats import difference, fell, grown, match

PROCESSES, EXITS = "processes", "exits"
"""The iterator over living processes, and the ring buffer of those that end."""
UNKNOWN = np.uint64(2**64 - 1)
"""What a program writes for a time that it could not tell."""


def with_records_of(earlier: Sequence[Reading], reading: Reading) -> Reading:
    """Return ``reading`` with what the ring buffers of ``earlier`` ones held before its own records."""
    if not earlier:
        return reading
    together = (*earlier, reading)
    records = {name: np.concatenate([each.maps[name] for each in together]) for name in reading.tails}
    tails = {name: [tail for each in together for tail in each.tails[name]] for name in reading.tails}
    return replace(reading, maps={**reading.maps, **records}, tails=tails)


def by_cpu(previous: Reading, current: Reading, name: str) -> tuple[Array, Array]:
    """Return what each CPU has in the array ``name`` of both Readings: nothing yet, where it came since."""
    before, now = previous.maps[name], current.maps[name]
    if len(before) < len(now):
        before = np.concatenate([before, np.zeros(len(now) - len(before), before.dtype)])
    return before, now


def process_deltas(
    previous: Reading,
    current: Reading,
    counters: Sequence[str],
    maxima: Sequence[str] = (),
    *,
    times: Sequence[str] = (),
) -> dict[str, Array]:
    """Return what each process did between two Readings, those that did anything.

    The records of both, PROCESSES and EXITS, have the fields ``pid``, ``start_ns``,
    ``comm`` and ``cgroup`` (its id).  ``counters`` only grow and
    are differenced (one- or two-dimensional), ``maxima`` are already the
    interval's, ``times`` are of the whole life of a process (see _grown_since).
    Returns those four fields and these, a row a process.
    """
    before, now = (_newest(reading, (*counters, *times)) for reading in (previous, current))
    place = match(identity(before), identity(now))
    rows = {name: grown(before[name], now[name], place) for name in counters}
    if times:
        at_first = current.maps.get(at_first_of(PROCESSES), before[:0])
        rows.update({name: _grown_since(before, at_first, now, place, name) for name in times})
    active = _any_of(rows.values(), len(now))
    out = {name: now[name][active] for name in ("pid", "start_ns", "comm", "cgroup")}
    out.update({name: column[active] for name, column in rows.items()})
    out.update({name: now[name][active] for name in maxima})
    return out


def at_first_of(records: str) -> str:
    """Return where a Reading has the figures that an iterator's processes had when it began."""
    return f"{records}_at_first"


def _grown_since(before: Array, at_first: Array, now: Array, place: Array, name: str) -> Array:
    """Return by how much times grew that count from the birth of a process: float64, shape (now,).

    Of one that was not read before it is since the first read, by when it slept,
    or its birth.  They are sums over threads, which a thread that ends meanwhile
    can make a little too small: no growth is below 0 for that.  NaN where it is UNKNOWN.
    """
    then = np.zeros(len(now), np.uint64)
    then[place >= 0] = before[name][place[place >= 0]]
    new = np.flatnonzero(place < 0)
    where = match(identity(at_first), identity(now[new]))
    then[new[where >= 0]] = at_first[name][where[where >= 0]]
    growth: Array = np.maximum((now[name] - then).view("i8"), 0).astype(np.float64)
    growth[(now[name] == UNKNOWN) | (then == UNKNOWN)] = np.nan
    return growth


def _newest(reading: Reading, counters: Sequence[str]) -> Array:
    """Return the newest record of each process in ``reading``, also of those that ended by then.

    One that ends can be in both, and several times in ``exits``: as its end
    begins, when it is gone, and from each of the threads that end at once.
    """
    living, ended = reading.maps[PROCESSES], reading.maps.get(EXITS)
    if ended is None or not len(ended):
        return living
    keys = identity(ended)
    ended = ended[len(keys) - 1 - match(keys[::-1], keys) == np.arange(len(keys))]
    place = match(identity(ended), identity(living))
    both = np.flatnonzero(place >= 0)
    # What ends may have been read before that or after, for it goes on until it is gone.
    since = (ended[name][place[both]] - living[name][both] for name in counters)
    further = _any_of(map(fell, since), len(both))
    older = np.zeros(len(ended), dtype=bool)
    older[place[both[further]]] = True
    kept = np.ones(len(living), dtype=bool)
    kept[both[~further]] = False
    return np.concatenate([living[kept], ended[~older].astype(living.dtype, copy=False)])


def identity(records: Array, since: str = "start_ns") -> Array:
    """Return pid and ``since``, a time in ns, as one key for ``match``: PIDs are used again.

    Structured, of two u8, shape (records,).
    """
    key = np.empty(len(records), dtype=[("pid", "u8"), (since, "u8")])
    key["pid"] = records["pid"]
    key[since] = records[since]
    return key


def keyed_deltas(
    previous: Array,
    current: Array,
    counters: Sequence[str],
    *,
    maxima: Sequence[str] = (),
    last: Sequence[str] = (),
) -> tuple[Array, dict[str, Array]]:
    """Return (keys, what each counter grew by) of the entries of a keyed map that grew.

    Both: structured with ``key`` and ``value`` (see Reading).  An entry that
    was evicted and made anew, so that any of its counters went backwards,
    counts whole.  ``maxima`` (struct interval_max) and ``last`` (whatever else
    stands in the value) are returned beside them.
    """
    place = _places(previous["key"], current["key"])
    columns = {name: difference(previous["value"][name], current["value"][name], place) for name in counters}
    anew = _any_of(map(fell, columns.values()), len(current))
    if anew.any():
        place[anew] = -1
        for name, column in columns.items():
            column[anew] = current["value"][name][anew]
    active = _any_of(columns.values(), len(current))
    columns = {name: column[active] for name, column in columns.items()}
    known = (place >= 0)[active]
    before = previous[place[active]] if len(previous) else current[active]
    for name in maxima:
        columns[name] = written_maximum(before["value"][name], current["value"][name][active], known)
    columns.update({name: current["value"][name][active] for name in last})
    return current["key"][active], columns


def _any_of(columns: Iterable[Array], count: int) -> Array:
    """Return in which rows one of ``columns`` (one- or two-dimensional) is above 0: bool, shape (count,)."""
    found = np.zeros(count, dtype=bool)
    for column in columns:
        found |= (column > 0).any(axis=tuple(range(1, column.ndim)))
    return found


def _places(previous: Array, current: Array) -> Array:
    """Return as ``match`` does; entries that neither came nor went are in the same order."""
    if len(previous) == len(current) and bool((previous == current).all()):
        return np.arange(len(current))
    return match(previous, current)


def written_maximum(previous: Array, current: Array, known: Array | bool = True) -> Array:
    """Return the larger of the two maxima of a ``struct interval_max`` that was written in between.

    Both: structured with ``value`` and ``epoch``, each of shape (..., 2), such as
    (rows, 2) or (rows, cpus, 2); ``known`` (..., or one for all) says where
    ``previous`` means anything.  Of the type of ``value``, shape (...); 0 where
    none was written.  A maximum that was written just before the previous
    Reading, and not reached since, is missed: bound it by the histogram's
    highest slot.
    """
    same = (current["value"] == previous["value"]) & (current["epoch"] == previous["epoch"])
    written = np.where(same & np.asarray(known)[..., None], 0, current["value"])
    maximum: Array = written.max(axis=-1, initial=0)
    return maximum
