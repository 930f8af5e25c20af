"""What one pane knows of one process, as text: figures, a line over time, and the rows behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from ktop.format import NOT_MEASURED, cell, clock, duration, percent, span
from ktop.frame import Frame, Rows, length, take
from ktop.history.process import ProcessHistory
from ktop.history.rivals import PROCESSES
from ktop.pane import CGROUP, START, Column, Fold, Pane, Shape, Unit, fold
from ktop.process import TICK_NS
from ktop.tables.columns import candidates
from ktop.tables.order import row_at
from ktop.tables.totals import per_process
from ktop.text import ELLIPSIS, cells, escape, fit, visible
from ktop.ui.blocks import rising
from ktop.ui.charts.histogram import Distribution
from ktop.ui.palette import Words

ROWS = 6
"""Rows (disks, connections, stacks, execs) that a section lists at least, if there are so many."""
_NEVER_A_CELL = frozenset({Unit.HISTOGRAM, Unit.STACK, Unit.BY_CPU})
_LOOSE = frozenset({Unit.ARGS, Unit.STACK})
_CAUSED = "it started  "
_BETWEEN = " · "
_NO_ROW: Rows = {}
_LABEL = 8
"""Cells before a line over time: with the same for all a moment is in the same place in each."""


@dataclass(frozen=True, slots=True)
class Section:
    """One pane's part of the process screen."""

    pane: Pane
    lines: tuple[Words, ...]
    histogram: Distribution | None = None
    why_empty: str = ""
    """Why the pane knows nothing of the process; empty when it does."""
    note: str = ""
    """How far the figures can be trusted; empty when they are whole."""


def section(  # noqa: PLR0913, PLR0917 - what is known, and the room there is
    pane: Pane,
    known: ProcessHistory,
    latest: Frame | None,
    events: Rows,
    width: int,
    most: int = ROWS,
    *,
    beside: tuple[Rows, float] = ({}, 0.0),
    caused: Rows = _NO_ROW,
    note: str = "",
    over: bool = False,
) -> Section:
    """Return the section of ``pane``, from all that is ``known`` of the process, ``width`` cells wide.

    ``events``: those of the process and its children, of panes that have such.
    ``most``: so many rows are listed.  ``beside``: who else took what it waits
    for, and in how many seconds.  ``caused``: what the events add up to that it
    caused, with a ``note`` on them.  ``over``: nothing more will come.
    """
    if pane.shape is Shape.EVENTS and length(events):
        lines = _table(events, _visible(pane, events, width), width, most)
        if length(caused):
            room = width - len(_CAUSED)
            lines.insert(0, [(_CAUSED, "muted"), *_figures(per_process(pane), caused, room)])
        return Section(pane, tuple(lines), note=note)
    if latest is not None and latest.status.unavailable and not len(known):
        return Section(pane, (), why_empty=_reason(latest.status.unavailable))
    if not len(known):
        watched = pane.resident or over
        why = "nothing in the time kept" if watched else "nothing yet; it is watched while this is open"
        return Section(pane, (), why_empty=why)
    if pane.shape is Shape.STACKS:
        return Section(pane, tuple(_stacks(pane, known, width, most)), note=_note(known, latest))
    lines = [_figures(pane, known.total, width)]
    if len(known.ts) > 1:
        lines.append(_over_time(pane, known, width))
    if length(beside[0]):
        lines += _beside(pane, *beside, width)
    if set(pane.key) - {pane.process_key, START}:
        # Several rows a process (disks, connections): each by itself, without what is said above.
        rows = known.folded()
        order = np.argsort(-rows[pane.sort].astype(np.float64), kind="stable")
        told = {pane.process_key, "comm"}
        columns = [column for column in _visible(pane, rows, width) if column.name not in told]
        lines += _table(take(rows, order), columns, width, most)
    return Section(pane, tuple(lines), _histogram(known), note=_note(known, latest))


def nothing(sections: Sequence[Section], width: int) -> list[Words]:
    """Return which of ``sections`` have nothing to say and why, those of one reason together."""
    by_reason: dict[str, list[str]] = {}
    for each in sections:
        if each.why_empty:
            by_reason.setdefault(each.why_empty, []).append(each.pane.name)
    lines: list[Words] = []
    for reason, names in by_reason.items():
        title = ", ".join(names)
        first, *rest = wrap(f"{title}  {reason}", width, subsequent_indent="  ") or [""]
        lines.append([(first[: len(title)], "muted bold"), (first[len(title) :], "muted")])
        lines += [[(line, "muted")] for line in rest]
    return lines


def _note(known: ProcessHistory, latest: Frame | None) -> str:
    """Return why there are no figures any more, or in how many intervals rows went that may have been its."""
    if latest is not None and latest.status.unavailable:
        return f"up to {clock(float(known.ts[-1]))}: {_reason(latest.status.unavailable)}"
    thinned = int(np.count_nonzero(known.dropped))
    return f"at least: rows of {thinned} of {len(known.ts)} samples are no longer kept" if thinned else ""


def _reason(unavailable: str) -> str:
    """Return the first sentence of why there are no figures."""
    return escape(unavailable.partition(". ")[0].rstrip("."))


def _is_figure(column: Column) -> bool:
    return not column.hidden and (column.is_quantity or column.fold is Fold.MOST)


def _visible(pane: Pane, rows: Rows, width: int) -> list[Column]:
    """Return the columns that a section ``width`` cells wide has: not whose the process is, which is said."""
    told = {CGROUP.name, *(pane.event_totals.who if pane.event_totals is not None else ())}
    return [
        column
        for column in candidates(pane, rows, width, (pane.sort,))
        if column.unit not in _NEVER_A_CELL and column.name not in told
    ]


def of_family(pane: Pane, events: Rows, pid: int, start_ns: int | None = None) -> Rows:
    """Return the ``events`` of the process ``pid``, and of its children where the pane names parents.

    With ``start_ns`` (since boot; a clock tick may be missing): of the process of this PID that started then,
    and of the children that it, not the next process of this PID, can have had.
    """
    if not length(events):
        return {}
    own = events[pane.process_key] == pid
    children = events["ppid"] == pid if "ppid" in events else np.zeros_like(own)
    if start_ns is not None and START in events:
        ticks, began = events[START] // TICK_NS, start_ns // TICK_NS
        later = events[START][own & (ticks > began)]
        own = own & (ticks == began)
        children = children & (ticks >= began)
        if len(later):
            children &= events[START] < later.min()
        if pane.event_totals is not None:  # of older recordings NaN
            parents = events[pane.event_totals.start_key]
            children &= np.isnan(parents) | (parents // TICK_NS == began)
    return take(events, np.flatnonzero(own | children))


def caused_by(pane: Pane, events: Rows, pid: int) -> Rows:
    """Return what those of ``events`` add up to that the process ``pid`` caused, in one row; or no row."""
    if pane.event_totals is None or not length(events):
        return _NO_ROW
    by = pane.event_totals.process_key
    return fold(per_process(pane), take(events, events[by] == pid), (by,))


def last_of(pane: Pane, events: Rows, pid: int) -> dict[str, Any] | None:
    """Return the newest of ``events`` that began the process ``pid`` itself, where the pane names parents."""
    if "ppid" not in events:
        return None
    own = np.flatnonzero(events[pane.process_key] == pid)
    return row_at(events, int(own[-1])) if len(own) else None


def _figures(pane: Pane, total: Rows, width: int) -> Words:
    """Return name and value of each figure; as many as fit."""
    parts: list[tuple[str, str]] = []
    used = 0
    for column in pane.columns:
        if not _is_figure(column) or column.name not in total:
            continue
        figure = total[column.name].tolist()[0]
        if figure is None or (isinstance(figure, float) and np.isnan(figure)):
            continue
        value = cell(column, figure).strip()
        size = cells(column.title) + cells(value) + 3
        if used + size > width:
            break
        used += size
        parts += [(column.title.lower() + " ", "muted"), (value, "foreground bold"), ("  ", "")]
    return parts


def _over_time(pane: Pane, known: ProcessHistory, width: int) -> Words:
    """Return the column the pane is sorted by, over all intervals, as one line of bars.

    What adds up is per second, for intervals differ.  Where there are more
    intervals than room, a bar is the largest of several.
    """
    column = pane.column(pane.sort)
    label = f"{column.title.lower():<{_LABEL}} "
    room = max(width - len(label) - 13, 8)
    values = known.series(pane.sort)
    adds_up = column.adds_up
    if adds_up:
        values = values / known.interval_s
    if len(values) > room:
        # fmax passes over what was not measured.
        values = np.fmax.reduceat(values, np.arange(room) * len(values) // room)
    peak = float(np.nanmax(values)) if not np.isnan(values).all() else 0.0
    shares = (values / peak if peak > 0 else values * 0).tolist()
    glyphs = ["·" if np.isnan(share) else rising(share) for share in shares]
    top = cell(column, peak).strip() + "/s" * adds_up
    return [
        (label, "muted"),
        ("".join(glyphs), "series-1"),
        (f"  max {top}", "muted"),
    ]


def _beside(pane: Pane, rows: Rows, seconds: float, width: int) -> list[Words]:
    """Return who took most of what the process waits for in the last samples, and whose that is.

    Where they need more lines than one, they stand below each other.
    """
    column = pane.column(pane.taken)
    title = f"others' {column.title.lower()} in {seconds:.3g} s  "
    indent = cells(title)
    lines: list[list[tuple[str, str]]] = []
    used = width
    for place in range(length(rows)):
        row = row_at(rows, place)
        cgroup = row.get(CGROUP.name)
        whose = f" {escape(cgroup)}" if cgroup and cgroup != CGROUP.ordinary else ""
        name = visible(row["comm"] or b"?") + _of_whom(row[pane.process_key], row.get(PROCESSES, 1))
        value = " " + cell(column, row[column.name]).strip()
        size = cells(name) + cells(value) + cells(whose)
        if used + len(_BETWEEN) + size > width:
            lines.append([(" " * indent if lines else title, "muted")])
            used = indent
        else:
            lines[-1].append((_BETWEEN, "muted"))
            used += len(_BETWEEN)
        used += size
        lines[-1] += [(name, ""), (value, "foreground bold"), (whose, "muted")]
    return [*lines]


def _of_whom(pid: int, processes: int) -> str:
    """Return the PIDs behind a name: the first, and how many more; what no process did has none."""
    if not pid:
        return ""
    return f" ({pid} and {processes - 1} more)" if processes > 1 else f" ({pid})"


def _table(rows: Rows, columns: list[Column], width: int, most: int) -> list[Words]:
    """Return the first ``most`` of ``rows`` (events: the newest) under their titles, cut to ``width``."""
    total = length(rows)
    events = columns[0].unit is Unit.TIME
    chosen = take(rows, slice(None, -most - 1, -1) if events else slice(most))
    columns = [column for column in columns if column.name in chosen]
    texts = [[cell(column, value) for value in chosen[column.name].tolist()] for column in columns]
    sizes = [
        max(cells(column.title), *map(cells, column_texts))
        for column, column_texts in zip(columns, texts, strict=True)
    ]
    # Whatever has no bound gives way first.
    over = sum(sizes) + 2 * len(sizes) - width
    for place, column in enumerate(columns):
        if over > 0 and (column.unit in _LOOSE or column.is_text):
            cut = min(over, max(sizes[place] - 10, 0))
            sizes[place] -= cut
            over -= cut
    lines: list[Words] = [[(_line([column.title for column in columns], sizes, columns, width), "muted")]]
    lines += [
        [(_line([each[number] for each in texts], sizes, columns, width), "")]
        for number in range(length(chosen))
    ]
    if total > most:
        lines.append([(f"{ELLIPSIS} {total - most} {'earlier' if events else 'more'}", "muted")])
    return lines


def _line(texts: list[str], sizes: list[int], columns: list[Column], width: int) -> str:
    pieces = [
        fit(text, size, right=not column.is_text)
        for text, size, column in zip(texts, sizes, columns, strict=True)
    ]
    return fit("  ".join(pieces), width).rstrip()


def _stacks(pane: Pane, known: ProcessHistory, width: int, most: int) -> list[Words]:
    """Return what all samples are in time, and the hottest stacks: their share, innermost frame first."""
    rows = known.folded()
    samples = rows[pane.sort].astype(np.float64)
    stacks = [column.name for column in pane.columns if column.unit is Unit.STACK and column.name in rows]
    total = float(samples.sum())
    parts = [(pane.column(pane.sort).title.lower() + " ", "muted"), (f"{total:.0f}", "foreground bold")]
    if pane.hertz:
        sampled = span(float(np.nansum(known.interval_s)))
        parts += [
            ("  about ", "muted"),
            (duration(total / pane.hertz), "foreground bold"),
            (f" on CPUs in {sampled} of sampling", "muted"),
        ]
    lines: list[Words] = [parts]
    for place in np.argsort(-samples, kind="stable")[:most].tolist():
        # Kernel frames are called by user frames, so they are the inner ones.
        frames = [name for column in stacks for name in (rows[column][place] or ())]
        called = " ← ".join(escape(name) for name in reversed(frames)) or "[unknown]"
        share = percent(float(samples[place]) / total) if total else NOT_MEASURED
        lines.append([(f"{share:>6}  ", "foreground bold"), (fit(called, max(width - 8, 8)).rstrip(), "")])
    return lines


def _histogram(known: ProcessHistory) -> Distribution | None:
    """Return the process's own histogram, if the pane keeps one and says in which bounds."""
    for column in known.pane.columns:
        if column.unit is Unit.HISTOGRAM and column.bounds is not None and column.name in known.total:
            most = float(known.total[column.longest][0]) if column.longest in known.total else np.nan
            counts = known.total[column.name][0]
            return Distribution(
                column.bounds, counts, column.title.lower(), np.inf if np.isnan(most) else most
            )
    return None
