"""What `ktop run` and `ktop record` stand on: Frames from a source to a stream or a file."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, TypeAlias

from ktop.cli.ending import USAGE, Failure
from ktop.export.output import Output
from ktop.frame import Frame
from ktop.history.events import EventLog
from ktop.pane import Pane, Shape
from ktop.recording.file import Writer
from ktop.source import HOST, Source
from ktop.tables.derived import strip

if TYPE_CHECKING:
    from ktop.cli.options import Options
    from ktop.live.sampler import Sampler

Frames: TypeAlias = SimpleQueue[Frame | None]
"""What the source published; None: stop."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MOST_WAITING = 4096
"""Frames; more wait only when the disk stands still."""


class NothingLiveError(Exception):
    """None of the panes has figures; the message says why."""


class CutError(Exception):
    """A signal came while the reader was behind; the message says what that means for the output."""


def sampler(panes: Sequence[Pane], options: Options) -> Sampler:
    """Return the live source of ``panes``, whole intervals of all, with what is on demand.

    Failure (2) when none of them has that.
    """
    from ktop.live.sampler import Sampler

    source = Sampler(panes, options.interval, everything=True, hurry=False)
    if options.failed:
        wanted = [pane.name for pane in panes if "failed" in pane.on_demand]
        if not wanted:
            raise Failure("--failed is for execsnoop, which is none of these panes", USAGE)
        for name in wanted:
            source.demand(name, "failed", on=True)
    return source


@contextmanager
def interruptible(frames: Frames) -> Iterator[None]:
    """Turn the signals that end a program into the end of ``frames``; a second one ends it at once.

    One that was ignored before (nohup, a shell's job in the background) still is.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        frames.put(None)  # reentrant, unlike Queue.put

    taken = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Round:
    """Which panes have given how many intervals, and whether that is all."""

    def __init__(self, panes: Sequence[Pane], count: int | None) -> None:
        self.unavailable: dict[str, Frame] = {}
        """The last Frame of each pane that has no figures."""
        self._given: dict[str, int] = {}
        """How many intervals of each pane there were."""
        self._told: dict[str, int] = {}
        """For how many it is said that a pane has no figures, those before that included."""
        self._left: dict[str, int | None] = dict.fromkeys((pane.name for pane in panes), count)

    def wants(self, frame: Frame) -> bool:
        """Take note of ``frame`` and return whether it is still wanted."""
        if frame.status.unavailable is not None:
            self.unavailable[frame.pane] = frame
            self._told[frame.pane] = max(self._given.get(frame.pane, 0) + 1, self.intervals)
            return self._left.pop(frame.pane, 0) != 0
        if frame.pane not in self._left:
            return False
        self._given[frame.pane] = self._given.get(frame.pane, 0) + 1
        left = self._left[frame.pane]
        if left is not None:
            self._left[frame.pane] = left - 1
            if left <= 1:
                del self._left[frame.pane]
        return True

    def silent(self) -> Iterator[Frame]:
        """Yield the last Frame of each pane without figures, once for every interval that others have."""
        for name, frame in self.unavailable.items():
            if self._told[name] < self.intervals:
                self._told[name] = self.intervals
                yield frame

    @property
    def intervals(self) -> int:
        """Return how many intervals there were of the pane that had most."""
        return max(self._given.values(), default=0)

    @property
    def is_over(self) -> bool:
        """Whether no pane has anything more to give."""
        return not self._left

    def must_have_figures(self, panes: Sequence[Pane]) -> None:
        """Raise NothingLiveError when no pane has any."""
        if all(pane.name in self.unavailable for pane in panes):
            reasons = dict.fromkeys(frame.status.unavailable for frame in self.unavailable.values())
            raise NothingLiveError("; ".join(filter(None, reasons)))


Render: TypeAlias = Callable[[Pane, Frame, int], tuple[bytes, int]]
"""Turns a Frame into a chunk, and says of how many rows; the number is what a slow reader lost before it."""


def run(source: Source, panes: Sequence[Pane], render: Render, fd: int, count: int | None) -> int:
    """Write Frames of ``panes`` to ``fd`` until ``count`` intervals, a signal or the reader's leaving.

    Returns how many chunks a slow reader lost.  OSError when ``fd`` cannot be
    written to (never for a reader that left); NothingLiveError; CutError.
    """
    frames: Frames = SimpleQueue()
    known = {pane.name: pane for pane in panes}
    lost: dict[str, int] = {}
    output = Output(fd, on_end=lambda: frames.put(None))
    progress = Round(panes, count)

    logs = {pane.name: EventLog(pane) for pane in panes if pane.shape is Shape.EVENTS}

    def put(frame: Frame) -> None:
        log = logs.get(frame.pane)
        if log is not None:  # a line that tells of an end also says of what
            log.add(frame.rows, frame.ts)
            frame = replace(frame, rows=log.filled(frame.rows))
        missed = lost.get(frame.pane, 0)
        chunk, rows = render(known[frame.pane], frame, missed)
        if output.put(chunk):
            lost.pop(frame.pane, None)
        else:
            lost[frame.pane] = missed + max(rows, 1)

    with interruptible(frames):
        source.start(frames.put)
        try:
            _consume(frames, progress, put)
        finally:
            source.stop()
        # All is measured: what is written is the reader's pace alone, unless a signal comes.
        interrupted = not progress.is_over
        while not (whole := output.finish(0.2)) and output.error is None:
            if interrupted or _is_over(frames):
                break
    if output.error is not None and not isinstance(output.error, BrokenPipeError):
        raise output.error
    if not whole and output.error is None:
        raise CutError("standard output was not read to its end: its last line may be cut")
    progress.must_have_figures(panes)
    return output.dropped


def _consume(frames: Frames, progress: Round, put: Callable[[Frame], None]) -> None:
    """Put what is wanted until all is there or the end; those without figures say so each interval."""
    while not progress.is_over and (frame := _next(frames)) is not None:
        if frame.pane == HOST or not progress.wants(frame):
            continue
        for silent in progress.silent():
            put(replace(silent, ts=frame.ts, interval_s=frame.interval_s))
        put(frame)


def _next(frames: Frames) -> Frame | None:
    """Return what comes next, however long it takes."""
    while True:
        # A signal between Python's look for signals and its sleep wakes nobody: look again soon.
        with suppress(Empty):
            return frames.get(timeout=0.2)


def _is_over(frames: Frames) -> bool:
    """Return whether the end is among ``frames``, which nobody wants any more."""
    while not frames.empty():
        if frames.get() is None:
            return True
    return False


def record(source: Source, panes: Sequence[Pane], writer: Writer, *, count: int | None) -> tuple[int, int]:
    """Write Frames of ``panes`` and the header's figures to ``writer`` until ``count`` intervals or a signal.

    Returns (intervals written, Frames lost to a disk that stood still).
    RecordingError when it can write no more; NothingLiveError.
    """
    frames: Frames = SimpleQueue()
    known = {pane.name: pane for pane in panes}
    progress = Round(panes, count)
    lost = 0

    def publish(frame: Frame) -> None:
        nonlocal lost
        if frames.qsize() < _MOST_WAITING:
            frames.put(frame)
        else:
            lost += 1

    with interruptible(frames):
        source.start(publish)
        try:
            for tick in _ticks(frames, progress):
                writer.write([strip(known.get(frame.pane), frame) for frame in tick])
        finally:
            source.stop()
    progress.must_have_figures(panes)
    return progress.intervals, lost


def _ticks(frames: Frames, progress: Round) -> Iterator[list[Frame]]:
    """Yield the Frames of each tick together, which pack better, until all is there or the end."""
    tick: list[Frame] = []
    while not progress.is_over:
        try:
            frame = frames.get(timeout=0.2)
        except Empty:
            if tick:
                yield tick
            tick = []
            continue
        if frame is None:
            break
        if frame.pane == HOST and tick:
            yield tick
            tick = []
        if frame.pane == HOST or progress.wants(frame):
            tick.append(frame)
    if tick:
        yield tick
