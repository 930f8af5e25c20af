"""Why events are missing in the figures: each kind of loss is counted on its own, and shown.

``ring_full`` to ``missed`` are the fields of ``struct lost`` (bpf/ktop.bpf.h).
"""

from __future__ import annotations

from collections.abc import Mapping

from ktop.format import count
from ktop.frame import Losses
from ktop.text import escape

UNTAKEN, NOT_RUN, DROPPED, SLOW_READER = "untaken", "not_run", "dropped", "slow_reader"

KINDS: Mapping[str, str] = {
    "ring_full": "more records came than a ring buffer holds until it is read",
    "map_full": "no room was left in a map: more requests in flight, processes or connections than it has",
    "no_storage": "the kernel had no memory for what is kept of a task",
    "missed": "something must have happened and no program saw it, as in a guest that was stopped",
    UNTAKEN: "more came between two readings than ktop keeps",
    NOT_RUN: "the kernel did not run a program, as it ran already on that CPU",
    DROPPED: "an entry of a full map made room for another before it was read",
}
"""What each means.

``slow_reader`` is of `ktop run` alone, and not of any Frame: lines that were not taken in time.
"""
REMEDIES: Mapping[str, str] = dict.fromkeys(("ring_full", UNTAKEN), "a shorter interval helps")
"""What helps, where anything does; nothing that was recorded can be helped."""
RECORDED_KINDS: Mapping[str, str] = {**KINDS, "unknown": "a recording of an earlier version does not say why"}
"""Those that a recording can have."""


def since(before: Losses, now: Losses) -> Losses:
    """Return what totals grew by, kind by kind."""
    if now == before:
        return {}
    grew = {kind: count - before.get(kind, 0) for kind, count in now.items()}
    return {kind: count for kind, count in grew.items() if count}


def in_words(kind: str) -> str:
    """Return the name of a kind as people read it."""
    return escape(kind.replace("_", " "))


def by_kind(losses: Losses) -> str:
    """Return the kinds, how many of each where there are several, the most first."""
    if len(losses) == 1:
        return in_words(*losses)
    falling = sorted(losses.items(), key=lambda each: -each[1])
    return ", ".join(f"{in_words(kind)} {count(number)}" for kind, number in falling)
