"""What is being looked at: the moment, the filter, the process followed; shared by all screens."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from ktop.frame import TICK_S

if TYPE_CHECKING:
    from ktop.frame import Array
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
        """The latest moment looked at since time was held (Unix time): it and what led to it stay."""
        self._at: float | None = None

    @property
    def at(self) -> float | None:
        """The moment looked at (Unix time); None: now, and it moves on."""
        return self._at

    @at.setter
    def at(self, at: float | None) -> None:
        self._at = at
        self.held = None if at is None else max(at, self.held or at)

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

    def step(self, times: Array, count: int) -> None:
        """Go ``count`` samples forward (negative: back) among ascending ``times``; past the newest is now."""
        if not len(times) or (self.live and count > 0):
            return
        here = bisect_right(times, self.until) - 1
        there = here + count
        self.at = None if there >= len(times) else float(times[max(there, 0)])

    def leap(self, times: Array, seconds: float) -> None:
        """Go ``seconds`` forward (negative: back), within ``times``; past the newest is now."""
        if not len(times) or (self.live and seconds > 0):
            return
        there = (float(times[-1]) if self.at is None else self.at) + seconds
        self.at = None if there > times[-1] else max(there, float(times[0]))

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
