"""A moment of a recording, as it is typed."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_TYPED = re.compile(
    # Years that the calendar's functions take in any zone.
    r"(?P<day>[12]\d{3}-\d\d-\d\d)?(?(day)[T ])(?P<minute>\d\d?:\d\d)(?P<second>:\d\d(\.\d+)?)?"
    r"(?(day)(?P<zone>Z|[+-]\d\d:?\d\d)?)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A minute or a second, of one day or of whichever day a recording has it on."""

    text: str
    """As it was typed."""
    clock: time
    """With its zone, where one was given; else in that of this host."""
    day: date | None
    seconds: float
    """How long it is: 60 or 1."""

    def within(self, first: float, last: float) -> float | None:
        """Return where the moment begins between ``first`` and ``last`` (Unix time); None when it is outside.

        Without a day it is the first such time from ``first`` on.
        """
        began = _local(first).date()
        for day in [self.day] if self.day else [began, began + timedelta(days=1)]:
            for begin in self._begins(day):
                if first < begin + self.seconds and begin <= last:
                    return max(begin, first)
        return None

    def _begins(self, day: date) -> list[float]:
        """Return when it begins that day: twice where the clock was set back over it."""
        begin, again = (datetime.combine(day, self.clock.replace(fold=fold)).timestamp() for fold in (0, 1))
        return [begin, again] if again > begin else [begin]


def moment(text: str) -> Moment:
    """Return ``text`` as a moment; ArgumentTypeError when it is none."""
    typed = _TYPED.fullmatch(text)
    with suppress(ValueError):  # the 25th hour, the 13th month
        if typed is not None:
            clock = time.fromisoformat(f"{typed['minute']:0>5}{typed['second'] or ''}{typed['zone'] or ''}")
            day = date.fromisoformat(typed["day"]) if typed["day"] else None
            return Moment(text, clock, day, 1.0 if typed["second"] else 60.0)
    raise ArgumentTypeError(
        f"a moment is HH:MM, HH:MM:SS or a date and time like 2026-09-21T14:13:20, not {text[:40]!r}"
    )


def span(first: float, last: float) -> str:
    """Return from when to when ``first`` and ``last`` (Unix time) are, in the zone of this host."""
    (day, begin), (last_day, end) = (_local(at).strftime("%Y-%m-%d %H:%M:%S").split() for at in (first, last))
    return f"{day} {begin} to {end}" if day == last_day else f"{day} {begin} to {last_day} {end}"


def _local(at: float) -> datetime:
    """Return ``at`` (Unix time) by the clock of this host."""
    return datetime.fromtimestamp(at)  # noqa: DTZ006 - TZ takes zones of a day and more, which Python does not
