"""The last minutes of Frames of every pane, in bounded memory.

The newest Frames of a pane stand as they came ("hot").  Older ones are packed,
some sixteen together, into a block of tiers: the rows that stood first by the
pane's sort column in tier 0, the next ones in tier 1, and so on.  Over budget,
the last tier of the oldest block goes first; ``Frame.dropped`` counts what
went, so a view can say so.  Rows of packed Frames may stand in another order,
but events keep theirs.

One thread may add while others read.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ktop.frame import TICK_S, Array, Frame
from ktop.history.block import Block, seal
from ktop.history.process import ProcessHistory, Slice
from ktop.pane import Pane
from ktop.source import HOST

HOT_FRAMES = 16
"""Frames of a pane that are always at hand, when they are small."""
HOT_SHARE = 4
"""Hot Frames take at most the budget's fourth, all panes the same.

The newest of each pane is not counted: whoever shows it holds it too.
"""
BLOCK_FRAMES = 16
SLACK_S = 2.0
"""A clock that is set back by less is a correction, not another time."""
_CACHED_BLOCKS = 4


class Held(NamedTuple):
    """What stays while time is held (Unix times)."""

    at: float
    """The moment that is looked at."""
    until: float
    """The newest one that can be gone to from there."""


class History:
    """Frames of the last ``seconds``, in ``budget_bytes`` and the newest Frame of each pane."""

    def __init__(
        self, panes: Sequence[Pane] = (), seconds: float = 600.0, budget_bytes: int = 16 << 20
    ) -> None:
        self.seconds = seconds
        self.budget_bytes = budget_bytes
        self._panes = {pane.name: pane for pane in panes}
        self._tracks: dict[str, _Track] = {}
        self._cache: OrderedDict[tuple[Block, int], list[Frame]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Return the bytes that Frames take now, as the budget counts them."""
        with self._lock:
            return sum(track.nbytes for track in self._tracks.values())

    def add(self, frame: Frame, held: Held | None = None) -> None:
        """Keep ``frame``, the newest of its pane; forget and thin what must go.

        What came in the ``seconds`` up to the end of what is ``held`` is not forgotten.
        """
        windows = [(frame.ts - self.seconds, np.inf)]
        if held is not None:
            windows.insert(0, (held.until - self.seconds, held.until + SLACK_S))
        with self._lock:
            self._tracks = {
                # Where the clock was set back, two different moments would have the same time.  Only the
                # host's Frames tell for all panes: those of stacks come late, when they have names.
                name: track
                for name, track in self._tracks.items()
                if (track.newest <= frame.ts + SLACK_S or frame.pane not in {HOST, name})
                and track.forget(windows)
            }
            track = self._tracks.get(frame.pane)
            if track is None:
                track = self._tracks[frame.pane] = _Track(self._panes.get(frame.pane))
            track.add(frame, self.budget_bytes // HOT_SHARE // len(self._tracks))
            while sum(each.nbytes for each in self._tracks.values()) > self.budget_bytes:
                if not self._thin(held):
                    break

    def forget(self, pane: str) -> None:
        """Drop all Frames of ``pane``."""
        with self._lock:
            self._tracks = {name: track for name, track in self._tracks.items() if name != pane}

    def latest(self, pane: str, at: float = np.inf) -> Frame | None:
        """Return the newest Frame of ``pane`` with ``ts`` <= ``at``; None when there is none."""
        with self._lock:
            track = self._tracks.get(pane)
            if track is None:
                return None
            hot, blocks = track.hot, track.blocks
        for frame in reversed(hot):
            if frame.ts <= at:
                return frame
        place = bisect_right(blocks, at, key=lambda block: block.first) - 1
        if place < 0:
            return None
        return next(frame for frame in reversed(self._unpack(blocks[place])) if frame.ts <= at)

    def frames(self, pane: str, since: float = -np.inf, until: float = np.inf) -> list[Frame]:
        """Return the Frames of ``pane`` with ``since`` <= ``ts`` <= ``until``, oldest first."""
        with self._lock:
            track = self._tracks.get(pane)
            if track is None:
                return []
            blocks, hot = track.between(since, until)
        packed = [frame for block in blocks for frame in self._unpack(block)]
        return [frame for frame in (*packed, *hot) if since <= frame.ts <= until]

    def at_hand(self, pane: str, until: float = np.inf) -> list[Frame]:
        """Return the newest Frames of ``pane`` with ``ts`` <= ``until`` that cost little, oldest first.

        Some dozens where they are small.  Of those that are packed by fewer than
        BLOCK_FRAMES, being big, each would have to be unpacked anew.
        """
        with self._lock:
            track = self._tracks.get(pane)
            if track is None:
                return []
            blocks, hot = track.between(-np.inf, until)
        small = [block for block in blocks[-_CACHED_BLOCKS + 1 :] if len(block.times) == BLOCK_FRAMES]
        packed = [frame for block in small for frame in self._unpack(block)]
        return [frame for frame in (*packed, *hot) if frame.ts <= until]

    def times(self, pane: str) -> Array:
        """Return ``ts`` of every Frame of ``pane``: float64, ascending, shape (frames,)."""
        with self._lock:
            track = self._tracks.get(pane)
            if track is None:
                return np.zeros(0)
            blocks, hot = track.blocks, track.hot
        return np.concatenate([*(block.times for block in blocks), [frame.ts for frame in hot]])

    def span(self, pane: str | None = None) -> tuple[float, float] | None:
        """Return ``ts`` of the oldest and the newest Frame kept (of ``pane`` or of any); None without."""
        with self._lock:
            tracks = self._tracks.values() if pane is None else filter(None, [self._tracks.get(pane)])
            ends = [(track.oldest, track.newest) for track in tracks]
        return (min(old for old, _ in ends), max(new for _, new in ends)) if ends else None

    def process(
        self,
        pane: Pane,
        pid: int,
        start_ns: int | None = None,
        since: float = -np.inf,
        until: float = np.inf,
    ) -> ProcessHistory:
        """Return all that ``pane`` knows of one process over the kept time.

        A PID is used again: in a pane that has the column ``start_ns`` only the
        rows of the process that started then count (of the newest when None).
        """
        with self._lock:
            track = self._tracks.get(pane.name)
            blocks, hot = track.between(since, until) if track else ([], [])
        pieces = [block.slice(pane.process_key, pid) for block in blocks]
        pieces.append(Slice.of_frames(hot, pane.process_key, pid))
        return ProcessHistory.of(pane, pieces, start_ns, since, until)

    def _unpack(self, block: Block) -> list[Frame]:
        """Return a block's Frames; the ones looked at last are kept, for stepping through time."""
        key = (block, block.version)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        frames = block.frames()
        with self._lock:
            self._cache[key] = frames
            if len(self._cache) > _CACHED_BLOCKS:
                self._cache.popitem(last=False)
        return frames

    def _thin(self, held: Held | None) -> bool:
        """Drop the rows that are missed least; return whether there was anything to drop.

        The Frames of the moment that is ``held`` may lose rows, but stay.
        """
        packed = [(track, track.thinnable()) for track in self._tracks.values()]
        blocks = [(block.first, track, block) for track, block in packed if block is not None]
        if blocks:
            _, track, block = min(blocks, key=lambda each: each[0])
            track.nbytes -= block.drop_tier()
            return True
        whole = [
            (block.first, track, block)
            for track in self._tracks.values()
            for block in (track.unless_of(held.at) if held is not None else track.blocks)
        ]
        if not whole:
            return False
        _, track, block = min(whole, key=lambda each: each[0])
        track.drop(block)
        return True


class _Track:
    """The Frames of one pane."""

    def __init__(self, pane: Pane | None) -> None:
        self.pane = pane
        self.blocks: list[Block] = []
        self.hot: list[Frame] = []
        self.nbytes = 0
        self._hot_bytes: list[int] = []
        """Of all hot Frames but the newest."""
        self._whole = 0
        """Blocks before this one have no tier left to drop."""

    @property
    def newest(self) -> float:
        return self.hot[-1].ts if self.hot else self.blocks[-1].last

    @property
    def oldest(self) -> float:
        return self.blocks[0].first if self.blocks else self.hot[0].ts

    def add(self, frame: Frame, bound: int) -> None:
        self.hot = [*self.hot, frame]
        if len(self.hot) > 1:
            self._hot_bytes.append(frame_bytes(self.hot[-2]))
            self.nbytes += self._hot_bytes[-1]
        # Small Frames are packed sixteen at a time, big ones one by one.
        while len(self.hot) > HOT_FRAMES + BLOCK_FRAMES or sum(self._hot_bytes) > bound:
            self._pack(bound)

    def _pack(self, bound: int) -> None:
        count = min(BLOCK_FRAMES, len(self._hot_bytes))
        while count > 1 and sum(self._hot_bytes[:count]) > bound:
            count //= 2
        block = seal(self.pane, self.hot[:count])
        self.nbytes += block.nbytes - sum(self._hot_bytes[:count])
        self.blocks = [*self.blocks, block]
        # New lists: readers hold the old ones.
        self.hot = self.hot[count:]
        self._hot_bytes = self._hot_bytes[count:]

    def forget(self, windows: Sequence[tuple[float, float]]) -> bool:
        """Drop what is in none of ``windows`` (since, until); return whether anything is left."""
        before = windows[-1][0]
        for block in self.blocks:
            if block.last >= before:
                break
            if not any(block.last >= since and block.first <= until for since, until in windows):
                self.drop(block)
        if self.hot and self.hot[0].ts < before:
            kept = [
                place
                for place, frame in enumerate(self.hot)
                if any(since <= frame.ts <= until for since, until in windows)
            ]
            # The newest is not counted.
            sizes = [*self._hot_bytes, 0]
            self.hot = [self.hot[place] for place in kept]
            self.nbytes -= sum(self._hot_bytes)
            self._hot_bytes = [sizes[place] for place in kept][:-1]
            self.nbytes += sum(self._hot_bytes)
        return bool(self.hot or self.blocks)

    def drop(self, block: Block) -> None:
        place = self.blocks.index(block)
        self.nbytes -= block.nbytes
        self.blocks = [*self.blocks[:place], *self.blocks[place + 1 :]]
        self._whole = max(self._whole - (place < self._whole), 0)

    def thinnable(self) -> Block | None:
        """Return the oldest block that still has a tier to drop."""
        while self._whole < len(self.blocks) and self.blocks[self._whole].tiers <= 1:
            self._whole += 1
        return self.blocks[self._whole] if self._whole < len(self.blocks) else None

    def unless_of(self, moment: float) -> list[Block]:
        """Return the blocks that cannot hold the Frame of ``moment``: the last before it."""
        before, after = (
            bisect_right(self.blocks, at, key=lambda block: block.first) for at in (moment, moment + TICK_S)
        )
        return [*self.blocks[: max(before - 1, 0)], *self.blocks[after:]]

    def between(self, since: float, until: float) -> tuple[list[Block], list[Frame]]:
        blocks = [block for block in self.blocks if block.last >= since and block.first <= until]
        return blocks, [frame for frame in self.hot if since <= frame.ts <= until]


def frame_bytes(frame: Frame) -> int:
    """Return roughly how much memory ``frame`` takes; what it shares with others is not counted."""
    arrays = [*frame.rows.values(), *(histogram.counts for histogram in frame.histograms)]
    cells = sum(_cell_bytes(column) for column in frame.rows.values() if column.dtype.kind == "O")
    return 1000 + sum(array.nbytes + 120 for array in arrays) + cells + 80 * len(frame.host)


def _cell_bytes(column: Array) -> int:
    """Return the size of what an object column points to, judged by some of its cells."""
    sample = column[:: max(len(column) // 32, 1)]
    if not len(sample):
        return 0
    size = sum(
        56 + (sum(60 + len(item) for item in cell) if isinstance(cell, list | tuple) else len(cell))
        for cell in sample
        if isinstance(cell, bytes | str | list | tuple)
    )
    return size * len(column) // len(sample)
