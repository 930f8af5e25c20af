"""Look at the charts: ``python -m tests.ui.chart_demo [VIEW] [THEME]``, or ``--shoot DIR`` for pictures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from textual.app import ComposeResult
from textual.widget import Widget

from ktop.pane import Column, Heatmap, Lines, Unit
from ktop.ui.charts.cpu_strip import CpuStrip
from ktop.ui.charts.heatmap import HeatmapView
from ktop.ui.charts.histogram import HistogramView
from ktop.ui.charts.lines import LinesView
from ktop.ui.palette import ThemedApp
from ktop.ui.stack_tree import StackTree
from tests.ui import chart_frames


class Demo(ThemedApp):
    """One view, filled."""

    CSS = "Screen { background: $background; color: $foreground; padding: 1 2; } #view { height: 1fr; }"

    def __init__(self, view: str, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.view = view

    def compose(self) -> ComposeResult:
        yield VIEWS[self.view][0]()

    def on_mount(self) -> None:
        self.call_after_refresh(lambda: VIEWS[self.view][1](self.query_one("#view")))


def _heatmap(view: Widget) -> None:
    assert isinstance(view, HeatmapView)
    view.show(chart_frames.latency())


def _quiet(view: Widget) -> None:
    assert isinstance(view, HeatmapView)
    view.show(chart_frames.quiet())


def _strip(cpus: int) -> Callable[[Widget], None]:
    def fill(view: Widget) -> None:
        assert isinstance(view, CpuStrip)
        view.show(chart_frames.latency(cpus=cpus))

    return fill


def _histogram(view: Widget) -> None:
    assert isinstance(view, HistogramView)
    last = chart_frames.latency(70)[-1].histograms[0]
    view.show(last.bounds, last.counts, "Run-queue latency of postgres (4242)")


CACHE = Lines(
    "Page cache",
    (("hits", "misses"), ("hit_ratio",), ("dirtied", "readahead_surplus"), ("cached_bytes", "dirty_bytes")),
)
CACHE_COLUMNS = (
    Column("hit_ratio", "HIT", Unit.RATIO, ""),
    Column("cached_bytes", "CACHED", Unit.BYTES, ""),
    Column("dirty_bytes", "DIRTY", Unit.BYTES, ""),
)


def _lines(view: Widget) -> None:
    assert isinstance(view, LinesView)
    view.show(chart_frames.cache())


def _stacks(view: Widget) -> None:
    assert isinstance(view, StackTree)
    view.show(chart_frames.profile())


VIEWS = {
    "stacks": (lambda: StackTree(id="view"), _stacks),
    "lines": (lambda: LinesView(CACHE, CACHE_COLUMNS, id="view"), _lines),
    "strip": (lambda: CpuStrip(id="view"), _strip(4)),
    "strip32": (lambda: CpuStrip(id="view"), _strip(32)),
    "histogram": (lambda: HistogramView(id="view"), _histogram),
    "heatmap": (lambda: HeatmapView(Heatmap("Run-queue latency"), id="view"), _heatmap),
    "quiet": (
        lambda: HeatmapView(Heatmap("Block I/O latency"), quiet="no block I/O in this time", id="view"),
        _quiet,
    ),
}


async def picture(app: Demo, size: tuple[int, int], keys: list[str]) -> str:
    """Return the view as an SVG."""
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        if keys:
            app.query_one("#view").focus()
            await pilot.press(*keys)
            await pilot.pause()
        return app.export_screenshot(title=app.view)


if __name__ == "__main__":
    if sys.argv[1] == "--shoot":
        _, _, file, name, width, height, theme, *keys = sys.argv
        environ = {"TERM": "xterm", "COLORTERM": "truecolor"}
        if theme == "none":
            environ["NO_COLOR"] = "1"
        demo = Demo(name, theme=None if theme == "none" else theme, environ=environ)
        Path(file).write_text(asyncio.run(picture(demo, (int(width), int(height)), keys)))
    else:
        Demo(sys.argv[1], theme=sys.argv[2] if len(sys.argv) > 2 else None).run()
