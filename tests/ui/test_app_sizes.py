"""The application at all sizes, in all colours, with hostile text and too much of everything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual import events
from textual.widgets import Input

from ktop.frame import Status
from ktop.ui.charts.chart_area import ChartArea
from ktop.ui.charts.heatmap import HeatmapView
from ktop.ui.header import Header
from ktop.ui.help_screen import pane_help
from ktop.ui.line import Line
from ktop.ui.process_screen import ProcessScreen
from tests.ui.driven import plain, running
from tests.ui.synthetic import HOSTILE, PANES, Synthetic


async def test_resizing_never_breaks_it():
    async with running(ticks=60) as k:
        sizes = ((80, 24), (200, 50), (40, 10), (20, 5), (1, 1), (500, 100), (80, 24))
        for pane, size in enumerate(sizes, start=1):
            await k.pilot.resize_terminal(*size)
            await k.tick()
            await k.press(str(pane))
        assert "runqlat" in k.text


async def test_the_mouse_outside_of_a_chart_that_became_smaller_reads_nothing():
    async with running(size=(200, 50), ticks=200) as k:
        heatmap = k.main.query(HeatmapView).first()
        assert await k.pilot.hover(HeatmapView, offset=(heatmap.size.width - 4, heatmap.size.height - 4))
        await k.pilot.resize_terminal(80, 24)
        await k.tick(2)
        assert "runqlat" in k.text
        assert k.app.failure is None


@pytest.mark.parametrize("width", [27, 39])
async def test_too_small_says_so(width):
    async with running(size=(width, 9)) as k:
        assert "ktop needs 40x10 or larger" in k.text


async def test_80x24_has_everything():
    async with running(size=(80, 24), ticks=60) as k:
        for what in ("db-07", "psi", "Who waits", "Run-queue latency", "cpu 0", "PID", "measured", "lost 0"):
            assert what in k.text
        for key in ("Enter process", "/ filter", "Space pause", "q quit", "? help"):
            assert key in k.text
        assert k.table.size.height >= 8


@pytest.mark.parametrize(("width", "said"), [(80, "own PIDs"), (200, "own PID namespace")])
async def test_a_part_of_the_processes_is_told_for_good(width, said):
    source = Synthetic()
    source.identity = replace(source.identity, all_processes=False)
    async with running(source, size=(width, 24), ticks=5) as k:
        assert said in k.text
        await k.press("2")
        assert said in k.text


async def test_the_chart_gives_way_to_the_table():
    async with running(size=(80, 16)) as k:
        assert not k.view.query_one(ChartArea).display
        assert k.table.size.height >= 6


@pytest.mark.parametrize(
    "environ",
    [
        {"TERM": "linux"},
        {"TERM": "screen-256color"},
        {"TERM": "tmux-256color", "TMUX": "/tmp/tmux"},
        {"TERM": "xterm", "NO_COLOR": "1"},
        {"TERM": "dumb"},
    ],
    ids=lambda environ: " ".join(environ.values()),
)
async def test_runs_with_the_colours_there_are(environ):
    async with running(environ=environ) as k:
        for pane in range(len(PANES)):
            await k.press(str(pane + 1))
        await k.press("question_mark", "escape", "enter", "escape")
        assert "db-07.example" in k.text


async def test_hostile_names_change_nothing_but_their_own_cell():
    async with running(Synthetic(hostile=True), size=(120, 40)) as k:
        _width, height = k.app.size
        lines = k.text.split("\n")
        assert len(lines) == height
        assert "[bold]brackets" in k.text
        assert r"two\nlines\ttab" in k.text
        for character in ("\x1b", "\u202e", "\u200d"):
            assert character not in k.text
        for place in range(len(HOSTILE)):
            del place
            await k.press("enter")
            await k.until(lambda: "waits by length" in k.text)
            assert "\x1b" not in k.text
            await k.press("escape", "down")
        await k.press("slash", *"[bold]", "enter")
        assert k.table.row_count >= 1


def test_a_strangers_recording_says_nothing_to_the_terminal_through_the_help():
    hostile = "\x1b]0;pwned\x07\n[bold]\u202e"
    status = Status(hooks={hostile: hostile, "switch": "tp_btf/switch"}, refused={hostile: hostile})
    lines = pane_help(PANES[0], status, 100, beside_rows=True)
    assert any("pwned" in line.plain for line in lines)
    assert all(line.plain.isprintable() for line in lines)


async def test_frames_from_a_thread_arrive():
    import threading

    async with running(ticks=1) as k:
        thread = threading.Thread(target=k.source.tick, args=(20,))
        thread.start()
        thread.join()
        await k.until(lambda: "14:13:40" in plain(k.main.query_one(Header)))


async def test_ten_thousand_rows():
    async with running(Synthetic(rows=10_000), ticks=2) as k:
        assert k.table.row_count > 9_000
        await k.press("G", "enter")
        assert isinstance(k.app.screen, ProcessScreen)


async def test_lines_are_never_markup():
    async with running(Synthetic(hostile=True, recorded=True)) as k:
        await k.press("down", "enter")
        await k.until(lambda: "[bold]" in k.text)
        assert k.app.screen.query_one("#title", Line).size.height == 1


async def test_what_is_typed_in_one_piece_with_the_slash_goes_into_the_filter():
    """Over a slow line: the q must not quit."""
    async with running() as it:
        for character in "/qq/f":
            it.app.post_message(events.Key("slash" if character == "/" else character, character))
        await it.until(lambda: it.main.query(Input) and it.main.query_one(Input).value == "qq/f")


async def test_a_defect_ends_it_without_a_traceback(capfd):
    """Textual's shows all local variables, with names that others chose."""

    async def fail() -> None:
        async with running() as it:
            it.app.call_later(lambda: 1 / 0)
            await it.until(lambda: it.app.failure is not None)

    with pytest.raises(ZeroDivisionError):
        await fail()
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err


async def test_a_chart_that_missed_how_much_room_there_is_comes_into_sight():
    async with running(ticks=5) as k:
        chart = k.view.query_one(ChartArea)
        chart._cpus = 0
        chart.fit(0, 0)  # as on a host that starves, where Frames come before the first size
        await k.tick(2)
        assert chart.display
        assert "cpu 0" in k.text


async def test_a_chart_is_there_as_soon_as_its_pane_is_again():
    async with running(ticks=5) as k:
        chart = k.view.query_one(ChartArea)
        await k.press("2")
        k.main.action_pane(1)
        assert chart.display, "else the table has its lines, for one picture"
