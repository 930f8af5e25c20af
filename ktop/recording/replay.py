"""A recording as a Source: its Frames, published at the pace they were recorded."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ktop import registry
from ktop.frame import Array, Frame, Status
from ktop.pane import Pane, Shape, Unit
from ktop.recording.codec import CodecError
from ktop.recording.conform import MismatchError, conform, possible
from ktop.recording.file import RecordingError, blocks, describe
from ktop.source import HOST, Publish

_LONGEST_PAUSE = 2.0
"""In intervals: a pause between two recordings in one file is not waited for."""
_LOADING_S = 5.0
"""By then, after it began, a recording has said which panes have no figures."""
_NAMED = 8
"""Panes that are left out; a stranger's header may have as many names as it has bytes."""
_LEAD_S = 600.0
"""What led to the moment that it begins at: as much as is kept of it (``ktop.history``)."""


class Replay:
    """Publishes what ``path`` holds; with ``loop`` over and over, its times going on.

    ``speed`` 2 is twice as fast as recorded, infinity as fast as it is read.
    RecordingError when the file is no recording.
    """

    def __init__(self, path: Path, *, speed: float = 1.0, loop: bool = False) -> None:
        self._path = path
        self._summary = describe(path)
        self._loop = loop
        self._speed = speed
        self._recorded_s = self._summary.interval_s
        self.identity = self._summary.identity
        self.interval_s = self._recorded_s / speed if np.isfinite(speed) else self._recorded_s
        known = registry.names()
        self.panes: tuple[Pane, ...] = tuple(
            registry.get(name) for name in known if name in self._summary.panes
        )
        self._by_name = {pane.name: pane for pane in self.panes}
        self.unknown: dict[str, str] = {
            name: "this version of ktop has no such pane"
            for name in self._summary.panes
            if name not in known and name != HOST
        }
        """Panes of the recording that cannot be shown, and why."""
        self.finished = threading.Event()
        """Set when the last Frame was published."""
        self._at = -math.inf
        self._damaged: str | None = None
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        """Set when a pause that is under way is to be looked at again."""
        self._thread: threading.Thread | None = None

    @property
    def span(self) -> tuple[float, float]:
        """Return when the first and the last Frame are of (Unix time)."""
        return self._summary.first, self._summary.last

    def begin_at(self, at: float) -> None:
        """Before ``start``: have what led to ``at`` (Unix time) published at once, and play on from there."""
        self._at = at

    @property
    def notes(self) -> list[str]:
        """Return what is to be said about the recording, a sentence each."""
        seconds, failure = f"{self._summary.seconds:.0f} s", self._failure
        if failure is None:
            said = f"{seconds} recorded on {self.identity.hostname}"
        else:
            said = failure if self._damaged is not None else f"{seconds} read; {failure}"
        left_out = [f"{name} is left out: {why}" for name, why in self.unknown.items()]
        more = [f"and {len(left_out) - _NAMED} more"] if len(left_out) > _NAMED else []
        return [said, *left_out[:_NAMED], *more]

    @property
    def _failure(self) -> str | None:
        """Return why the recording cannot be played to its end; None when it can."""
        if self._damaged is not None:
            return f"the recording is damaged: {self._damaged}"
        if self._summary.damage is not None:
            return f"the file {self._summary.damage} at byte {self._summary.end}"
        return None

    # -- Source --------------------------------------------------------------

    def start(self, publish: Publish) -> None:
        """Publish from a thread of its own."""
        thread = threading.Thread(target=self._run, args=(publish,), name="replay", daemon=True)
        thread.start()
        self._thread = thread  # only now: one that never ran cannot be waited for

    def stop(self) -> None:
        """Stop; waits for the thread, at most 5 s."""
        self._stopping.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(5)

    def look_at(self, panes: tuple[str, ...]) -> None:
        """Do nothing: what was recorded is all there is."""

    def demand(self, pane: str, group: str, on: bool) -> None:
        """Do nothing, for the same reason."""

    def set_interval(self, seconds: float) -> None:
        """Show an interval of the recording each ``seconds``: faster or slower than it was."""
        self.interval_s = seconds
        self._speed = self._recorded_s / seconds
        self._hurry.set()

    def measure_cost(self, seconds: float) -> str | None:
        """Return that there are no programs to measure."""
        del seconds
        return "This is a recording: there is nothing to measure."

    # -- the thread ----------------------------------------------------------

    def _run(self, publish: Publish) -> None:
        try:
            self._play_all(publish)
        except RecordingError as error:
            self._damaged = str(error)
        except Exception as error:  # noqa: BLE001 - what a stranger's figures bring about, and memory that is short
            self._damaged = f"{type(error).__name__}: {error!s:.100}"
        try:
            if not self._stopping.is_set():
                self._publish_end(publish, self._failure or "that was all that is recorded")
        finally:
            self.finished.set()

    def _publish_end(self, publish: Publish, why: str) -> None:
        """Publish that nothing more comes, and why."""
        last = Frame(HOST, self._summary.last, self._recorded_s, {}, status=Status(unavailable=why))
        with contextlib.suppress(Exception):  # it may be that which failed
            publish(last)

    def _play_all(self, publish: Publish) -> None:
        """Publish all Frames until told to stop; with ``loop`` over and over."""
        shift = 0.0
        while not self._stopping.is_set():
            count = self._play(publish, shift)
            # One interval lies between the last Frame and the first one of the next round.
            shift += self._summary.last - self._summary.first + self._recorded_s
            if not self._loop or not count:
                break

    def _play(self, publish: Publish, shift: float) -> int:
        """Publish all Frames once and return how many; ends early when told to stop."""
        count = 0
        deadline = time.monotonic()
        previous: float | None = None
        for frame in self._frames():
            pause = 0.0 if previous is None else frame.ts - previous
            previous = frame.ts
            if frame.ts <= self._at:
                deadline = time.monotonic()
            else:
                deadline += min(max(pause, 0.0), _LONGEST_PAUSE * self._recorded_s) / self._speed
            deadline = self._wait(deadline)
            if self._stopping.is_set():
                return count
            # Held up (a suspended terminal), it goes on from here and hurries nothing.
            deadline = max(deadline, time.monotonic() - self._recorded_s)
            publish(shifted(self._by_name.get(frame.pane), frame, shift))
            count += 1
        return count

    def _wait(self, deadline: float) -> float:
        """Wait until ``deadline``, and return it: another one where the speed is changed meanwhile."""
        speed = self._speed
        while not self._stopping.is_set() and (left := deadline - time.monotonic()) > 0:
            if speed != self._speed:
                deadline += left * (speed / self._speed - 1)
                speed = self._speed
                continue
            self._hurry.wait(left)
            self._hurry.clear()
        return deadline

    def _frames(self) -> Iterator[Frame]:
        """Yield the Frames that can be shown, in the order of time within each block."""
        begins, loaded = True, -math.inf
        for block in blocks(self._path, self._summary.end):
            if block.is_header:
                begins = True
                continue
            if begins:
                begins, loaded = False, block.first + _LOADING_S
            long_ago = block.last < self._at - _LEAD_S
            if long_ago and block.first > loaded:
                continue
            try:
                frames = sorted(map(possible, block.frames()), key=lambda frame: frame.ts)
            except (CodecError, MismatchError) as error:
                self._damaged = str(error)
                return
            for frame in frames:
                if long_ago and frame.status.unavailable is None:
                    continue  # why a pane has no figures is said once, at the beginning
                if frame.pane == HOST:
                    yield replace(frame, rows={}, status=Status())
                elif frame.pane in self._by_name and frame.pane not in self.unknown:
                    try:
                        yield conform(self._by_name[frame.pane], frame)
                    except MismatchError as error:
                        self.unknown[frame.pane] = str(error)
                else:
                    self.unknown.setdefault(frame.pane, "this version of ktop has no such pane")


def shifted(pane: Pane | None, frame: Frame, seconds: float) -> Frame:
    """Return ``frame`` as if it were ``seconds`` later, the times of its events too."""
    if not seconds:
        return frame
    later = replace(frame, ts=frame.ts + seconds)
    if pane is None or pane.shape is not Shape.EVENTS or not len(frame):
        return later
    rows: dict[str, Array] = dict(frame.rows)
    for column in pane.columns:
        if column.unit is Unit.TIME:
            rows[column.name] = rows[column.name] + seconds
        elif column.name in pane.key and column.name.endswith("_ns") and column.name != "start_ns":
            # Part of an event's identity; a process keeps its own through all rounds.
            rows[column.name] = rows[column.name] + np.array(seconds * 1e9).astype(rows[column.name].dtype)
    return replace(later, rows=rows)
