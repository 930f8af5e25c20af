"""Some consecutive Frames of one pane, packed in tiers that can be dropped without unpacking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ktop.frame import Array, Frame, Rows, concatenate, take
from ktop.history.process import Slice
from ktop.pane import Pane, Shape
from ktop.recording.codec import CodecError, decode_parts, encode, in_order, without_rows
from ktop.stats import distinct
from ktop.tables.derived import restore, strip

TIERS = (64, 512, 4096)
"""Rows of each Frame that the tiers begin at (the first at 0)."""


@dataclass(frozen=True, slots=True)
class _Tier:
    data: bytes
    lengths: Array
    """Rows of each Frame in this tier."""
    pids: Array | None
    """Distinct processes, sorted; None when the pane has none."""

    @property
    def nbytes(self) -> int:
        """Return the memory it takes."""
        return len(self.data) + self.lengths.nbytes + (0 if self.pids is None else self.pids.nbytes) + 300


class Block:
    """Frames packed; ``version`` changes when a tier goes.  Rows that are in no tier are counted as dropped.

    A tier goes while others read: what changes is replaced at once, so what a
    reader took hold of stays whole.
    """

    def __init__(self, pane: Pane | None, frames: Sequence[Frame], tiers: list[_Tier]) -> None:
        self._pane = pane
        self.first = frames[0].ts
        self.last = frames[-1].ts
        self.version = 0
        self._ts = np.array([frame.ts for frame in frames])
        self._interval_s = np.array([frame.interval_s for frame in frames])
        all_rows = np.array([frame.dropped + len(frame) for frame in frames])
        self._left = tiers, all_rows - np.sum([tier.lengths for tier in tiers], axis=0)
        """The tiers that are left, and how many rows of each Frame are not."""

    @property
    def tiers(self) -> int:
        """Return how many tiers are left."""
        return len(self._left[0])

    @property
    def times(self) -> Array:
        """Return ``ts`` of its Frames: float64, ascending."""
        return self._ts

    @property
    def nbytes(self) -> int:
        """Return the memory it takes."""
        return sum(tier.nbytes for tier in self._left[0]) + self._ts.nbytes * 3 + 600

    def drop_tier(self) -> int:
        """Drop the last tier's rows, count them as dropped, and return the bytes freed."""
        (*tiers, tier), dropped = self._left
        self._left = tiers, dropped + tier.lengths
        self.version += 1
        return tier.nbytes

    def frames(self) -> list[Frame]:
        """Return the Frames with the rows that are left."""
        tiers, dropped = self._left
        return [
            replace(pieces[0], rows=_joined(pieces), dropped=gone)
            for gone, *pieces in zip(dropped.tolist(), *map(self._unpack, tiers), strict=True)
        ]

    def _unpack(self, tier: _Tier) -> list[Frame]:
        parts = decode_parts(tier.data)
        # The rows of all Frames at once: deriving costs as much for one as for a thousand.
        return in_order([replace(part, rows=restore(self._pane, part.rows)) for part in parts])

    def slice(self, key: str, pid: int) -> Slice:
        """Return the rows whose column ``key`` is ``pid``, without derived columns."""
        tables: list[dict[str, Array]] = []
        places: list[Array] = []
        tiers, dropped = self._left
        for tier in tiers:
            if not _holds(tier.pids, pid):
                continue
            for part in decode_parts(tier.data):
                if key in part.rows:
                    found = np.flatnonzero(part.rows[key] == pid)
                    if not len(found):
                        continue
                    frame = np.searchsorted(part.starts, found, side="right") - 1
                    tables.append(take(part.rows, found))
                    places.append(np.asarray(part.index)[frame])
        return Slice(self._ts, self._interval_s, dropped, tables, places)


def seal(pane: Pane | None, frames: Sequence[Frame]) -> Block:
    """Return ``frames`` packed; without its ``pane`` the rows rank as they stand.

    Rows from the first tier on that is too large, or cannot be stored, are dropped.
    """
    ranks = [_rank(pane, frame) for frame in frames]
    stripped = [strip(pane, frame) for frame in frames]
    most = max(map(len, ranks))
    tiers = []
    for begin, end in zip((0, *TIERS), (*TIERS, most), strict=True):
        if begin and begin >= most:
            break
        if begin == 0 and most <= end:
            pieces = stripped
        else:
            pieces = [
                _piece(frame, np.sort(rank[begin:end]), begin)
                for frame, rank in zip(stripped, ranks, strict=True)
            ]
        try:
            tiers.append(_tier(pane, pieces))
        except CodecError:
            break
    return Block(pane, frames, tiers or [_tier(pane, list(map(without_rows, frames)))])


def _rank(pane: Pane | None, frame: Frame) -> Array:
    """Return the positions of rows, the one that is missed most first."""
    if pane is None or pane.sort not in frame.rows or pane.shape is Shape.EVENTS:
        return np.arange(len(frame))[::-1]
    column = frame.rows[pane.sort]
    if column.dtype.kind not in "iufb":
        return np.arange(len(frame))[::-1]
    order = np.argsort(column, kind="stable")[::-1]
    if column.dtype.kind != "f":
        return order
    # Sorting puts NaN last, so reversed it came first.
    missing = np.isnan(column[order])
    return np.concatenate([order[~missing], order[missing]])


def _piece(frame: Frame, index: Array, begin: int) -> Frame:
    rows = take(frame.rows, index)
    if begin == 0:
        return replace(frame, rows=rows)
    return Frame(frame.pane, frame.ts, frame.interval_s, rows)


def _joined(pieces: Sequence[Frame]) -> Rows:
    """Return the rows of one Frame from its pieces by tier; events in their order."""
    # Of events a later tier holds what came earlier: the last goes first.
    tables = [piece.rows for piece in reversed(pieces) if len(piece)]
    return concatenate(tables) if len(tables) > 1 else (tables or [pieces[0].rows])[0]


def _tier(pane: Pane | None, frames: Sequence[Frame]) -> _Tier:
    keys = [frame.rows[pane.process_key] for frame in frames if pane and pane.process_key in frame.rows]
    pids = distinct(np.concatenate(keys)) if keys else None
    return _Tier(encode(frames), np.array([len(frame) for frame in frames]), pids)


def _holds(pids: Array | None, pid: int) -> bool:
    if pids is None or not len(pids):
        return False
    place = np.searchsorted(pids, pid)
    return bool(place < len(pids) and pids[place] == pid)
