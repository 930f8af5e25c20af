"""Who took most of what a process waits for: the CPUs, the disks that it uses.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ktop.frame import Frame, Rows, take
from ktop.history.process import began_at
from ktop.pane import START, Pane, fold


def rivals(pane: Pane, frames: Sequence[Frame], pid: int, start_ns: int | None, most: int = 3) -> Rows:
    """Return the rows of at most ``most`` other processes, whoever took most in ``frames`` first.

    They are added up by process, by the pane's ``taken`` column; of what has
    several (disks) only what the process ``pid`` (that started at ``start_ns``,
    None: any) has rows of as well.  Empty where the pane has no such column.
    """
    tables = [frame.rows for frame in frames if len(frame) and pane.taken in frame.rows]
    if not tables:
        return {}
    names = [name for name in tables[0] if all(name in table for table in tables)]
    rows: Rows = {name: np.concatenate([table[name] for table in tables]) for name in names}
    own = rows[pane.process_key] == pid
    if start_ns is not None and START in rows:
        own &= began_at(rows[START], start_ns)
    others = ~own
    for name in set(pane.key) - {pane.process_key, START}:
        others &= np.isin(rows[name], rows[name][own])
    key = tuple(name for name in (pane.process_key, START) if name in rows)
    found = fold(pane, take(rows, np.flatnonzero(others)), key)
    took = found[pane.taken].astype(np.float64)
    order = np.argsort(-took, kind="stable")  # NaN is last, and not above 0
    return take(found, order[took[order] > 0][:most])
