"""What is being looked at: the moment, the filter, the process followed; shared by all screens."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from ktop.frame import TICK_S, Array

if TYPE_CHECKING:
    from ktop.tables.filter import Filter


class Followed(NamedTuple):
    """A process: PIDs are used again."""

    pid: int
    start_ns: int | None
    """When it started, ns since boot; None: whoever has the PID."""

    def is_same(self, other: Followed | None) -> bool:
        """Return whether ``other`` is this process, as far as that is known."""
        if other is None or other.pid != self.pid:
            return False
        return None in {self.start_ns, other.start_ns} or self.start_ns == other.start_ns


class View:
    """The state of looking; collecting knows nothing of it, but for what must be kept meanwhile."""

    def __init__(self, interval_s: float = 1.0) -> None:
        """Look at now, at everything."""
        self.filter: Filter | None = None
        """Which rows are shown, in every pane; None: all."""
        self.follow: Followed | None = None
        """The process that the cursor goes to in every pane."""
        self.per_cgroup = False
        """Whether rows are totals per cgroup, in every pane that has such."""
        self.interval_s = interval_s
        self.held: float | None = None
        """The newest sample when time was held, or a later one gone to since (Unix time): what there was
        by then stays, and is what charts show, so that what came after the moment looked at is in sight."""
        self._at: float | None = None

    @property
    def at(self) -> float | None:
        """The moment looked at (Unix time); None: now, and it moves on."""
        return self._at

    @at.setter
    def at(self, at: float | None) -> None:
        self._at = at
        self.held = None if at is None else max(at, self.held or at)

    def is_reached(self, now: float) -> bool:
        """Return whether the moment looked at has come; a recording is read up to the one it begins at."""
        return self.at is None or now >= self.at - self.interval_s

    def hold(self, at: float, times: Array) -> None:
        """Look at ``at``, one of the ascending ``times`` that there are samples of."""
        if self.live and len(times):
            self.held = float(times[-1])
        self.at = at

    @property
    def slack_s(self) -> float:
        """What is dated so much after the moment looked at belongs to it, and not to the next sample."""
        return min(TICK_S, self.interval_s / 4)

    @property
    def live(self) -> bool:
        """Whether the view moves with time."""
        return self.at is None

    @property
    def until(self) -> float:
        """Up to when samples belong to the moment looked at, or came before it."""
        return math.inf if self.at is None else self.at + self.slack_s

    @property
    def charts_until(self) -> float:
        """Up to when charts show samples: those after the moment looked at too, when time was held then."""
        return math.inf if self.held is None else self.held + self.slack_s

    def step(self, times: Array, count: int) -> None:
        """Go ``count`` samples forward (negative: back) among ascending ``times``; past the newest is now."""
        if not len(times) or (self.live and count > 0):
            return
        here = bisect_right(times, self.until) - 1
        there = here + count
        if there >= len(times):
            self.at = None
        else:
            self.hold(float(times[max(there, 0)]), times)

    def leap(self, times: Array, seconds: float) -> None:
        """Go ``seconds`` forward (negative: back) among ascending ``times``; past the newest is now.

        Where there is no sample of that moment, it is the next one on the way.
        """
        if not len(times) or (self.live and seconds > 0):
            return
        there = (float(times[-1]) if self.at is None else self.at) + seconds
        if there > times[-1]:
            self.at = None
        elif seconds > 0:
            self.hold(float(times[bisect_left(times, there - self.slack_s)]), times)
        else:
            self.hold(float(times[max(bisect_right(times, there + self.slack_s) - 1, 0)]), times)

    def pause(self, times: Array) -> None:
        """Hold the newest sample, or go on when something is held."""
        self.at = float(times[-1]) if self.live and len(times) else None


INTERVALS_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""What ``-`` and ``+`` step through."""


def next_interval(seconds: float, step: int) -> float:
    """Return the interval that is next to ``seconds``: shorter for -1, longer for 1."""
    if step < 0:
        return max((s for s in INTERVALS_S if s < seconds), default=seconds)
    return min((s for s in INTERVALS_S if s > seconds), default=seconds)
