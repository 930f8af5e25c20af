"""What is being looked at: the moment, the filter, the process followed; shared by all screens."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ktop.frame import Frame

if TYPE_CHECKING:
    from ktop.filter import Filter

SLACK_S = 0.1
"""Frames of one tick are dated within this of each other, family by family."""


@dataclass(slots=True)
class View:
    """The state of looking; collecting knows nothing of it."""

    at: float | None = None
    """The moment looked at (Unix time); None: now, and it moves on."""
    filter: Filter | None = None
    """Which rows are shown, in every pane; None: all."""
    follow: int | None = None
    """The process (PID) that the cursor goes to in every pane."""
    interval_s: float = 1.0

    @property
    def slack_s(self) -> float:
        """What is dated so much after the moment looked at belongs to it, and not to the next sample."""
        return min(SLACK_S, self.interval_s / 4)

    @property
    def live(self) -> bool:
        """Whether the view moves with time."""
        return self.at is None

    def until(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return those of ``frames`` (in the order of time) that are not after the moment looked at."""
        if self.at is None:
            return frames
        return frames[: bisect_right(frames, self.at + self.slack_s, key=_ts)]

    def step(self, frames: Sequence[Frame], count: int) -> None:
        """Go ``count`` samples forward (negative: back) among ``frames``; past the newest is now."""
        if not frames or (self.live and count > 0):
            return
        here = len(self.until(frames)) - 1
        there = here + count
        self.at = None if there >= len(frames) else frames[max(there, 0)].ts

    def leap(self, frames: Sequence[Frame], seconds: float) -> None:
        """Go ``seconds`` forward (negative: back), within ``frames``; past the newest is now."""
        if not frames or (self.live and seconds > 0):
            return
        there = (frames[-1].ts if self.at is None else self.at) + seconds
        self.at = None if there > frames[-1].ts else max(there, frames[0].ts)

    def pause(self, frames: Sequence[Frame]) -> None:
        """Hold the newest sample, or go on when something is held."""
        if self.live:
            self.at = frames[-1].ts if frames else None
        else:
            self.at = None


def _ts(frame: Frame) -> float:
    return frame.ts


INTERVALS_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""What ``-`` and ``+`` step through."""


def next_interval(seconds: float, step: int) -> float:
    """Return the interval that is next to ``seconds``: shorter for -1, longer for 1."""
    if step < 0:
        return max((s for s in INTERVALS_S if s < seconds), default=seconds)
    return min((s for s in INTERVALS_S if s > seconds), default=seconds)
