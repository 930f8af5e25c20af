"""The live table, driven through a headless application with rows made by hand."""

from __future__ import annotations

from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import on
from textual.app import App
from textual.binding import Binding
from textual.events import Click

from ktop import columns as layout
from ktop.order import order
from ktop.pane import Column, Pane, Unit
from ktop.text import cells
from ktop.ui.table import FrameTable

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
        Column("slots", "SLOTS", Unit.HISTOGRAM, "Never a cell."),
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


@pytest.fixture
def drive():
    """Return a context manager: a table in a terminal of the given size."""

    @asynccontextmanager
    async def driven(size=(80, 24), pane=PANE):
        app = TableApp(pane)
        async with app.run_test(size=size) as pilot:
            app.query_one(FrameTable).focus()
            await pilot.pause()
            yield Driven(app, pilot)

    return driven


async def test_largest_first_and_not_measured_last(drive):
    async with drive() as it:
        await it.show(make([5, np.nan, 50, 0, 500]))
        assert it.pids() == [5, 3, 1, 4, 2]
        assert "▾P99" in it.lines()[0]
        it.table.reverse_sort()
        assert it.pids() == [4, 1, 3, 5, 2]
        assert "▴P99" in it.lines()[0]


async def test_text_is_sorted_from_a_in_either_case(drive):
    async with drive() as it:
        await it.show(make([1, 2, 3], comms=[b"beta", b"Alpha", b"alpha"]))
        it.table.sort_by("comm")
        assert it.pids() == [2, 3, 1]
        assert "COMMAND▴" in it.lines()[0]


async def test_equal_rows_do_not_change_places(drive):
    async with drive() as it:
        await it.show(make([0, 0, 0, 0], pids=[3, 1, 4, 2]))
        assert it.pids() == [1, 2, 3, 4]
        await it.show(make([0, 0, 0, 0], pids=[2, 4, 3, 1]))
        assert it.pids() == [1, 2, 3, 4]


async def test_sort_next_goes_through_the_columns_on_the_screen(drive):
    async with drive() as it:
        await it.show(make([1, 2]))
        names = [column.name for column in it.table.columns]
        assert names == ["pid", "comm", "waits", "total_us", "p99_us"]
        seen = []
        for _ in names:
            it.table.sort_next(1)
            seen.append(it.table.sort_column)
        assert seen == ["pid", "comm", "waits", "total_us", "p99_us"]
        it.table.sort_next(-1)
        assert it.table.sort_column == "total_us"


async def test_the_cursor_stays_on_its_row_when_the_order_changes(drive):
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        await it.press("j")
        assert it.cursor() == 2
        await it.show(make([10, 20, 30]))
        await it.show(make([10, 99, 30]))
        assert it.cursor() == 2
        assert it.cursor_line() == 1
        await it.press("enter")
        assert it.app.selected == [2]


async def test_a_row_that_vanished_leaves_the_cursor_where_it_was(drive):
    async with drive() as it:
        await it.show(make([40, 30, 20, 10]))
        await it.press("down", "down")
        assert it.cursor() == 3
        await it.show(make([40, 30, 10], pids=[1, 2, 4]))
        assert it.cursor() == 4
        await it.show(make([40, 30, 20, 10]))
        assert it.cursor() == 4
        await it.show(make([40], pids=[1]))
        assert it.cursor() == 1


async def test_rows_that_are_all_gone_for_a_moment_give_the_cursor_back(drive):
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        await it.press("down")
        await it.show(make([]))
        assert it.cursor() is None
        await it.press("enter", "down", "G", "pageup")
        await it.show(make([30, 20, 10]))
        assert it.cursor() == 2
        assert it.app.selected == []
        assert it.app.highlighted == [1, 2, None, 2]


async def test_who_is_followed_is_kept_in_sight_and_waited_for(drive):
    async with drive(size=(80, 11)) as it:
        count = 200
        values = np.arange(count, 0, -1.0)
        await it.show(make(values))
        await it.press("down")
        it.table.follow = True
        values[1] = 0
        await it.show(make(values))
        assert it.cursor() == 2
        assert it.cursor_line() == 10
        await it.show(make(np.delete(values, 1), pids=np.delete(np.arange(1, count + 1), 1)))
        assert it.cursor() is None
        assert it.cursor_line() == -1
        await it.press("enter")
        assert it.app.selected == []
        values[1] = 1000
        await it.show(make(values))
        assert it.cursor() == 2
        assert it.cursor_line() == 1


async def test_the_top_stays_in_view_unless_one_has_scrolled(drive):
    async with drive(size=(80, 11)) as it:
        values = np.arange(200, 0, -1.0)
        await it.show(make(values))
        await it.press("down", "up")
        values[0] = 0
        await it.show(make(values))
        assert it.table.scroll_offset.y == 0
        assert it.cursor_line() == -1
        # Nobody opens what they do not see.
        await it.press("enter")
        assert it.app.selected == []
        assert it.cursor_line() == 10
        await it.press("enter")
        assert it.app.selected == [1]


async def test_a_cursor_that_nobody_moved_stays_in_sight(drive):
    async with drive(size=(80, 11)) as it:
        values = np.arange(200, 0, -1.0)
        await it.show(make(values))
        values[0] = 0
        await it.show(make(values))
        assert it.cursor_line() == 1
        assert it.cursor() == 2


async def test_a_scrolled_row_stays_on_its_line(drive):
    async with drive(size=(80, 11)) as it:
        values = np.arange(200, 0, -1.0)
        await it.show(make(values))
        await it.press(*["pagedown"] * 5, "up", "up", "up")
        line, pid = it.cursor_line(), it.cursor()
        assert line > 1
        values[pid - 1] = 100.5
        await it.show(make(values))
        assert it.cursor() == pid
        assert it.cursor_line() == line
        assert it.table.scroll_offset.y > 80


async def test_a_cursor_out_of_sight_comes_back_at_the_edge(drive):
    async with drive(size=(80, 11)) as it:
        values = np.arange(200, 0, -1.0)
        await it.show(make(values))
        await it.press("down", "up")
        values[0] = 0
        await it.show(make(values))
        await it.press("j")
        assert it.cursor() == 2
        assert it.cursor_line() == 1


async def test_keys_move_the_cursor(drive):
    async with drive(size=(80, 11)) as it:
        await it.show(make(np.arange(100, 0, -1.0)))
        for keys, expected in [
            (("j", "j", "k"), 2),
            (("G",), 100),
            (("g",), 1),
            (("pagedown",), 10),
            (("end",), 100),
            (("pageup",), 91),
            (("home",), 1),
            (("up",), 1),
        ]:
            await it.press(*keys)
            assert it.cursor() == expected
            assert it.cursor_line() > 0


async def test_every_key_has_an_id_and_a_tooltip():
    bindings = [binding for binding in FrameTable.BINDINGS if isinstance(binding, Binding)]
    assert len(bindings) == len(FrameTable.BINDINGS)
    assert all(binding.id and binding.tooltip for binding in bindings)
    assert len({binding.id for binding in bindings}) == len(bindings)


async def test_the_mouse_chooses_opens_and_sorts(drive):
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        await it.pilot.click(FrameTable, offset=(5, 2))
        assert it.cursor() == 2
        assert it.app.selected == []
        await it.pilot.click(FrameTable, offset=(5, 2))
        assert it.app.selected == [2]
        await it.pilot.click(FrameTable, offset=(5, 20))
        assert it.cursor() == 2
        x = it.lines()[0].index("WAITS")
        await it.pilot.click(FrameTable, offset=(x, 0))
        assert (it.table.sort_column, it.pids()) == ("waits", [3, 2, 1])
        await it.pilot.click(FrameTable, offset=(x, 0))
        assert it.pids() == [1, 2, 3]
        assert it.cursor() == 2


async def test_a_double_click_opens_the_row_first_clicked(drive):
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        await it.pilot.click(FrameTable, offset=(5, 3))
        # Between the clicks the rows change places.
        await it.show(make([30, 20, 25]))
        it.table.on_click(Click(it.table, 5, 3, 0, 0, 1, False, False, False, chain=2))
        await it.pilot.pause()
        assert it.app.selected == [3]


async def test_a_header_explains_its_column_without_markup(drive):
    async with drive() as it:
        await it.show(make([1]))
        x = it.lines()[0].index("COMMAND")
        await it.pilot.hover(FrameTable, offset=(x, 0))
        assert str(it.table.tooltip) == "Its name [markup]."
        await it.pilot.hover(FrameTable, offset=(x, 1))
        assert it.table.tooltip is None
        assert it.table.column_at(x).name == "comm"
        assert it.table.column_at(79) is None


async def test_hostile_names_change_nothing_but_their_own_cell(drive):
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


async def test_zeros_and_what_was_not_measured_are_faint(drive):
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
async def test_wide_terminals_get_more_columns(drive, size, names):
    async with drive(size=size) as it:
        await it.show(make([1, 2, 3]))
        assert [column.name for column in it.table.columns] == names
        assert all(cells(line) == size[0] for line in it.lines())


async def test_resizing_keeps_the_cursor(drive):
    async with drive(size=(200, 50)) as it:
        await it.show(make(np.arange(100, 0, -1.0)))
        await it.press("G")
        for size in ((40, 10), (20, 3), (80, 24), (1, 1), (200, 50)):
            await it.pilot.resize_terminal(*size)
            await it.pilot.pause()
            await it.show(make(np.arange(100, 0, -1.0)))
            assert it.cursor() == 100
            assert all(cells(line) == size[0] for line in it.lines())
            if size[1] > 2:
                assert it.cursor_line() > 0


async def test_what_does_not_fit_is_reached_sideways(drive):
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


async def test_of_ten_thousand_rows_only_the_visible_are_written(drive, monkeypatch):
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


async def test_lines_that_did_not_change_are_not_drawn_again(drive, monkeypatch):
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


async def test_go_to_a_process(drive):
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        assert it.table.go_to(pid=3)
        assert it.cursor() == 3
        assert not it.table.go_to(pid=99)
        assert not it.table.go_to(nothing=1)
        assert it.cursor() == 3


async def test_without_rows_it_says_why(drive):
    async with drive() as it:
        it.table.empty_text = "No row matches the filter."
        await it.show({})
        assert "COMMAND" in it.lines()[0]
        await it.show(make([]))
        assert "No row matches the filter." in it.lines()[1]
        assert it.table.cursor_row() is None


async def test_rows_of_totals_lack_columns_and_keep_the_cursor(drive):
    keyed = Pane("net", "?", "family", PANE.columns, ("pid", "waits"), "p99_us", compute)
    async with drive(pane=keyed) as it:
        await it.show(make([30, 20, 10]))
        await it.press("down")
        totals = {name: values for name, values in make([1, 2, 3]).items() if name not in {"waits", "cpus"}}
        await it.show(totals)
        assert it.cursor() == 2
        assert "WAITS" not in it.lines()[0]


VALUES = st.lists(st.one_of(st.none(), st.floats(allow_infinity=True)), max_size=30)


@given(VALUES, st.booleans())
def test_order_is_that_of_python(values, reverse):
    """Against sorted(): not measured last, equal ones by PID."""
    floats = [float("nan") if value is None else value for value in values]
    rows = make(floats)
    got = order(PANE, rows, "p99_us", reverse=reverse).tolist()
    sign = 1 if reverse else -1
    expected = sorted(
        range(len(floats)),
        key=lambda i: (floats[i] != floats[i], 0 if floats[i] != floats[i] else sign * floats[i], i),
    )
    assert got == expected


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_large_numbers_are_ordered_exactly(values):
    rows = {**make(range(len(values))), "waits": np.array(values, dtype=np.uint64)}
    got = order(PANE, rows, "waits").tolist()
    assert got == sorted(range(len(values)), key=lambda i: (-values[i], i))


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
