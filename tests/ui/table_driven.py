"""A table in a headless application, and rows for it."""

from __future__ import annotations

from contextlib import asynccontextmanager

import numpy as np
from textual import on
from textual.app import App

from ktop.pane import Column, Pane, Unit
from ktop.ui.table.table import FrameTable


def compute(*_):
    raise NotImplementedError


PANE = Pane(
    "test",
    "?",
    "family",
    (
        Column("pid", "PID", Unit.NUMBER, "The process."),
        Column("comm", "COMMAND", Unit.TEXT, "Its name [markup]."),
        Column("waits", "WAITS", Unit.COUNT, "How often."),
        Column("total_us", "TOTAL", Unit.US, "How long."),
        Column("p99_us", "P99", Unit.US, "At worst."),
        Column("cpus", "CPUS", Unit.BY_CPU, "Where.", from_width=100),
        Column("share", "SHARE", Unit.RATIO, "Of all.", from_width=120),
        Column("argv", "ARGS", Unit.ARGS, "Arguments.", from_width=100),
        Column("secret", "SECRET", Unit.NUMBER, "Never shown.", hidden=True),
        Column("slots", "SLOTS", Unit.HISTOGRAM, "Never a cell.", hidden=True),
    ),
    ("pid",),
    "p99_us",
    compute,
)


def make(p99, *, pids=None, comms=None):
    p99 = np.asarray(p99, dtype=np.float64)
    count = len(p99)
    pids = np.arange(1, count + 1) if pids is None else np.asarray(pids)
    names = comms or [b"proc-%d" % pid for pid in pids.tolist()]
    return {
        "pid": pids,
        "comm": np.array(names, dtype="S16"),
        "waits": pids * 10,
        "total_us": np.zeros(count),
        "p99_us": p99,
        "cpus": np.tile(np.arange(4), (count, 1)),
        "share": np.full(count, 0.5),
        "argv": np.array([b"/bin/x\0-v\0"] * count, dtype=object),
        "secret": pids,
        "slots": np.zeros((count, 8)),
    }


class TableApp(App[None]):
    """One table, and what it told."""

    def __init__(self, pane=PANE):
        super().__init__()
        self.pane = pane
        self.selected = []
        self.highlighted = []

    def get_theme_variable_defaults(self):
        return {"muted": "#808080", "strong": "#eeeeee", "warn": "#ffd75f"}

    def compose(self):
        yield FrameTable(self.pane)

    @on(FrameTable.Selected)
    def note_selected(self, event):
        self.selected.append(event.row["pid"])

    @on(FrameTable.Highlighted)
    def note_highlighted(self, event):
        self.highlighted.append(event.row and event.row.get("pid"))


class Driven:
    """A table in a running application."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot
        self.table = app.query_one(FrameTable)

    async def show(self, rows, **kwargs):
        self.table.show(rows, **kwargs)
        await self.pilot.pause()

    async def press(self, *keys):
        await self.pilot.press(*keys)

    def lines(self):
        return [self.table.render_line(y).text for y in range(self.table.size.height)]

    def pids(self):
        return [int(line.split()[0]) for line in self.lines()[1:] if line.strip()]

    def cursor(self):
        row = self.table.cursor_row()
        return row and row["pid"]

    def cursor_line(self):
        """Where the cursor is on the screen, by its background; -1 when it is out of sight."""
        own = self.table.get_component_rich_style("frame-table--cursor").bgcolor
        for y in range(1, self.table.size.height):
            if {segment.style.bgcolor for segment in self.table.render_line(y)} == {own}:
                return y
        return -1


@asynccontextmanager
async def drive(size=(80, 24), pane=PANE):
    """A table in a terminal of the given size."""
    app = TableApp(pane)
    async with app.run_test(size=size) as pilot:
        app.query_one(FrameTable).focus()
        await pilot.pause()
        yield Driven(app, pilot)
