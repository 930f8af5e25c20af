"""The tree on the screen: opens by key, and stays as it was when new samples come."""

from __future__ import annotations

import pytest

from ktop.ui.palette import palette
from ktop.ui.pane_rows import Snapshot
from ktop.ui.stack_tree import BAR, StackTree
from tests.ui.chart_frames import profile, stack_rows
from tests.ui.driven import plain
from tests.ui.one_widget import OneWidget


class TreeApp(OneWidget):
    def __init__(self, **environ: str) -> None:
        super().__init__(StackTree(), **environ)
        self.selected: list[object] = []

    def on_stack_tree_selected(self, message: StackTree.Selected) -> None:
        self.selected.append(message.pid or message.group)


ROWS = stack_rows(
    (1, b"hot", 60, ["main", "loop", "work"], None),
    (1, b"hot", 30, ["main", "loop", "wait"], ["schedule"]),
    (2, b"cold", 10, ["main", "idle"], None),
)


async def test_hot_path_is_open_from_the_start():
    app = TreeApp()
    async with app.run_test(size=(80, 20)):
        app.view.show(ROWS)
        text = plain(app.view)
        assert "work" in text
        assert "90.0%" in text
        assert "cold (2)" in text
        assert "idle" not in text


async def test_bars_are_to_compare_by_and_red_is_what_is_hot_itself():
    app = TreeApp()
    rows = stack_rows(
        *((pid, b"same", 40, [f"f{pid}"], None) for pid in range(1, 10)), (10, b"less", 20, ["g"], None)
    )
    async with app.run_test(size=(80, 30)) as pilot:
        app.view.show(rows)
        app.view.focus()
        await pilot.press("end", "right")
        bars = [sum(map(line.count, "█")) for line in plain(app.view).splitlines()[1:] if "(" in line]
        assert bars == [BAR] * 9 + [BAR // 2]
        # Of 380 samples 20 are too few for the colour, in figures and bar.
        (itself,) = (y for y in range(30) if app.view.render_line(y).text.rstrip().endswith(" g"))
        hot = palette(app).style("hot").color
        assert hot not in {segment.style.color for segment in app.view.render_line(itself)}


@pytest.mark.parametrize(
    ("environ", "ground", "reverse"),
    [({"TERM": "linux"}, "color(4)", False), ({"NO_COLOR": "1"}, "default", True)],
    ids=["16", "none"],
)
async def test_with_few_colours_the_cursor_is_as_that_of_a_table(environ, ground, reverse):
    app = TreeApp(**environ)
    async with app.run_test(size=(80, 20)):
        app.view.show(ROWS)
        app.view.focus()
        styles = {segment.style for segment in app.view.render_line(1)}
        assert {style.bgcolor.name for style in styles if style.bgcolor} == {ground}
        assert {bool(style.reverse) for style in styles} == {reverse}
        assert reverse or not any(style.dim for style in styles)


async def test_right_opens_to_where_callers_part_and_left_closes():
    app = TreeApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.show(ROWS)
        app.view.focus()
        await pilot.press("c")
        assert "main" not in plain(app.view)
        await pilot.press("right")
        assert "loop" in plain(app.view)
        assert "wait" in plain(app.view)
        assert "schedule" not in plain(app.view)
        await pilot.press("end", "right")
        assert "idle" in plain(app.view)
        await pilot.press("left")
        assert "idle" not in plain(app.view)
        await pilot.press("home", "e")
        assert "schedule [k]" in plain(app.view)


async def test_new_samples_change_neither_cursor_nor_what_is_open():
    app = TreeApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.show(ROWS)
        app.view.focus()
        await pilot.press("home", "e", "down", "down", "down", "down")
        assert app.view.cursor is not None
        assert app.view.cursor.name == "wait"
        app.view.show(
            stack_rows(
                (3, b"new", 500, ["main", "burn"], None),
                (1, b"hot", 30, ["main", "loop", "wait"], ["schedule"]),
                (1, b"hot", 5, ["main", "loop", "work"], None),
            )
        )
        assert app.view.cursor is not None
        assert (app.view.cursor.name, app.view.cursor.pid) == ("wait", 1)
        assert "schedule" in plain(app.view)
        assert "burn" not in plain(app.view), "what the user has not opened stays closed"
        app.view.show(stack_rows((1, b"hot", 5, ["main"], None)))
        assert app.view.cursor.name == "main", "the nearest caller that is left"


async def test_enter_asks_for_the_process():
    app = TreeApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.show(ROWS)
        app.view.focus()
        await pilot.press("enter", "end", "enter")
        await pilot.pause()
        assert app.selected == [1, 2]


WORKERS = stack_rows(
    *((pid, b"php", 30 - pid, ["main", "loop", "work"], None) for pid in range(1, 21)),
    (7, b"php", 1, ["main", "loop", "wait"], ["schedule"]),
    (50, b"cron", 3, ["main", "tick"], None),
)


async def test_per_name_there_is_one_line_and_enter_asks_for_its_processes():
    app = TreeApp()
    async with app.run_test(size=(80, 30)) as pilot:
        app.view.show(WORKERS)
        assert plain(app.view).count("php (") == 20
        app.view.show(WORKERS, per_name=True)
        assert plain(app.view).count("php (") == 1
        assert "php (20 processes)" in plain(app.view)
        app.view.focus()
        await pilot.press("home", "enter", "right", "end", "enter")
        await pilot.pause()
        assert app.selected == [("comm", b"php"), 50]
        await pilot.press("home", "right", "right", "enter")
        await pilot.pause()
        assert app.view.cursor.function
        assert app.selected[2:] == [("comm", b"php")]


async def test_per_name_and_back_what_is_open_stays_so_and_the_cursor_on_what_it_was():
    app = TreeApp()
    async with app.run_test(size=(80, 40)) as pilot:
        app.view.show(WORKERS)
        app.view.focus()
        await pilot.press("c", "home", *["down"] * 6, "e", *["down"] * 3)
        assert (app.view.cursor.name, app.view.cursor.pid) == ("work", 7)
        single = plain(app.view)
        assert single.count("main") == 1
        app.view.show(WORKERS, per_name=True)
        assert (app.view.cursor.name, app.view.cursor.pids) == ("work", set(range(1, 21)))
        assert "schedule [k]" in plain(app.view)
        assert "tick" not in plain(app.view), "what was closed stays closed"
        app.view.show(WORKERS)
        assert (app.view.cursor.name, app.view.cursor.pid) == ("work", 7)
        assert plain(app.view) == single


async def test_from_a_name_the_cursor_goes_to_its_hottest_process_and_only_that_is_open():
    app = TreeApp()
    async with app.run_test(size=(80, 40)) as pilot:
        app.view.show(WORKERS, per_name=True)
        app.view.focus()
        await pilot.press("c", "right", "right", "right")
        assert app.view.cursor.name == "loop"
        app.view.show(WORKERS)
        assert (app.view.cursor.name, app.view.cursor.pid) == ("loop", 1)
        assert plain(app.view).count("loop") == 1


async def test_no_samples():
    app = TreeApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.show_snapshot(Snapshot(rows=stack_rows(), total=0, empty_text="nothing ran"))
        assert "nothing ran" in plain(app.view)
        app.view.focus()
        await pilot.press("right", "left", "down", "enter", "e", "c", "o")
        assert app.selected == []


async def test_the_cursor_is_never_under_the_header():
    app = TreeApp()
    async with app.run_test(size=(80, 10)) as pilot:
        app.view.show(stack_rows(*[(pid, b"p", 100 - pid, ["main"], None) for pid in range(60)]))
        app.view.focus()
        for key in ("end", "pageup", "pageup", "up", "up", "up", "pagedown", "home"):
            await pilot.press(key)
            await pilot.pause()
            assert app.view.cursor is not None
            assert app.view.cursor.name in plain(app.view), key


@pytest.mark.parametrize("size", [(40, 8), (80, 24), (240, 60), (10, 2)])
@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}, {"TERM": "linux"}], ids=["256", "none", "16"])
async def test_fits_any_size(size, environ):
    app = TreeApp(**environ)
    async with app.run_test(size=size) as pilot:
        app.view.show(profile())
        app.view.focus()
        await pilot.press("e")
        await pilot.pause()
        width = app.view.outer_size.width
        assert {app.view.render_line(y).cell_length for y in range(size[1])} == {width}
        assert "\x1b" not in plain(app.view)
