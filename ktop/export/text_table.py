"""Aligned plain text: what `ktop run` prints without --json."""

from __future__ import annotations

from collections.abc import Sequence

from ktop.format import NOT_MEASURED, clock, count, formatter, header, percent, written
from ktop.frame import Array, Frame, Rows, largest, length, take
from ktop.losses import by_kind
from ktop.pane import Column, Heatmap, Pane, Shape, Unit
from ktop.stats import bounded_percentile
from ktop.tables.order import order
from ktop.text import cells, escape, fit

_PERCENTILES = (0.50, 0.95, 0.99)


def table(pane: Pane, frame: Frame, *, width: int = 0, height: int = 0) -> list[str]:
    """Return one Frame as lines: a title, the header, the rows, the first by the pane's sort column first.

    ``width`` and ``height`` are the terminal's; 0: as wide and long as it gets.
    What does not fit is counted in the last line.
    """
    title = [_title(pane, frame, width)]
    if frame.status.unavailable is not None:
        return [*title, f"  unavailable: {escape(frame.status.unavailable)}"]
    rows = frame.rows
    if pane.shape is not Shape.EVENTS:
        rows = take(rows, order(pane, rows, pane.sort))
    room = max(height - 4, 1) if height else length(rows)
    shown = take(
        rows, slice(0, room) if pane.shape is not Shape.EVENTS else slice(max(length(rows) - room, 0), None)
    )
    body = _body(pane, shown, width) if length(shown) else []
    if length(rows) > room:
        body.append(f"  and {length(rows) - room} more")
    return title + body


def _title(pane: Pane, frame: Frame, width: int) -> str:
    """Return what is said of all rows, as much as fits into ``width`` (0: all)."""
    parts = [clock(frame.ts), pane.name]
    if frame.interval_s == frame.interval_s:
        parts.append(f"{frame.interval_s:.2f} s")
    if frame.status.lost:
        parts.append(f"lost {count(frame.status.lost)} ({by_kind(frame.status.losses)})")
    if frame.status.unattributed_ratio:
        parts.append(f"{percent(frame.status.unattributed_ratio)} not attributed")
    parts += [
        f"{column.title} {written(column.unit, float(frame.host[column.name]))}"
        for column in pane.columns
        if pane.host_row and column.name in frame.host
    ]
    parts += _percentiles(pane, frame)
    while width and cells("  ".join(parts)) > width and len(parts) > 1:
        parts.pop()
    return "  ".join(parts)


def _percentiles(pane: Pane, frame: Frame) -> list[str]:
    """Return how long it took on the whole host: what the pane's heatmap shows in this interval."""
    host = next((each for each in frame.histograms if each.cpu is None), None)
    if not isinstance(pane.chart, Heatmap) or host is None or not host.counts.any():
        return []
    found = bounded_percentile(host.counts, host.bounds, largest(frame, pane.chart.longest), _PERCENTILES)
    figures = (written(pane.chart.unit, value) for value in found.tolist())
    return [f"p{q * 100:.0f} {figure}" for q, figure in zip(_PERCENTILES, figures, strict=True)]


def _body(pane: Pane, rows: Rows, width: int) -> list[str]:
    chosen = [
        column
        for column in pane.columns
        if column.in_text and column.name in rows
        if not width or column.from_width <= width or column.name == pane.sort
    ]
    # What has no bound stands last: one long command line would push all behind it out of sight.
    chosen.sort(key=lambda column: (column.unit in {Unit.ARGS, Unit.STACK}, column.behind))
    texts = [_column(column, rows[column.name]) for column in chosen]
    lines = ["  ".join(line).rstrip() for line in zip(*texts, strict=True)]
    return [fit(line, width).rstrip() for line in lines] if width else lines


def _column(column: Column, values: Array) -> list[str]:
    """Return header and cells of one column, all of the same width."""
    write = _stack if column.unit is Unit.STACK else formatter(column)
    source = values if values.ndim == 2 else values.tolist()
    texts = [header(column), *map(write, source)]
    widths = list(map(cells, texts))
    widest = max(widths)
    if column.is_text:
        return [text + " " * (widest - width) for text, width in zip(texts, widths, strict=True)]
    return [" " * (widest - width) + text for text, width in zip(texts, widths, strict=True)]


def _stack(frames: Sequence[bytes | str] | None) -> str:
    """Return a stack on one line, outermost first, as flame graph tools read it."""
    return NOT_MEASURED if frames is None else ";".join(map(escape, frames))
