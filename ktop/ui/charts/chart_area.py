"""The chart above a table: whichever its pane declares, in the height there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from textual.app import ComposeResult
from textual.containers import Container

from ktop.format import cell
from ktop.frame import Frame
from ktop.pane import Heatmap, Lines, Pane, RowHistogram
from ktop.ui.charts.frame_window import Trail
from ktop.ui.charts.scrolling import of_moment
from ktop.ui.line_widget import Ground
from ktop.ui.view import View

MIN_PANE_LINES = 14
"""Below that a pane has no chart: the table is what is asked for first."""
BESIDE_FROM = 110
"""Columns from which the strip by CPU stands beside the heatmap, where the CPUs are many."""
MANY_CPUS = 6
"""So many find room below the heatmap, two in a line; more would cost the table its lines."""
AIRY_FROM = 26
"""Lines of a pane from which a blank one stands between chart and table."""


class ChartArea(Container, Ground):
    """Holds the pane's chart; made only for panes that have one."""

    DEFAULT_CSS = """
    ChartArea { height: 10; layout: vertical; }
    ChartArea > * { width: 1fr; height: 1fr; }
    ChartArea.-beside { layout: horizontal; }
    ChartArea.-beside > #by-cpu { width: 36%; max-width: 64; height: 1fr; margin-left: 3; }
    """

    def __init__(self, pane: Pane, trail: Trail, view: View) -> None:
        """Draw the chart of ``pane`` from ``trail`` at the moment of ``view``."""
        super().__init__()
        self._pane = pane
        self._trail = trail
        self._view = view
        self._main: Any = None
        self._strip: Any = None
        self._fits = True
        self._cpus = 0
        self.room = (0, 0)
        """Columns and lines of the pane that it was last fitted to."""

    def compose(self) -> ComposeResult:
        """Compose the chart that the pane declares."""
        chart = self._pane.chart
        if isinstance(chart, Heatmap):
            from ktop.ui.charts.heatmap import HeatmapView

            self._main = HeatmapView(chart)
            yield self._main
            if chart.by_cpu:
                from ktop.ui.charts.cpu_strip import CpuStrip

                self._strip = CpuStrip(longest=chart.longest, id="by-cpu")
                yield self._strip
        elif isinstance(chart, Lines):
            from ktop.ui.charts.lines import LinesView

            self._main = LinesView(chart, self._pane.columns)
            yield self._main
        elif isinstance(chart, RowHistogram):
            from ktop.ui.charts.histogram import HistogramView

            self._main = HistogramView()
            yield self._main

    def fit(self, width: int, lines: int) -> None:
        """Take a share of the ``lines`` of the pane; nothing when they are few."""
        self.room = (width, lines)
        self._fits = lines >= MIN_PANE_LINES
        most = 10 if isinstance(self._pane.chart, RowHistogram) else 16
        height = min(max(lines * 2 // 5, 7), most)
        if self._strip is not None:
            beside = width >= BESIDE_FROM and self._cpus > MANY_CPUS
            self.set_class(beside, "-beside")
            self._strip.title = "p99 by CPU" if beside else ""
            # Two have a line each, from three on two share one.
            needed = max(self._cpus, 1) if self._cpus <= 2 else -(-self._cpus // 2)
            below = 1 if lines < 24 else min(needed, 3)
            self._strip.styles.height = None if beside else below
            height += 0 if beside else below
        self.styles.height = height
        self.set_class(lines >= AIRY_FROM, "-airy")

    def draw(self, now: float, *, available: bool = True) -> None:
        """Draw what came up to the moment looked at, and since; ``now`` is when ages count from."""
        self.display = self._fits and available
        if not self.display or self._main is None:
            return
        if isinstance(self._pane.chart, Heatmap | Lines):
            frames = self._trail.frames(self._view)
            self._main.show(frames, now, self._moment(frames))
            if self._strip is not None:
                self._count_cpus(self._trail.by_cpu(frames[-1:]))
                self._draw_strip()

    def _moment(self, frames: Sequence[Frame]) -> float | None:
        """Return when that one of ``frames`` was that is looked at; None: the newest."""
        until = self._view.until
        return None if not frames or frames[-1].ts <= until else of_moment(frames, until).ts

    def age(self, now: float) -> None:
        """Count ages from ``now``; all else stays as it was drawn."""
        if isinstance(self._pane.chart, Heatmap | Lines) and self._main is not None:
            self._main.age(now)

    def on_heatmap_view_rearranged(self) -> None:
        """Have the strip below show the same columns."""
        if self._strip is not None:
            self._draw_strip()

    def _draw_strip(self) -> None:
        """Draw the strip, with the same moments where the map has them."""
        self._strip.cell_width = self._main.cell_width
        self._strip.merge, self._strip.free = self._main.merge, self._main.free
        self._strip.room = self._main.room
        self._strip.show(self._main.frames, self._trail.by_cpu, self._main.moment)

    def _count_cpus(self, frames: Sequence[Frame]) -> None:
        """Find the strip its place once it is known how many CPUs there are."""
        seen = [each.cpu for frame in frames[-1:] for each in frame.histograms if each.cpu is not None]
        if seen and max(seen) >= self._cpus:
            self._cpus = 1 + max(seen)
            self.fit(*self.room)

    def draw_row(self, row: Mapping[str, Any] | None) -> None:
        """Draw the histogram of the row under the cursor; an empty one without a row."""
        chart = self._pane.chart
        if not isinstance(chart, RowHistogram) or self._main is None or not self.display:
            return
        from ktop.ui.charts.histogram import Distribution

        column = self._pane.column(chart.column)
        bounds = np.zeros(0) if column.bounds is None else column.bounds
        if row is None or column.name not in row:
            self._main.show(Distribution(bounds, np.zeros(0), chart.title))
            return
        label = self._pane.column(chart.label or self._pane.key[0])
        title = f"{chart.title}  {cell(label, row.get(label.name)).strip()}"
        most = row.get(column.longest, np.nan)
        longest = float(np.nan_to_num(most, nan=np.inf))
        self._main.show(Distribution(bounds, np.asarray(row[column.name]), title, longest))

    @property
    def focusable(self) -> Any:
        """Return the chart if the keyboard can go there, else None."""
        return self._main if self._main is not None and self.display and self._main.can_focus else None
