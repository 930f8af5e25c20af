"""The rows of a pane where they are not simply those of its Frame, and what is said of them.  Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ktop.format import NOT_MEASURED, count
from ktop.frame import Array, Frame, Rows, length
from ktop.pane import CGROUP, START, Column, Fold, Pane, Unit, fold
from ktop.stats import group
from ktop.text import escape

PROCESSES = Column(
    "processes",
    "PROCESSES",
    Unit.COUNT,
    "Processes that have a row in this interval; what no process can be charged with is none.",
)
"""What totals per cgroup are of."""


def number(row: Mapping[str, Any] | None, column: str) -> int | None:
    """Return a PID or the start of a process; None where there is none, or 0: nobody can be charged."""
    value = row.get(column) if row is not None else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return int(value) or None


def why_empty(frame: Frame | None, total: int, *, waiting: bool) -> str:
    """Return what is said where there are no rows."""
    if frame is None:
        return "waiting for the first sample" if waiting else "no sample of this moment"
    return "no row matches the filter" if total else "nothing in this interval"


def on_demand(pane: Pane, frame: Frame, rows: Rows) -> list[str]:
    """Return what is said of each hook group that runs on demand, as long as it runs.

    That it slows every system call of the host must not be forgotten.  How many
    rows it gave is counted in ``frame`` and in all ``rows`` shown at that moment.
    """
    notes = []
    for column in pane.columns:
        if column.on_demand and column.on_demand in frame.status.hooks:
            came, kept = (int(np.count_nonzero(each.get(column.name, ()))) for each in (frame.rows, rows))
            notes.append(f"{column.on_demand}: {count(came)} in {frame.interval_s:.3g} s, {count(kept)} kept")
    return notes


def per_process(pane: Pane) -> Pane:
    """Return ``pane`` with one row for each process: without the columns that tell its rows apart."""
    # A PID is used again, and workqueues have none: the start tells them apart, where it is known.
    identity = tuple(column.name for column in pane.columns if column.name in {pane.process_key, START})
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
    figures = [
        column
        for column in per_process(pane).columns
        if column.fold is not Fold.LAST and column.name != pane.process_key
    ]
    columns = (replace(CGROUP, from_width=0, ordinary=b""), PROCESSES, *figures)
    return replace(pane, key=(CGROUP.name,), columns=columns)


def with_processes(pane: Pane, rows: Rows) -> Rows:
    """Return ``rows`` of ``pane`` with PROCESSES: each is counted once in a cgroup, and PID 0 never."""
    names = [name for name in (CGROUP.name, pane.process_key, START) if name in rows]
    order, starts = group([rows[name] for name in names])
    first = order[starts]
    counted = np.zeros(length(rows), dtype=np.int64)
    counted[first[rows[pane.process_key][first] != 0]] = 1
    return {**rows, PROCESSES.name: counted}


def totals(shown: Pane, rows: Rows) -> Rows:
    """Return what ``rows`` add up to in ``shown``, which one of the two above made of their pane."""
    if shown.counted is not None and shown.counted.name not in rows:
        rows = {**rows, shown.counted.name: np.ones(length(rows), dtype=np.int64)}
    return fold(shown, rows, shown.key)


def filter_for(cgroup: bytes) -> str:
    """Return the term of the filter that leaves the rows of ``cgroup``."""
    text = re.sub(r'[*?,"]', "?", escape(cgroup))  # which mean something in a filter
    return f'{CGROUP.name}:"{text}"' if re.search(r"\s", text) else f"{CGROUP.name}:{text}"


def joined(tables: Sequence[Rows]) -> Rows:
    """Return the rows of ``tables`` below each other, in the columns that all of them have."""
    common = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: np.concatenate([table[name] for table in tables]) for name in common}


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
