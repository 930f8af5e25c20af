"""JSON lines: one object a line, the same for every pane.

Every object begins with ``ts`` (Unix seconds: of an event when it happened,
else the end of the interval), ``pane``, ``kind`` and ``interval_s``.  Then:

``row``, ``event``
    the pane's columns by name (hidden ones and histograms left out).  Whole numbers are
    integers, arguments and stacks lists of strings, what is counted by CPU a
    list with the CPU as index.  Where a pane has figures of the host that are
    not the sum of its rows, they are a row whose ``pid`` (of totals per cgroup
    ``processes``) is null.
``histogram``
    ``cpu`` (null: all), ``bounds_us`` and ``counts``: ``counts[i]`` lie from
    ``bounds_us[i]`` to below ``bounds_us[i + 1]``.  A last bound of null is none.
``status``
    ``hooks`` (the variant in use by group), ``unavailable`` (why there are no
    figures, or null), ``lost`` (events lost in this interval, and lines of
    earlier ones that a slow reader did not take), ``lost_by`` (the same by why:
    the kinds of ``ktop.losses``) and ``unattributed_ratio``.

What was not measured is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from ktop.export.values import column_texts, number, string
from ktop.frame import Frame, Histogram, Status
from ktop.losses import SLOW_READER
from ktop.pane import Column, Pane, Shape
from ktop.text import escape


def lines(pane: Pane, frame: Frame, *, also_lost: int = 0) -> list[str]:
    """Return the lines of one Frame, without line ends; the status is the last.

    ``also_lost`` is added to the status's losses, as a slow reader's.
    """
    out = [_head(frame, "row") + text for text in _host_row(pane, frame)]
    out += _rows(pane, frame)
    head = _head(frame, "histogram")
    out += [head + _histogram(histogram) for histogram in frame.histograms]
    out.append(_head(frame, "status") + _status(frame.status, also_lost))
    return out


def columns(pane: Pane) -> tuple[Column, ...]:
    """Return the columns that JSON carries: those it may carry but for an event's time, which is ``ts``."""
    carried = [column for column in pane.columns if column.in_json and column.name != pane.time]
    return tuple(sorted(carried, key=lambda column: column.behind))


def _head(frame: Frame, kind: str, ts: str | None = None) -> str:
    return (
        f'{{"ts":{ts or number(frame.ts, 6)},"pane":{json.dumps(frame.pane)},"kind":"{kind}",'
        f'"interval_s":{number(frame.interval_s, 6)},'
    )


def _rows(pane: Pane, frame: Frame) -> list[str]:
    if not len(frame):
        return []
    chosen = [column for column in columns(pane) if column.name in frame.rows]
    # One template for all rows: a tenth of the time of a dict and json.dumps for each.
    template = ",".join(f'"{column.name}":%s' for column in chosen) + "}"
    cells = [column_texts(column, frame.rows[column.name]) for column in chosen]
    kind = "event" if pane.shape is Shape.EVENTS else "row"
    if pane.time not in frame.rows:
        heads: list[str] = [_head(frame, kind)] * len(frame)
    else:
        heads = [_head(frame, kind, ts) for ts in column_texts(pane.column(pane.time), frame.rows[pane.time])]
    return [head + template % row for head, row in zip(heads, zip(*cells, strict=True), strict=True)]


def _host_row(pane: Pane, frame: Frame) -> Iterator[str]:
    """Yield the host's figures in the columns that processes have, their text and ``pid`` null."""
    if not pane.host_row or not frame.host:
        return
    cells = []
    for column in columns(pane):
        value = frame.host.get(column.name)
        text = "null" if value is None else column_texts(column, np.array([value], dtype=np.float64))[0]
        cells.append(f'"{column.name}":{text}')
    yield ",".join(cells) + "}"


def _histogram(histogram: Histogram) -> str:
    cpu = "null" if histogram.cpu is None else str(int(histogram.cpu))
    bounds = ",".join(number(bound, 3) for bound in histogram.bounds.tolist())
    counts = ",".join(number(count, 0) for count in histogram.counts.tolist())
    return f'"cpu":{cpu},"bounds_us":[{bounds}],"counts":[{counts}]}}'


def _status(status: Status, also_lost: int) -> str:
    hooks = ",".join(f"{string(group)}:{string(variant)}" for group, variant in status.hooks.items())
    unavailable = "null" if status.unavailable is None else json.dumps(escape(status.unavailable))
    losses = {**status.losses, SLOW_READER: also_lost} if also_lost else status.losses
    kinds = ",".join(f"{string(kind)}:{int(count)}" for kind, count in losses.items())
    return (
        f'"hooks":{{{hooks}}},"unavailable":{unavailable},"lost":{int(status.lost) + also_lost},'
        f'"lost_by":{{{kinds}}},"unattributed_ratio":{number(status.unattributed_ratio, 6)}}}'
    )
