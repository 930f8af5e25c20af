"""The cursor of the live table: on its row, whatever happens to the order, the rows and the size."""

from __future__ import annotations

import numpy as np
from textual.binding import Binding
from textual.events import Click

from ktop.pane import Pane
from ktop.text import cells
from ktop.ui.table.table import FrameTable
from tests.ui.table_driven import PANE, compute, drive, make


async def test_the_cursor_stays_on_its_row_when_the_order_changes():
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


async def test_a_row_that_vanished_leaves_the_cursor_where_it_was():
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


async def test_rows_that_are_all_gone_for_a_moment_give_the_cursor_back():
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


async def test_who_is_followed_is_kept_in_sight_and_waited_for():
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


async def test_the_top_stays_in_view_unless_one_has_scrolled():
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


async def test_a_cursor_that_nobody_moved_stays_in_sight():
    async with drive(size=(80, 11)) as it:
        values = np.arange(200, 0, -1.0)
        await it.show(make(values))
        values[0] = 0
        await it.show(make(values))
        assert it.cursor_line() == 1
        assert it.cursor() == 2


async def test_a_scrolled_row_stays_on_its_line():
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


async def test_a_cursor_out_of_sight_comes_back_at_the_edge():
    async with drive(size=(80, 11)) as it:
        values = np.arange(200, 0, -1.0)
        await it.show(make(values))
        await it.press("down", "up")
        values[0] = 0
        await it.show(make(values))
        await it.press("j")
        assert it.cursor() == 2
        assert it.cursor_line() == 1


async def test_keys_move_the_cursor():
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


async def test_the_mouse_chooses_opens_and_sorts():
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


async def test_a_double_click_opens_the_row_first_clicked():
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        await it.pilot.click(FrameTable, offset=(5, 3))
        # Between the clicks the rows change places.
        await it.show(make([30, 20, 25]))
        it.table.on_click(Click(it.table, 5, 3, 0, 0, 1, False, False, False, chain=2))
        await it.pilot.pause()
        assert it.app.selected == [3]


async def test_resizing_keeps_the_cursor():
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


async def test_go_to_a_process():
    async with drive() as it:
        await it.show(make([30, 20, 10]))
        assert it.table.go_to(pid=3)
        assert it.cursor() == 3
        assert not it.table.go_to(pid=99)
        assert not it.table.go_to(nothing=1)
        assert it.cursor() == 3


async def test_rows_of_totals_lack_columns_and_keep_the_cursor():
    keyed = Pane("net", "?", "family", PANE.columns, ("pid", "waits"), "p99_us", compute)
    async with drive(pane=keyed) as it:
        await it.show(make([30, 20, 10]))
        await it.press("down")
        totals = {name: values for name, values in make([1, 2, 3]).items() if name not in {"waits", "cpus"}}
        await it.show(totals)
        assert it.cursor() == 2
        assert "WAITS" not in it.lines()[0]
