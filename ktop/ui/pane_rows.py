"""What a pane has to show at one moment: which rows, of how many, and what is said of them.  No screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ktop.format import NOT_MEASURED, clock, count
from ktop.frame import Array, Frame, Rows, concatenate, length, take
from ktop.pane import Pane, Shape, Unit, fold
from ktop.tables.totals import totals
from ktop.ui.bridge import Bridge
from ktop.ui.view import View

if TYPE_CHECKING:
    from ktop.tables.filter import Filter

STACK_SECONDS = 30.0
"""Stacks are added up over that long, or an interval that is longer: a few samples say little."""
RECENT_SECONDS = 10.0
"""How fast events come is told over that long, or an interval that is longer."""
_LEAST_SECONDS = 1e-3
"""Of a clock that was set back, events are of a time that is still to come."""
_TENTHS_FROM_S = 0.9
"""From there on an interval is told in tenths of a second: no timer is more exact on a busy host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The rows of a pane at one moment."""

    rows: Rows
    """Those that are shown; where nothing could be measured, one that says so."""
    total: int
    """How many there are without the filter."""
    empty_text: str
    """What is said where none is shown."""
    ignored: tuple[str, ...] = ()
    """The filter's terms that mean nothing here."""
    notes: tuple[str, ...] = ()
    """What is said of how many events there were, and of hook groups that run on demand."""
    frames: Sequence[Frame] = ()
    """The last Frames, oldest first, that the rows can be compared with."""
    are_totals: bool = False
    """Whether a row is several of a Frame's."""
    per_cgroup: bool = False
    """Whether stacks are to stand below the cgroups of their processes."""
    per_name: bool = False
    """Whether stacks of processes of one name are to be one's."""
    now: float = 0.0
    """When ages count from (Unix time)."""
    older: int = 0
    """How many older events are no longer kept."""
    sampled_s: float | None = None
    """Seconds that stacks were sampled in; None where rows are no stacks."""
    kept_s: float | None = None
    """Seconds in which the events began that rows are totals of; None where they are none."""

    @property
    def count(self) -> int:
        """How many rows the filter left."""
        return length(self.rows) if self.total else 0


def newest_frame(pane: Pane, bridge: Bridge, view: View) -> Frame | None:
    """Return what ``pane`` shows at the moment looked at; None where it has no sample of it."""
    if pane.resident:
        return bridge.newest(pane.name)
    frame = bridge.history.latest(pane.name, view.until)
    if frame is None:
        return None
    # One that runs only while it is looked at has none of most moments.
    return frame if frame.ts > _moment(bridge, view) - max(STACK_SECONDS, 2 * frame.interval_s) else None


def _moment(bridge: Bridge, view: View) -> float:
    return bridge.now if view.at is None else view.at


def snapshot(  # noqa: PLR0913 - what there is, and how it is looked at
    pane: Pane, shown: Pane, frame: Frame | None, bridge: Bridge, view: View, *, per_name: bool = False
) -> Snapshot:
    """Return what ``pane`` has to show when ``frame`` is its newest, for the ``view``, from ``bridge``.

    ``shown`` is what the rows are of: the pane itself, or totals of it.
    ``per_name`` says of stacks alone what they are totals of.
    """
    found = _find(pane, shown, frame, bridge, view)
    rows, total, partial = found.rows, length(found.rows), False
    if total and view.filter and frame is not None:
        rows, partial = filtered(pane, shown, found.single, rows, view.filter)
    elif not total and frame is not None and frame.status.unavailable and pane.shape is not Shape.STACKS:
        rows = not_measured(shown)
    # Frames have all rows: totals of some cannot be compared with theirs.
    compare = pane.shape is Shape.TABLE and total and not partial
    return Snapshot(
        rows=rows,
        total=total,
        empty_text=why_empty(
            pane, frame, total, found.sampled_s, None if frame is not None else _missing(pane, bridge, view)
        ),
        ignored=ignored(pane, shown, view.filter) if view.filter else (),
        notes=(*begun(pane, frame), *on_demand(pane, frame, found.single)) if frame is not None else (),
        frames=bridge.history.at_hand(pane.name, view.until) if compare else (),
        are_totals=shown is not pane,
        per_cgroup=view.per_cgroup,
        per_name=per_name,
        now=bridge.now,
        older=found.older,
        sampled_s=found.sampled_s,
        kept_s=found.kept_s,
    )


class _Found(NamedTuple):
    """All rows of a moment, and how far back they go."""

    rows: Rows
    single: Rows
    """The same, or the rows of the pane itself that they are totals of."""
    older: int = 0
    sampled_s: float | None = None
    kept_s: float | None = None


def _find(pane: Pane, shown: Pane, frame: Frame | None, bridge: Bridge, view: View) -> _Found:
    """Return the rows of the moment: one interval's, or what several make together."""
    if pane.shape is Shape.STACKS:
        frames: Sequence[Frame] = ()
        if frame is not None:
            # Half an interval: they do not come to the millisecond.
            since = _moment(bridge, view) - STACK_SECONDS + frame.interval_s / 2
            frames = bridge.history.frames(pane.name, since=min(since, frame.ts), until=frame.ts)
        rows = added_up(pane, frames)
        return _Found(rows, rows, sampled_s=sum(each.interval_s for each in frames))
    if frame is None:
        return _Found({}, {})
    if pane.shape is Shape.EVENTS:
        return _events(pane, shown, frame, bridge, view)
    rows = totals(pane, shown, frame.rows) if shown is not pane and len(frame) else frame.rows
    return _Found(rows, frame.rows)


def _events(pane: Pane, shown: Pane, frame: Frame, bridge: Bridge, view: View) -> _Found:
    """Return the events kept up to ``frame``, or what they add up to."""
    if shown is pane:
        rows, older = bridge.events(pane.name, None if view.live else frame.ts)
        return _Found(rows, rows, older)
    single, older, kept_s = counted_events(pane, frame, bridge, view)
    return _Found(totals(pane, shown, single) if length(single) else single, single, older, kept_s=kept_s)


class Events(NamedTuple):
    """The events of a moment."""

    rows: Rows
    """Each with what it adds to the totals, where the pane has such."""
    older: int
    """How many older ones are no longer kept."""
    kept_s: float | None
    """Seconds in which these are all that there were; None without any."""


def counted_events(pane: Pane, frame: Frame, bridge: Bridge, view: View) -> Events:
    """Return the events kept up to ``frame``, counted."""
    rows, older = bridge.events(pane.name, None if view.live else frame.ts)
    if pane.event_totals is None or not length(rows):
        return Events(rows, older, None)
    # None is missing since the first that is kept; where none was dropped, since the first sample began.
    begin = float(np.fmin.reduce(rows[pane.time], initial=frame.ts - _LEAST_SECONDS))
    span = bridge.history.span(pane.name)
    if span is not None and not older:
        # On a screen the first interval is a short one.
        oldest = bridge.history.frames(pane.name, until=span[0])
        begin = min([begin, *(each.ts - each.interval_s for each in oldest)])
    since = max(frame.ts - max(RECENT_SECONDS, frame.interval_s), begin)
    counted = pane.event_totals.count(rows, since, frame.ts)
    return Events({**rows, **counted}, older, frame.ts - begin)


def added_up(pane: Pane, frames: Sequence[Frame]) -> Rows:
    """Return the rows of ``frames`` as those of one interval, in the columns that all of them have."""
    joined = concatenate([frame.rows for frame in frames if len(frame)])
    return fold(pane, joined, pane.key) if joined else {}


def filtered(pane: Pane, shown: Pane, single: Rows, rows: Rows, chosen: Filter) -> tuple[Rows, bool]:
    """Return those of ``rows`` of ``shown`` that are ``chosen``, and whether they are totals of some only.

    Totals are made anew of the ``single`` rows of ``pane`` where a term is of these.
    """
    before, after = chosen.for_totals(shown) if shown is not pane else (None, chosen)
    if before:
        rows = totals(pane, shown, take(single, before.mask(pane, single)))
    return take(rows, after.mask(shown, rows)), bool(before)


def ignored(pane: Pane, shown: Pane, chosen: Filter) -> tuple[str, ...]:
    """Return the terms of ``chosen`` that mean nothing to ``pane``, nor to what is ``shown`` of it."""
    unknown = chosen.ignored(shown)
    return tuple(term for term in chosen.ignored(pane) if term in unknown)


def number(row: Mapping[str, Any] | None, column: str) -> int | None:
    """Return a PID or the start of a process; None where there is none, or 0: nobody can be charged."""
    value = row.get(column) if row is not None else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return int(value) or None


def _missing(pane: Pane, bridge: Bridge, view: View) -> float | None:
    """Return the moment looked at, of which ``pane`` has no Frame; None while its first is still to come."""
    if not bridge.now or (view.live and (not pane.resident or bridge.history.latest(pane.name) is None)):
        return None
    return _moment(bridge, view)


def why_empty(pane: Pane, frame: Frame | None, total: int, sampled_s: float | None, at: float | None) -> str:
    """Return what is said where there are no rows; ``at``: the moment that there is no Frame of."""
    if frame is None:
        if at is None:
            return "waiting for the first sample"
        if not pane.resident:
            return f"not watched at {clock(at)}: {pane.name} samples only while it, or a process, is open"
        return "no sample of this moment"
    if not total and sampled_s is not None:
        # On a screen the first interval is a short one: too short for a busy CPU to be sampled in.
        if sampled_s * pane.hertz < 1:
            return "waiting for the first sample"
        return "no samples: nothing ran on a CPU"
    # Events stay when their interval is over.
    nothing = "nothing so far" if pane.shape is Shape.EVENTS else pane.idle
    return "no row matches the filter" if total else nothing


def begun(pane: Pane, frame: Frame) -> tuple[str, ...]:
    """Return how many events began in the interval of ``frame``: so one sees how fast they come."""
    if pane.shape is not Shape.EVENTS:
        return ()
    # An event comes once more when it has ended, with the time that it began.
    came = np.count_nonzero(frame.rows.get(pane.time, np.zeros(0)) > frame.ts - frame.interval_s)
    return (f"{count(int(came))} began in {_seconds(frame.interval_s)}",)


def on_demand(pane: Pane, frame: Frame, rows: Rows) -> tuple[str, ...]:
    """Return what is said of each hook group that runs on demand, as long as it runs.

    That it slows every system call of the host must not be forgotten.  How many
    rows it gave is counted in ``frame`` and in all ``rows`` shown at that moment.
    """
    notes = []
    for column in pane.columns:
        if column.on_demand and column.on_demand in frame.status.hooks:
            came, kept = (int(np.count_nonzero(each.get(column.name, ()))) for each in (frame.rows, rows))
            interval = _seconds(frame.interval_s)
            notes.append(f"{column.on_demand}: {count(came)} in {interval}, {count(kept)} kept")
    return tuple(notes)


def _seconds(interval_s: float) -> str:
    """Return an interval as it was asked for: what was measured stands in the status."""
    return f"{interval_s:.2g} s" if interval_s < _TENTHS_FROM_S else f"{round(interval_s, 1):g} s"


def not_measured(pane: Pane) -> Rows:
    """Return one row of which nothing was measured."""
    rows: dict[str, Array] = {}
    for column in pane.columns:
        if column.hidden or column.unit in {Unit.HISTOGRAM, Unit.BY_CPU, Unit.STACK}:
            continue
        if column.unit is Unit.TEXT:
            rows[column.name] = np.array([NOT_MEASURED.encode()], dtype="S16")
        elif column.unit in {Unit.ARGS, Unit.ADDRESS}:
            rows[column.name] = np.array([None], dtype=object)
        else:
            rows[column.name] = np.array([np.nan])
    return rows
