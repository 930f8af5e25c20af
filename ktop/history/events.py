"""The last events of a pane of shape EVENTS, in order, completed as they end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ktop.frame import Array, Rows, length
from ktop.pane import Pane, Unit

KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Held:
    """The events as they were when time was held at ``at``."""

    at: float
    rows: dict[str, Array]
    ended: Array
    dropped: int


class EventLog:
    """Keeps the newest ``kept`` events; older ones go and are counted in ``dropped``.

    A later row with the same key (the pane's) fills what the earlier one had
    not measured: a process that ends gets its exit code and duration.  Not
    thread-safe.
    """

    def __init__(self, pane: Pane, kept: int = KEPT) -> None:
        self.dropped = 0
        self.completes: set[str] = set()
        """Columns that later rows have filled so far."""
        self._pane = pane
        self._kept = kept
        self._columns: dict[str, Array] = {}
        self._ended = np.full(2 * kept, np.inf)
        """When the event was completed."""
        self._first = 0
        """Number of the event at position 0."""
        self._count = 0
        """Events in the arrays, the forgotten ones at the front included."""
        self._place: dict[tuple[Any, ...], int] = {}
        self._rows: dict[str, Array] | None = None
        self._held: _Held | None = None
        self._time = pane.time
        self._args = next((column.name for column in pane.columns if column.unit is Unit.ARGS), None)

    def __len__(self) -> int:
        """Return the number of events kept."""
        return min(self._count, self._kept)

    def add(self, rows: Rows, ts: float) -> None:
        """Take the rows of a Frame of time ``ts``: new events, and the completion of earlier ones."""
        if not length(rows):
            return
        self._rows = None
        if not self._columns:
            self._columns = {name: _room(column, 2 * self._kept) for name, column in rows.items()}
        keys = list(zip(*(rows[name].tolist() for name in self._pane.key), strict=True))
        new: list[int] = []
        later: list[int] = []
        fresh: set[tuple[Any, ...]] = set()
        oldest = self._oldest()
        for index, key in enumerate(keys):
            if key in self._place or key in fresh:
                later.append(index)
            elif not self._is_late(rows, index, oldest):
                fresh.add(key)
                new.append(index)
        self._append(rows, new, keys)
        for index in later:
            number = self._place.get(keys[index])
            if number is not None and number - self._first >= self._count - len(self):
                self._complete(number - self._first, rows, index, ts)
        if self._held is not None and ts <= self._held.at:
            # A recording that begins paused: what led to that moment comes after it is held.
            at, self._held = self._held.at, None
            self.hold(at)

    def filled(self, rows: Rows) -> dict[str, Array]:
        """Return ``rows``, added before, with what they leave open taken from the event they complete."""
        filled = {name: column.copy() for name, column in rows.items()}
        for index, key in enumerate(zip(*(rows[name].tolist() for name in self._pane.key), strict=True)):
            number = self._place.get(key)
            for name, column in filled.items():
                if number is not None and _missing(column[index]):
                    column[index] = self._columns[name][number - self._first]
        return filled

    def rows(self, at: float | None = None) -> dict[str, Array]:
        """Return the events, newest last; with ``at`` as they stood at that Unix time.

        What was completed after ``at`` was not yet measured then.  Events that
        have gone since are missing, but for those that ``hold`` kept.
        """
        begin = self._count - len(self)
        if self._rows is None:
            self._rows = {name: column[begin : self._count].copy() for name, column in self._columns.items()}
        if at is None or not self._time:
            return self._rows
        rows, ended = self._rows, self._ended[begin : self._count]
        if self._held is not None:
            rows, ended = self._held.rows, self._held.ended
        if not rows:
            return rows
        seen = rows[self._time] <= at
        out = {name: column[seen] for name, column in rows.items()}
        open_then = ended[seen] > at
        for name in self.completes:
            measured = out[name].dtype.kind == "f"
            out[name] = out[name].copy() if measured else out[name].astype(object)
            out[name][open_then] = np.nan if measured else None
        return out

    def dropped_before(self, at: float | None = None) -> int:
        """Return how many events that were older than those of ``rows(at)`` are no longer kept."""
        return self.dropped if at is None or self._held is None else self._held.dropped

    def hold(self, at: float | None) -> None:
        """Keep the events that there are up to ``at``, whatever comes; None: no longer."""
        if at is None:
            self._held = None
        elif self._held is None or at > self._held.at:
            ended = self._ended[self._count - len(self) : self._count].copy()
            self._held = _Held(at, self.rows(), ended, self.dropped)

    def _oldest(self) -> float:
        """Return the time of the oldest event kept; -inf when none has been dropped."""
        if not (self._time and self.dropped):
            return -math.inf
        return float(self._columns[self._time][self._count - len(self)])

    def _is_late(self, rows: Rows, index: int, oldest: float) -> bool:
        """Return whether a row of unknown key only ends an event that was dropped: it tells of no new one.

        The time alone does not say so, for the clock can be set back.
        """
        if not self._time or self._args is None:
            return False
        return bool(rows[self._time][index] < oldest and rows[self._args][index] is None)

    def _append(self, rows: Rows, index: list[int], keys: list[tuple[Any, ...]]) -> None:
        surplus = max(len(index) - self._kept, 0)
        index = index[surplus:]
        if self._count + len(index) > 2 * self._kept:
            self._compact()
        begin, end = self._count, self._count + len(index)
        for name, column in self._columns.items():
            values = rows[name][index]
            wanted = np.promote_types(column.dtype, values.dtype)
            grown = column if wanted == column.dtype else column.astype(wanted)
            grown[begin:end] = values
            self._columns[name] = grown
        self._ended[begin:end] = -np.inf
        self._place.update({keys[i]: self._first + begin + offset for offset, i in enumerate(index)})
        gone = slice(max(begin - self._kept, 0), max(end - self._kept, 0))
        for column in self._columns.values():
            if column.dtype.kind == "O":  # what a cell points to would stay until all are moved
                column[gone] = None
        self.dropped += surplus + gone.stop - gone.start
        self._count = end

    def _compact(self) -> None:
        """Move the events that are kept to the front."""
        begin = self._count - len(self)
        for column in (*self._columns.values(), self._ended):
            column[: len(self)] = column[begin : self._count].copy()
            if column.dtype.kind == "O":
                column[len(self) :] = None
        self._first += begin
        self._count -= begin
        self._place = {key: number for key, number in self._place.items() if number >= self._first}

    def _complete(self, place: int, rows: Rows, index: int, ts: float) -> None:
        """Fill what the event at ``place`` has not measured from row ``index``."""
        for name, column in self._columns.items():
            value = rows[name][index]
            if _missing(column[place]) and not _missing(value):
                column[place] = value
                self.completes.add(name)
                self._ended[place] = ts


def _room(column: Array, size: int) -> Array:
    return np.zeros((size, *column.shape[1:]), dtype=column.dtype)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
