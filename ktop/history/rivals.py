"""Who took most of what a process needs: the CPUs, the disks that it uses, room in a cache.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ktop.frame import Frame, Rows, concatenate, take
from ktop.history.process import began_at
from ktop.pane import CGROUP, START, Pane, fold
from ktop.stats import group

PROCESSES = "processes"
"""How many processes a row is of."""
NEGLIGIBLE = 0.01
"""Of what the first took: who took less has no part in it."""


def rivals(pane: Pane, frames: Sequence[Frame], pid: int, start_ns: int | None, most: int = 3) -> Rows:
    """Return ``most`` rows at most: who else took most in ``frames``, by the pane's ``taken`` column.

    Who took less than ``NEGLIGIBLE`` beside the first is left out.
    Processes of one name and one cgroup are one row, of the PID that took most, with
    ``PROCESSES`` (int64): the workers of one tenant hide no other.  Of what a process has
    several of (disks) only what the process ``pid`` (that started at ``start_ns``, None: any)
    has rows of as well counts.  Empty where the pane has no such column.
    """
    tables = [frame.rows for frame in frames if len(frame) and pane.taken in frame.rows]
    if not tables:
        return {}
    rows = concatenate(tables)
    own = rows[pane.process_key] == pid
    if start_ns is not None and START in rows:
        own &= began_at(rows[START], start_ns)
    others = ~own
    for name in set(pane.key) - {pane.process_key, START}:
        others &= np.isin(rows[name], rows[name][own])
    key = tuple(name for name in (pane.process_key, START) if name in rows)
    found = _that_took(pane, fold(pane, take(rows, np.flatnonzero(others)), key))
    order, starts = group([found[name] for name in ("comm", CGROUP.name) if name in found])
    kinds = take(found, order[starts])  # of each the one that took most, for the order is stable
    kinds[pane.taken] = np.add.reduceat(found[pane.taken][order], starts)
    kinds[PROCESSES] = np.diff(np.append(starts, len(order)))
    first = take(_that_took(pane, kinds), slice(most))
    return take(first, first[pane.taken] >= first[pane.taken][:1] * NEGLIGIBLE)


def _that_took(pane: Pane, rows: Rows) -> Rows:
    """Return those of ``rows`` that took anything, the first the most."""
    took = rows[pane.taken].astype(np.float64)
    order = np.argsort(-took, kind="stable")  # NaN is last, and not above 0
    return take(rows, order[took[order] > 0])
