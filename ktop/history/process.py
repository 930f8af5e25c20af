"""All that one pane knows of one process over the kept time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ktop.frame import Array, Frame, Rows, concatenate, length, take
from ktop.pane import START, Pane, fold
from ktop.process import TICK_NS
from ktop.stats import distinct
from ktop.tables.derived import restore

_FRAME = "_frame"


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one process in some consecutive Frames."""

    ts: Array
    """float64, shape (frames,)."""
    interval_s: Array
    dropped: Array
    """Rows, of any process, that the history no longer has of each Frame."""
    tables: list[dict[str, Array]]
    places: list[Array]
    """For each table, the Frame (position in ``ts``) of each row."""

    @staticmethod
    def of_frames(frames: Sequence[Frame], key: str, pid: int) -> Slice:
        """Return the rows of ``frames`` whose column ``key`` is ``pid``."""
        tables: list[dict[str, Array]] = []
        places: list[Array] = []
        for place, frame in enumerate(frames):
            if key in frame.rows:
                found = np.flatnonzero(frame.rows[key] == pid)
                if len(found):
                    tables.append(take(frame.rows, found))
                    places.append(np.full(len(found), place))
        return Slice(
            np.array([frame.ts for frame in frames], dtype=np.float64),
            np.array([frame.interval_s for frame in frames], dtype=np.float64),
            np.array([frame.dropped for frame in frames], dtype=np.int64),
            tables,
            places,
        )


@dataclass(frozen=True)
class ProcessHistory:
    """One process in one pane, interval by interval."""

    pane: Pane
    ts: Array
    """float64, shape (intervals,): the end of every kept interval, whether the process occurs or not."""
    interval_s: Array
    """float64, shape (intervals,)."""
    dropped: Array
    """int64, shape (intervals,): rows the history dropped; where not 0, the process may be among them."""
    rows: Rows
    """The rows of the process, in the order of time."""
    place: Array
    """intp, shape (rows,): the interval of each row."""

    @classmethod
    def of(
        cls, pane: Pane, slices: Sequence[Slice], start_ns: int | None, since: float, until: float
    ) -> ProcessHistory:
        """Return ``slices`` as one: ``since`` to ``until``, of the process that started at ``start_ns``."""
        ts = np.concatenate([each.ts for each in slices])
        offsets = np.cumsum([0, *(len(each.ts) for each in slices)])
        tables = [table for each in slices for table in each.tables]
        places = [
            place + offset for each, offset in zip(slices, offsets[:-1], strict=True) for place in each.places
        ]
        rows = concatenate(tables)
        place = np.concatenate([np.zeros(0, dtype=np.intp), *places])
        wanted = (ts >= since) & (ts <= until)
        chosen = wanted[place]
        if START in rows and chosen.any():
            if start_ns is None:
                # One that ended can be in the same Frame as the next of its PID.
                last = chosen & (place == place[chosen].max())
                start_ns = np.fmax.reduce(rows[START][last])
            # A recording may be older than the column.
            chosen &= began_at(rows[START], start_ns) | np.isnan(rows[START])
        order = np.flatnonzero(chosen)
        order = order[np.argsort(place[order], kind="stable")]
        number = np.cumsum(wanted) - 1
        return cls(
            pane,
            ts[wanted],
            np.concatenate([each.interval_s for each in slices])[wanted],
            np.concatenate([each.dropped for each in slices])[wanted],
            restore(pane, take(rows, order)),
            number[place[order]],
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return length(self.rows)

    @property
    def start_ns(self) -> int | None:
        """Return when the process started, ns since boot; None when no row says so."""
        if START not in self.rows or not len(self) or np.isnan(self.rows[START][-1]):
            return None
        return int(self.rows[START][-1])

    @cached_property
    def total(self) -> dict[str, Array]:
        """Return one row: the process over the whole time; no row when it never occurs."""
        return fold(self.pane, self.rows, (self.pane.process_key,)) if len(self) else {}

    def folded(self) -> dict[str, Array]:
        """Return one row for each key of the pane over the whole time."""
        return fold(self.pane, self.rows, self.pane.key) if len(self) else {}

    def series(self, column: str) -> Array:
        """Return a column's value in each interval: float64, shape (intervals,).

        Where the process does not occur: 0 for what adds up, since nothing
        happened, NaN for everything else.  Where the history dropped rows, some
        of which may have been the process's: NaN.
        """
        adds_up = self.pane.column(column).adds_up
        values = np.where((self.dropped == 0) & adds_up, 0.0, np.nan)
        if len(self):
            by_interval = self._by_interval
            one_row = set(self.pane.key) <= {self.pane.process_key, START}
            place = by_interval[_FRAME]
            known = one_row | (self.dropped[place] == 0)
            values[place] = np.where(known, by_interval[column].astype(np.float64), np.nan)
        return values

    @cached_property
    def _by_interval(self) -> dict[str, Array]:
        """Return one row for each interval in which the process occurs."""
        occurs = distinct(self.place)
        if len(occurs) == len(self):
            return {**self.rows, _FRAME: self.place}
        rows = {**self.rows, _FRAME: self.place}
        folded = fold(self.pane, rows, (_FRAME,))
        # fold returns the pane's columns alone, in the order of the key.
        return {**folded, _FRAME: occurs}


def began_at(starts: Array, start_ns: int) -> Array:
    """Return which ``starts`` are ``start_ns``, which from /proc is rounded down to a clock tick: bool."""
    if start_ns % TICK_NS == 0:
        starts = starts // TICK_NS * TICK_NS
    began: Array = starts == start_ns
    return began
