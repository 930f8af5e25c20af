"""Rows added up: one for each process (of events: that caused them), or container or unit.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ktop.frame import Frame, Rows, length
from ktop.pane import CGROUP, Column, EventTotals, Fold, Pane, Shape, Unit, fold
from ktop.stats import group
from ktop.text import escape

PROCESSES = Column(
    "processes",
    "PROCESSES",
    Unit.COUNT,
    "Processes that have a row in this interval; what no process can be charged with is none.",
)
"""What totals per cgroup are of."""


def per_process(pane: Pane) -> Pane:
    """Return ``pane`` with one row for each process: without the columns that tell its rows apart.

    Of events: for each process that caused some.
    """
    if pane.event_totals is not None:
        who = (replace(pane.column(name), from_width=0) for name in pane.event_totals.who)
        key = (pane.event_totals.process_key, pane.event_totals.start_key)
        return _of_events(pane, pane.event_totals, key, (*who, *pane.event_totals.figures))
    # A PID is used again, and workqueues have none: the start tells them apart, where it is known.
    identity = tuple(
        column.name for column in pane.columns if column.name in {pane.process_key, pane.start_key}
    )
    keep = {*identity, "comm", CGROUP.name}
    parts = {name for name in pane.key if name not in keep}
    columns = tuple(
        column
        for column in pane.columns
        if column.name in keep
        or (column.name not in parts and not (column.fold is Fold.LAST and not column.hidden))
    )
    if pane.counted is not None:
        place = 1 + max(
            number for number, column in enumerate(columns) if column.name in {pane.process_key, "comm"}
        )
        columns = (*columns[:place], pane.counted, *columns[place:])
    return replace(pane, key=identity, columns=columns)


def per_cgroup(pane: Pane) -> Pane:
    """Return ``pane`` with one row for each container or unit: without what tells of one process."""
    whose = replace(CGROUP, from_width=0, ordinary=b"")
    if pane.event_totals is not None:
        columns = (whose, *pane.event_totals.per_cgroup, *pane.event_totals.figures)
        return _of_events(pane, pane.event_totals, (CGROUP.name,), columns)
    figures = [
        column
        for column in per_process(pane).columns
        if column.fold is not Fold.LAST and column.name != pane.process_key
    ]
    return replace(pane, key=(CGROUP.name,), columns=(whose, PROCESSES, *figures))


def by_process(pane: Pane) -> Pane | None:
    """Return what ``pane`` is with one row a process and interval, itself where it is that; None: nothing."""
    if pane.shape is not Shape.TABLE or not pane.has_processes:
        return None
    return pane if pane.is_by_process else per_process(pane)


def by_cgroup(pane: Pane) -> Pane | None:
    """Return what ``pane`` is with one row a container or unit and interval; None where there is no such."""
    return per_cgroup(pane) if pane.shape is Shape.TABLE and pane.has_cgroups else None


BY: Mapping[str, Callable[[Pane], Pane | None]] = {"process": by_process, "cgroup": by_cgroup}
"""What the rows of one interval can be added up by."""


def of_frame(pane: Pane, shown: Pane, frame: Frame) -> Frame:
    """Return ``frame`` of ``pane`` with the rows of ``shown``, which may be ``pane`` itself."""
    if shown is pane or not len(frame):
        return frame
    return replace(frame, rows=totals(pane, shown, frame.rows))


def _of_events(pane: Pane, added: EventTotals, key: tuple[str, ...], columns: tuple[Column, ...]) -> Pane:
    """Return the totals of ``pane``: rows that, unlike its own, do not come one after the other."""
    return replace(
        pane,
        shape=Shape.TABLE,
        columns=columns,
        key=key,
        process_key=added.process_key,
        start_key=added.start_key,
        sort=added.figures[0].name,
        derive=added.derive,
    )


def totals(pane: Pane, shown: Pane, rows: Rows) -> Rows:
    """Return what ``rows`` of ``pane`` add up to in ``shown``, which one of the two above made of it.

    Of events, each with what ``EventTotals.count`` says.
    """
    if pane.event_totals is None:
        if shown.key == (CGROUP.name,):
            rows = _with_processes(pane, rows)
        if shown.counted is not None and shown.counted.name not in rows:
            rows = {**rows, shown.counted.name: np.ones(length(rows), dtype=np.int64)}
    return fold(shown, rows, shown.key)


def filter_for(column: str, value: bytes) -> str:
    """Return the term of the filter that leaves the rows with ``value`` in ``column``."""
    text = re.sub(r'[*?,"]', "?", escape(value))  # which mean something in a filter
    return f'{column}:"{text}"' if re.search(r"\s", text) else f"{column}:{text}"


def _with_processes(pane: Pane, rows: Rows) -> Rows:
    """Return ``rows`` of ``pane`` with PROCESSES: each is counted once in a cgroup, and PID 0 never."""
    names = [name for name in (CGROUP.name, pane.process_key, pane.start_key) if name in rows]
    order, starts = group([rows[name] for name in names])
    first = order[starts]
    counted = np.zeros(length(rows), dtype=np.int64)
    counted[first[rows[pane.process_key][first] != 0]] = 1
    return {**rows, PROCESSES.name: counted}
