"""Every pane that is shipped, on the screen with figures: table, chart and sort picker are as declared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import OptionList

from ktop import registry
from ktop.format import cell, header
from ktop.frame import Frame, Rows, length
from ktop.pane import Lines, Pane, RowHistogram, Shape, fold
from ktop.tables.order import is_sortable
from ktop.ui.table.sort_picker import SortPicker
from tests.rows import frame_of
from tests.ui.driven import plain, running
from tests.ui.synthetic import START, Synthetic, _host

PANES = registry.panes()
TABLES = [pane for pane in PANES if pane.shape is not Shape.STACKS]
ROWS = 20

every_size = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


class Declared(Synthetic):
    """Has rows of one pane that are made from its declaration, and the host's figures that it draws."""

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane
        self.rows: Rows = {}

    def frames(self, tick: int) -> list[Frame]:
        groups = self.pane.chart.groups if isinstance(self.pane.chart, Lines) else ()
        figures = {name: 0.25 * (1 + tick) for group in groups for name in group}
        frame = frame_of(self.pane, ROWS, START + tick)
        # A key is of one row only: the cursor goes by it.
        self.rows = fold(self.pane, frame.rows, self.pane.key)
        return [_host(frame.ts, tick), replace(frame, rows=self.rows, host=figures)]


@every_size
@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.name)
async def test_chart_and_question_are_on_the_screen(pane: Pane, size: tuple[int, int]) -> None:
    async with running(Declared(pane), panes=(pane,), pane=pane.name, size=size, ticks=3) as k:
        assert k.app.failure is None
        assert pane.question in k.text
        chart = pane.chart
        if chart is None:
            return
        (title,) = (line for line in k.text.splitlines() if line.strip().startswith(chart.title))
        if isinstance(chart, Lines):
            assert "–" not in k.text.partition(title)[2].splitlines()[1], "each figure is measured"
        if isinstance(chart, RowHistogram):
            label = pane.column(chart.label or pane.key[0])
            for _ in range(2):
                await k.press("down")
                name = cell(label, k.table.cursor_row()[label.name])  # type: ignore[index]
                assert f"{chart.title}  {name.strip()} " in k.text


@every_size
@pytest.mark.parametrize("pane", TABLES, ids=lambda pane: pane.name)
async def test_the_columns_of_its_table_have_their_titles(pane: Pane, size: tuple[int, int]) -> None:
    source = Declared(pane)
    async with running(source, panes=(pane,), pane=pane.name, size=size, ticks=3) as k:
        shown = k.table.columns
        titles, *rows = plain(k.table).splitlines()
        place = 0
        for column in shown:
            place = titles.index(header(column).strip(), place) + len(header(column).strip())
        drawn = {column.name for column in shown}
        assert {pane.sort, *(name for name in pane.key if pane.column(name).in_table)} <= drawn
        assert drawn <= {column.name for column in pane.columns if column.in_table}
        if size[0] >= 120:
            assert drawn >= {c.name for c in pane.columns if c.in_table and not c.from_width}
        assert k.table.row_count == length(source.rows) > 1
        assert all(row.strip() for row in rows[: k.table.row_count])


@every_size
@pytest.mark.parametrize("pane", TABLES, ids=lambda pane: pane.name)
async def test_its_columns_can_be_sorted_by(pane: Pane, size: tuple[int, int]) -> None:
    async with running(Declared(pane), panes=(pane,), pane=pane.name, size=size, ticks=3) as k:
        await k.press("S")
        assert k.shows(SortPicker)
        await k.until(lambda: "Sort by" in k.text)
        wanted = [column for column in pane.columns if column.in_table and is_sortable(column)]
        offered = k.screen.query_one(OptionList).options
        assert [option.id for option in offered] == [column.name for column in wanted]
        for option, column in zip(offered, wanted, strict=True):
            assert option.prompt.plain.startswith(f"{column.title} ")
        assert pane.column(pane.sort).title in k.text
        await k.press("end", "enter")
        assert k.table.sort_column == wanted[-1].name


async def test_stacks_are_a_tree_with_their_samples() -> None:
    (pane,) = (pane for pane in PANES if pane.shape is Shape.STACKS)
    async with running(Declared(pane), panes=(pane,), pane=pane.name, ticks=3) as k:
        assert pane.column(pane.sort).title in k.text
        assert "main" in k.text
