"""What the live table shows, and what it draws for that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop.frame import Frame
from ktop.pane import Column, Pane, Unit
from ktop.tables import columns as layout
from ktop.text import cells
from ktop.ui.table.table import FrameTable
from ktop.ui.table.trend import GAP, HELP, Trend
from tests.ui.table_driven import PANE, compute, drive, make

HOSTILE = (
    b"\x1b[2J\x1b[31mred",
    b"[bold]x[/bold]",
    b"two\nlines\ttab",
    b"\xff\xfe\xc3(",
    "\u202eesrever".encode(),
    ("😀" * 4).encode()[:15],
    "e\u0301\u0301\u0301\u0301".encode(),
    "漢字漢字漢".encode(),
)


async def test_a_header_explains_its_column_without_markup():
    async with drive() as it:
        await it.show(make([1]))
        x = it.lines()[0].index("COMMAND")
        await it.pilot.hover(FrameTable, offset=(x, 0))
        assert str(it.table.tooltip) == "Its name [markup]."
        await it.pilot.hover(FrameTable, offset=(x, 1))
        assert it.table.tooltip is None
        assert it.table.column_at(x).name == "comm"
        assert it.table.column_at(79) is None


@pytest.mark.parametrize(("width", "cells_each"), [(60, 0), (80, 1), (120, 1), (200, 2)])
async def test_beside_the_rows_there_is_room_for_how_they_came_to_be(width, cells_each):
    values = [10.0, 20.0, 40.0, 70.0]
    frames = [Frame("test", float(ts), 1.0, make([p99, 5])) for ts, p99 in enumerate(values)]
    async with drive((width, 8), replace(PANE, columns=PANE.columns[:5])) as it:
        it.table.trend.show(frames, 3.0, totals=False)
        await it.show(make([70, 5]))
        header, first, second, third = it.lines()[:4]
        assert {len(line) for line in (header, first, second, third)} == {width}
        assert first.rstrip().endswith("".join(bar * cells_each for bar in "▂▃▅▇") or "70.0µs")
        assert second.rstrip().endswith("▇" * 4 * cells_each or "5.00µs")
        assert not third.strip()
        assert ("P99 " in header and header.rstrip().endswith("now")) == bool(cells_each)
        x = len(header.rstrip()) - 1
        await it.pilot.hover(FrameTable, offset=(x, 0))
        assert str(it.table.tooltip) == (HELP if cells_each else "At worst.")
        it.table.sort_by("comm")
        assert it.lines()[1].rstrip().endswith("µs")


async def test_only_the_rows_on_the_screen_are_looked_up():
    frames = [Frame("test", float(ts), 1.0, make(range(1000))) for ts in range(3)]
    async with drive((120, 8), replace(PANE, columns=PANE.columns[:5])) as it:
        it.table.trend.show(frames, 2.0, totals=False)
        await it.show(make(range(1000)))
        assert len(it.table.trend._texts) == 7
        await it.press("end")
        await it.pilot.pause()
        assert all(line.rstrip().endswith("▇▇▇") for line in it.lines()[1:-1])
        assert len(it.table.trend._texts) <= 2 * 7 + 1


async def test_what_fits_a_smaller_table_has_no_bar_for_a_moment(monkeypatch):
    """As it is when a line more comes above: the bar would be drawn, and go with the next figures."""
    told = FrameTable._scroll_update
    bars = []

    def note(table, size):
        told(table, size)
        bar = table.vertical_scrollbar
        bars.append(bar.window_virtual_size > bar.window_size)

    async with drive((80, 12)) as it:
        await it.show(make(range(5)))
        monkeypatch.setattr(FrameTable, "_scroll_update", note)
        for height, bar in ((11, False), (6, False), (5, True), (12, False)):
            await it.pilot.resize_terminal(80, height)
            await it.pilot.pause()
            assert {*bars} == {bar}, height
            bars.clear()


async def test_hostile_names_change_nothing_but_their_own_cell():
    async with drive() as it:
        names = list(HOSTILE)
        await it.show(make(range(len(names), 0, -1), comms=names))
        lines = it.lines()
        x = lines[0].index("WAITS")
        for line, pid in zip(lines[1:], range(1, len(names) + 1), strict=False):
            assert line.isprintable()
            assert cells(line) == 80
            name, _, rest = line.partition(f" {pid * 10} ")
            assert cells(name) <= x + 4
            assert rest.split()[0] == "0"
        assert r" \x1b[2J\x1b[" in lines[1]
        assert "…" in lines[1]
        assert "[bold]x[/bold]" in lines[2]


async def test_zeros_and_what_was_not_measured_are_faint():
    async with drive() as it:
        await it.show(make([5, np.nan]))
        faint = it.table.get_component_rich_style("frame-table--quiet")
        plain = it.table.get_component_rich_style("frame-table--row")
        it.table.sort_by("comm")
        by_text = {segment.text.strip(): segment.style for segment in it.table.render_line(2)}
        assert by_text.pop("").bgcolor == plain.bgcolor
        assert [text.split() for text, style in by_text.items() if style == faint] == [["0", "–"]]
        assert [text for text, style in by_text.items() if style == plain] == ["2", "20"]


@pytest.mark.parametrize(
    ("size", "names"),
    [
        ((40, 10), ["pid", "comm", "waits", "total_us", "p99_us"]),
        ((30, 10), ["pid", "comm", "waits", "p99_us"]),
        ((80, 24), ["pid", "comm", "waits", "total_us", "p99_us"]),
        ((110, 24), ["pid", "comm", "waits", "total_us", "p99_us", "cpus", "argv"]),
        ((200, 50), ["pid", "comm", "waits", "total_us", "p99_us", "cpus", "share", "argv"]),
    ],
)
async def test_wide_terminals_get_more_columns(size, names):
    async with drive(size=size) as it:
        await it.show(make([1, 2, 3]))
        assert [column.name for column in it.table.columns] == names
        assert all(cells(line) == size[0] for line in it.lines())


async def test_what_does_not_fit_is_reached_sideways():
    long = tuple(Column(f"c{index}", f"COLUMN{index}", Unit.COUNT, "Help.") for index in range(6))
    keyed = Pane("wide", "?", "family", long, tuple(column.name for column in long), "c0", compute)
    async with drive(size=(30, 10), pane=keyed) as it:
        await it.show({column.name: np.arange(3) for column in long})
        assert it.lines()[0].rstrip().endswith("›")
        assert "COLUMN5" not in it.lines()[0]
        await it.press(*["right"] * 6)
        assert "COLUMN5" in it.lines()[0]
        assert it.lines()[0].startswith("‹")
        await it.press(*["h"] * 6)
        assert "COLUMN0" in it.lines()[0]


async def test_of_ten_thousand_rows_only_the_visible_are_written(monkeypatch):
    written = []
    pieces = layout.RowWriter.pieces

    def counted(self, position):
        written.append(position)
        return pieces(self, position)

    monkeypatch.setattr(layout.RowWriter, "pieces", counted)
    async with drive(size=(200, 50)) as it:
        await it.show(make(np.random.default_rng(1).random(10_000)))
        assert 0 < len(set(written)) <= 49
        written.clear()
        await it.press("j")
        assert len(set(written)) <= 2
        written.clear()
        await it.press("G")
        assert it.table.row_count == 10_000
        assert 0 < len(set(written)) <= 51


async def test_lines_that_did_not_change_are_not_drawn_again(monkeypatch):
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        await it.show(make([30, 20, 10]))
        drawn: list[object] = []
        refresh = FrameTable.refresh

        def noted(self, *regions, **options):
            drawn.extend(y for region in regions or (self.size.region,) for y in region.line_range)
            return refresh(self, *regions, **options)

        monkeypatch.setattr(FrameTable, "refresh", noted)
        await it.show(make([30, 20, 10]))
        assert drawn == []
        await it.show(make([30, 21, 10]))
        assert set(drawn) == {2}


async def test_without_rows_it_says_why():
    async with drive() as it:
        it.table.empty_text = "No row matches the filter."
        await it.show({})
        assert "COMMAND" in it.lines()[0]
        await it.show(make([]))
        assert "No row matches the filter." in it.lines()[1]
        assert it.table.cursor_row() is None


@given(st.integers(1, 250), st.integers(0, 250))
def test_columns_never_overlap(width, screen):
    rows = make([1.0, np.nan])
    chosen = layout.candidates(PANE, rows, screen)
    needs = {column.name: layout.need(column, rows[column.name]) for column in chosen}
    slots = layout.arrange(PANE, chosen, needs, width, ("p99_us",))
    end = 0
    for slot in slots:
        assert slot.x == end + slot.gap
        end = slot.x + slot.width
        assert slot.width <= needs[slot.column.name]
    names = {slot.column.name for slot in slots}
    assert {"pid", "comm", "p99_us"} <= names
    assert end <= width or names <= {"pid", "comm", "p99_us", "argv"}


def test_what_tells_of_a_failure_has_a_role_of_its_own():
    columns = (
        Column("pid", "PID", Unit.NUMBER, "", alarm=False),
        Column("exit_code", "EXIT", Unit.NUMBER, "", alarm=True),
        Column("error", "ERROR", Unit.TEXT, "", alarm=True),
    )
    rows = {
        "pid": np.array([7, 7, 7]),
        "exit_code": np.array([0.0, -9.0, np.nan]),
        "error": np.array([None, None, b"ENOENT"], dtype=object),
    }
    slots = tuple(layout.Slot(column, x, 6, 1, True) for x, column in zip((1, 8, 15), columns, strict=True))
    writer = layout.RowWriter(slots, rows, "")
    alarming = [
        [text.strip() for text, role in writer.pieces(row) if role == layout.ALARM] for row in range(3)
    ]
    assert alarming == [[], ["-9"], ["ENOENT"]]


async def test_what_tells_of_a_failure_is_in_sight_where_there_is_no_room_and_stays():
    pane = replace(PANE, columns=(*PANE.columns, Column("errors", "ERR", Unit.COUNT, "", alarm=True)))
    rows = {**make([5, 4]), "errors": np.array([0, 0])}
    async with drive(size=(30, 10), pane=pane) as it:
        await it.show(rows)
        assert "ERR" not in it.lines()[0]
        await it.show({**rows, "errors": np.array([0, 3])})
        assert "ERR" in it.lines()[0]
        await it.show(rows)
        assert "ERR" in it.lines()[0]


async def test_what_tells_of_a_failure_does_so_under_the_cursor_too():
    pane = replace(PANE, columns=(*PANE.columns, Column("errors", "ERR", Unit.COUNT, "", alarm=True)))
    rows = {**make([5, 4]), "errors": np.array([3, 0])}
    async with drive(pane=pane) as it:
        await it.show(rows)
        *_, failed, _blank = it.table.render_line(1)
        assert failed.text.strip() == "3"
        assert failed.style.color == it.table.get_component_rich_style("frame-table--alarm").color
        grounds = {segment.style.bgcolor for segment in it.table.render_line(1)}
        assert grounds == {it.table.get_component_rich_style("frame-table--cursor").bgcolor}


@pytest.mark.parametrize("now", [90.0, 91.0, 92.5, 104.0, 150.0])
def test_a_trend_of_a_moment_that_is_held_has_its_title_too(now):
    rows = make([70])
    trend = Trend(PANE)
    trend.show([Frame("runqlat", float(ts), 1.0, rows) for ts in range(90)], now, totals=False)
    trend.fit("p99_us", 63)
    header = trend.header()
    assert len(header) == trend.width
    title, *ages = header.split()
    assert title == "P99"
    assert len(ages) >= 3
    assert all(age == "now" or age.startswith("-") for age in ages)


@pytest.mark.parametrize("room", [63, 200])
@pytest.mark.parametrize("count", [2, 5, 12, 30, 57, 60, 90])
def test_the_title_of_the_trend_stands_where_the_bars_begin(room, count):
    rows = make([70])
    trend = Trend(PANE)
    trend.show([Frame("runqlat", float(ts), 1.0, rows) for ts in range(count)], float(count), totals=False)
    trend.fit("p99_us", room)
    header, bars = trend.header(), trend.text(rows, 0, [0])
    assert len(header) == len(bars) == trend.width
    assert header.startswith(GAP)
    first = len(bars) - len(bars.lstrip())
    title, age, *_ = header.split()
    assert title == "P99"
    assert header.index("P99") == min(first, header.index(age) - 1 - len("P99"))
