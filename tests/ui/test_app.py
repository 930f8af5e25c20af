"""The application driven by keys and the mouse, on Frames made by arithmetic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from ktop.ui.app import KtopApp
from ktop.ui.chart_area import ChartArea
from ktop.ui.filter_bar import FilterBar
from ktop.ui.footer import KeyLine
from ktop.ui.header import Header
from ktop.ui.heatmap import HeatmapView
from ktop.ui.help_screen import HelpScreen
from ktop.ui.line import Line
from ktop.ui.main_screen import MainScreen
from ktop.ui.pane_view import PaneView
from ktop.ui.process_screen import PaneSection, ProcessScreen
from ktop.ui.sort_picker import SortPicker
from ktop.ui.status_line import StatusLine
from ktop.ui.table import FrameTable
from ktop.ui.tabs import PaneTabs
from tests.ui.synthetic import HOSTILE, PANES, Synthetic

NAMES = [pane.name for pane in PANES]
XTERM = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


class Driven:
    """The application, its source and its pilot."""

    def __init__(self, app: KtopApp, source: Synthetic, pilot: Pilot[None]) -> None:
        self.app, self.source, self.pilot = app, source, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def tick(self, count: int = 1) -> None:
        self.source.tick(count)
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for a condition, for as long as the runner lets a test take."""
        for _ in range(1000):
            if holds():
                return
            await self.pilot.pause(0.01)
        raise AssertionError("it never came to be")

    @property
    def main(self) -> MainScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def view(self) -> PaneView:
        view = self.main.pane_view
        assert view is not None
        return view

    @property
    def table(self) -> FrameTable:
        return next(table for table in self.main.query(FrameTable) if table.parent is self.view)

    @property
    def text(self) -> str:
        """Everything on the screen, as text."""
        return self._text(self.app.screen)

    def keyboard_is_at(self, kind: type) -> bool:
        return isinstance(self.app.focused, kind)

    def shows(self, kind: type) -> bool:
        return isinstance(self.app.screen, kind)

    @property
    def screen(self) -> Any:
        return self.app.screen

    @property
    def main_text(self) -> str:
        return self._text(self.main)

    def _text(self, screen: Screen[Any]) -> str:
        width, _height = self.app.size
        lines = screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line)[:width] for line in lines)


@asynccontextmanager
async def running(  # noqa: PLR0913 - what a test may choose
    source: Synthetic | None = None,
    *,
    size: tuple[int, int] = (120, 40),
    ticks: int = 30,
    environ: dict[str, str] = XTERM,
    pane: str | None = None,
    pid: int | None = None,
) -> AsyncIterator[Driven]:
    source = source if source is not None else Synthetic()
    app = KtopApp(source, PANES, pane=pane, pid=pid, environ=environ)
    async with app.run_test(size=size) as pilot:
        driven = Driven(app, source, pilot)
        await driven.until(lambda: source.started and driven.main.pane_view is not None)
        await driven.tick(ticks)
        await driven.until(lambda: driven.main.has_class("-tiny") or "measured" in driven.main_text)
        yield driven


# -- opening -----------------------------------------------------------------


async def test_nothing_is_started_before_the_first_paint():
    source = Synthetic()
    painted: list[bool] = []
    app = KtopApp(source, PANES, environ=XTERM)
    start = source.start

    def started(publish):
        painted.append(
            "runqlat" in "".join(s.text for line in app.screen._compositor.render_strips() for s in line)
        )
        start(publish)

    source.start = started  # type: ignore[method-assign]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    assert painted == [True]


async def test_the_pane_asked_for_comes_first_and_alone():
    async with running(pane="cachestat") as k:
        assert k.view.pane.name == "cachestat"
        assert k.source.looked_at == ("cachestat",)
        assert len(k.main.query(PaneView)) == 1


async def test_an_unknown_pane_is_a_key_error():
    with pytest.raises(KeyError):
        KtopApp(Synthetic(), PANES, pane="nonsense")


async def test_the_header_tells_of_the_host():
    async with running() as k:
        for what in ("db-07.example", "6.18.0-amd64", "12d 04:00", "load", "pressure", "every 1 s"):
            assert what in k.text


async def test_a_recording_says_so():
    async with running(Synthetic(recorded=True)) as k:
        assert "recording" in k.text


# -- panes -------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, len(PANES) + 1))
async def test_every_pane_shows_by_its_digit(number):
    async with running() as k:
        await k.press(str(number))
        assert k.view.pane is PANES[number - 1]
        assert PANES[number - 1].question in k.text
        assert k.source.looked_at == (PANES[number - 1].name,)


async def test_tab_goes_round_both_ways():
    async with running() as k:
        await k.press("tab")
        assert k.view.pane is PANES[1]
        await k.press("shift+tab", "shift+tab")
        assert k.view.pane is PANES[-1]


async def test_a_click_on_a_tab_shows_its_pane():
    async with running() as k:
        tabs = k.main.query_one(PaneTabs)
        place = tabs.render().plain.index("cachestat") + 2
        await k.pilot.click(PaneTabs, offset=(place, 0))
        assert k.view.pane.name == "cachestat"


async def test_a_pane_out_of_sight_draws_nothing_and_is_up_to_date_when_it_returns():
    async with running() as k:
        hidden = k.view
        await k.press("2")
        drawn: list[int] = []
        hidden.draw = lambda: drawn.append(1)  # type: ignore[method-assign]
        await k.tick(5)
        assert not drawn
        del hidden.draw
        await k.press("1")
        assert k.table.row_count == len(k.main.history.latest("runqlat"))  # type: ignore[arg-type]


async def test_an_unavailable_pane_says_why_and_shows_no_zero():
    async with running(pane="llcstat") as k:
        assert "hardware performance counters" in k.text
        row = k.table.cursor_row()
        assert row is not None
        assert "–" in k.text
        assert "llcstat" in k.main.query_one(PaneTabs).render().plain
        assert 4 in k.main.query_one(PaneTabs)._dim


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("current", [0, 3, 6])
async def test_the_current_tab_is_in_sight_at_any_width(width, current):
    async with running(size=(width, 24)) as k:
        await k.press(str(current + 1))
        assert NAMES[current] in k.main.query_one(PaneTabs).render().plain[:width]


# -- time --------------------------------------------------------------------


async def test_pause_holds_the_view_and_collecting_goes_on():
    async with running() as k:
        before = k.table.cursor_row()
        await k.press("space")
        await k.tick(10)
        assert k.table.cursor_row() == pytest.approx(before) if before is None else True
        assert "-00:10 · paused" in k.text
        assert k.main.history.latest("runqlat").ts == k.app.bridge.now
        await k.press("space")
        assert "paused" not in k.text
        assert k.app.view.live


async def test_sorting_filtering_and_drilling_work_while_paused():
    async with running() as k:
        await k.press("space")
        await k.tick(3)
        await k.press("greater_than_sign")
        assert k.table.sort_column != "wait_us"
        await k.press("slash", *"nginx", "enter")
        assert k.table.row_count == 1
        await k.press("enter")
        assert isinstance(k.app.screen, ProcessScreen)


async def test_steps_back_and_forward_until_it_is_now_again():
    async with running() as k:
        newest = k.app.bridge.now
        await k.press("left_square_bracket")
        assert k.app.view.at == newest - 1
        await k.press("t", "left_curly_bracket")
        assert k.app.view.at == pytest.approx(max(newest - 62, k.main.history.span("runqlat")[0]))  # type: ignore[index]
        await k.press("right_square_bracket", "T")
        assert not k.app.view.live
        await k.press("right_curly_bracket")
        assert k.app.view.live


async def test_escape_returns_from_the_past_before_it_clears_the_filter():
    async with running() as k:
        await k.press("slash", *"nginx", "enter", "left_square_bracket", "escape")
        assert k.app.view.live
        assert k.app.view.filter
        await k.press("escape")
        assert not k.app.view.filter


# -- rows --------------------------------------------------------------------


async def test_the_filter_applies_to_all_panes_and_stays_in_sight():
    async with running() as k:
        await k.press("slash", *"comm:nginx", "enter")
        assert k.table.row_count == 1
        await k.press("3")
        assert k.table.row_count == 1
        assert "comm:nginx" in k.text
        assert "1 of" in k.text
        await k.press("f", "escape")
        assert k.table.row_count > 1
        assert not k.main.query_one(FilterBar).has_class("-shown")


async def test_a_filter_that_makes_no_sense_says_why_and_changes_nothing():
    async with running() as k:
        rows = k.table.row_count
        await k.press("slash", *"waits>")
        assert "missing" in k.text
        assert k.table.row_count == rows
        await k.press("9")
        assert "missing" not in k.text


async def test_a_term_for_another_pane_is_named():
    async with running() as k:
        await k.press("slash", *"disk:sda", "enter")
        assert "no column here for disk:sda" in k.text
        await k.press("2")
        assert "no column here" not in k.text


async def test_letters_typed_into_the_filter_do_nothing_else():
    async with running() as k:
        await k.press("slash", *"q1 Sx")
        assert k.main.query_one(Input).value == "q1 Sx"
        assert k.view.pane is PANES[0]


async def test_the_cursor_stays_on_its_process_when_the_order_changes():
    async with running() as k:
        await k.press("down", "down", "down")
        pid = k.view.pid
        await k.tick(7)
        await k.press("I")
        assert k.view.pid == pid


async def test_a_cursor_that_nobody_moved_is_never_out_of_sight():
    async with running(size=(80, 24), ticks=1) as k:
        for _ in range(30):
            await k.tick()
            assert k.table._in_sight()


async def test_follow_goes_to_the_same_process_in_every_pane():
    async with running() as k:
        await k.press("down", "down", "down", "F")
        pid = k.view.pid
        await k.press("2")
        assert k.view.pid == pid
        assert f"following {pid}" in k.text
        await k.press("F")
        assert k.app.view.follow is None


async def test_the_sort_picker_explains_and_sorts():
    async with running() as k:
        await k.press("S")
        assert isinstance(k.app.screen, SortPicker)
        assert "Times a thread waited for a CPU" in k.text
        await k.press("home", "enter")
        assert k.table.sort_column == "pid"
        await k.press("S", "escape")
        assert k.table.sort_column == "pid"


async def test_totals_per_process():
    async with running(pane="biotop") as k:
        assert "DISK" in k.text
        await k.press("p")
        await k.until(lambda: "DISK" not in k.text and k.table.row_count)
        assert "per process" in k.text
        await k.press("p")
        await k.until(lambda: "DISK" in k.text)


async def test_what_runs_on_demand_is_asked_for_and_given_up():
    async with running(pane="execsnoop") as k:
        await k.press("x", "x")
        assert k.source.demands == [("execsnoop", "failed", True), ("execsnoop", "failed", False)]


async def test_a_later_event_completes_an_earlier_one_and_the_newest_is_first():
    async with running(pane="execsnoop", ticks=3) as k:
        assert k.table.row_count == 6
        row = k.table.cursor_row()
        assert row is not None
        assert row["pid"] == 9005


async def test_the_histogram_is_that_of_the_row_under_the_cursor():
    async with running(pane="hardirqs") as k:
        first = k.text
        await k.press("down")
        name = k.table.cursor_row()["name"].decode()  # type: ignore[index]
        assert f"Time in the handler  {name}" in k.text
        assert k.text != first


async def test_the_chart_takes_the_keyboard_and_gives_it_back():
    async with running() as k:
        await k.press("c", "left", "up")
        assert k.keyboard_is_at(HeatmapView)
        await k.press("c")
        assert k.app.focused is k.table
        await k.press("c", "escape")
        assert k.app.focused is k.table


# -- the process -------------------------------------------------------------


async def test_enter_opens_the_process_and_escape_returns_to_the_same_row():
    async with running(Synthetic(recorded=True)) as k:
        await k.press("down", "down")
        pid = k.view.pid
        await k.press("enter")
        screen = k.app.screen
        assert isinstance(screen, ProcessScreen)
        assert screen.pid == pid
        assert k.source.looked_at == ("profile",)
        await k.until(lambda: "waits by length" in k.text)
        sections = [section.pane.name for section in screen.query(PaneSection)]
        assert sections == ["runqlat", "biotop", "cachestat", "llcstat", "execsnoop", "profile"]
        await k.press("escape")
        assert k.screen is k.main
        assert k.view.pid == pid
        assert k.source.looked_at == ("runqlat",)


async def test_the_process_screen_folds_the_whole_history():
    async with running(Synthetic(recorded=True), ticks=100) as k:
        frames = k.main.history.frames("runqlat")
        pid = k.view.pid
        total = sum(int(frame.rows["waits"][frame.rows["pid"] == pid].sum()) for frame in frames)
        assert len(frames) == 100
        known = k.main.history.process(PANES[0], pid)  # type: ignore[arg-type]
        assert int(known.total["waits"][0]) == total
        await k.press("enter")
        await k.until(lambda: f"waits {total / 1000:.0f}k" in k.text)


async def test_the_process_screen_names_what_a_process_started():
    # Tick 29 starts 9058 (by 9), and 9059 (by 9058).
    async with running(Synthetic(recorded=True), size=(200, 50)) as k:
        k.main.open_process(9058)
        await k.until(lambda: "/usr/bin/df -h" in k.text)
        lines = [line for line in k.text.split("\n") if "9058" in line and ":" in line]
        assert "df" in lines[0]
        assert "mail" in lines[1]


async def test_a_process_that_ended_keeps_its_screen():
    # No process has this PID here: the source is live, and /proc is asked.
    async with running() as k:
        k.main.open_process(2**22 + 5)
        await k.until(lambda: "ended" in k.text)
        assert isinstance(k.app.screen, ProcessScreen)


async def test_time_stops_on_the_process_screen_too():
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter", "space")
        await k.tick(4)
        assert "-00:04 · paused" in k.text
        await k.press("space", "escape")
        assert k.app.view.live


async def test_pid_filters_and_opens_its_process():
    async with running(Synthetic(recorded=True), pid=438) as k:
        screen = k.app.screen
        assert isinstance(screen, ProcessScreen)
        assert screen.pid == 438
        await k.press("escape")
        assert k.view.pid == 438
        assert k.table.row_count == 1
        assert "pid:438" in k.text


async def test_a_stack_leads_to_its_process():
    async with running(Synthetic(recorded=True), pane="profile") as k:
        await k.until(lambda: "postgres" in k.text)
        await k.press("enter")
        await k.until(lambda: isinstance(k.app.screen, ProcessScreen))


# -- help, commands, cost ----------------------------------------------------


async def test_help_has_every_key_and_every_column():
    async with running(size=(120, 200)) as k:
        await k.press("question_mark")
        assert k.shows(HelpScreen)
        await k.until(lambda: "WAITS" in k.text)
        for column in PANES[0].columns:
            if column.title and not column.hidden:
                assert column.help in k.text
        for binding in (
            *k.main._bindings.key_to_bindings.values(),
            *k.app._bindings.key_to_bindings.values(),
        ):
            for each in binding:
                if each.id and not each.id.startswith("pane.") and each.tooltip:
                    assert each.tooltip in k.text, each
        await k.press("escape")
        assert k.screen is k.main


async def test_every_binding_has_an_id_and_a_tooltip():
    async with running() as k:
        for node in (k.app, k.main, k.table, ProcessScreen(1, k.source, PANES, k.app.bridge, k.app.view)):
            own = {
                key for cls in type(node).__mro__ if cls.__module__.startswith("ktop") for key in _keys(cls)
            }
            for key, bindings in node._bindings.key_to_bindings.items():
                if key in own:
                    assert all(each.id and each.tooltip for each in bindings), (node, key)


def _keys(cls: type) -> set[str]:
    from textual.binding import BindingsMap

    return set(BindingsMap(cls.__dict__.get("BINDINGS", [])).key_to_bindings)


async def test_no_key_kills():
    async with running() as k:
        pid = k.view.pid
        await k.press("k")
        assert k.view.pid == pid
        assert k.screen is k.main


async def test_the_interval_goes_from_a_quarter_second_to_a_minute():
    async with running() as k:
        await k.press("minus", "minus", "minus", "minus")
        assert k.source.interval_s == 0.25
        assert "every 0.25 s" in k.text
        await k.press(*["plus"] * 12)
        assert k.source.interval_s == 60


async def test_the_cost_is_measured_on_demand():
    async with running() as k:
        await k.press("b")
        assert k.source.measured == [3.0]
        assert "ktop 0.60%" in k.main.query_one(StatusLine).render().plain


async def test_a_recording_measures_no_cost():
    async with running(Synthetic(recorded=True)) as k:
        await k.press("b")
        assert k.source.measured == []


async def test_the_palette_goes_to_a_pane():
    async with running() as k:
        await k.press("colon", *"hardirqs")
        await k.until(lambda: "Which interrupts" in k.text)
        await k.press("enter")
        await k.until(lambda: k.view.pane.name == "hardirqs")


async def test_a_click_on_the_key_line_does_what_the_key_does():
    async with running() as k:
        line = k.main.query_one(KeyLine)
        await k.pilot.click(KeyLine, offset=(line.render().plain.index("Space") + 2, 0))
        assert not k.app.view.live


@pytest.mark.parametrize(
    ("before", "key"),
    [(before, key) for before in ("", "enter", "slash") for key in ("ctrl+q", "ctrl+c")]
    + [("", "q"), ("enter", "q")],
)
async def test_quits_from_everywhere(before, key):
    async with running(Synthetic(recorded=True)) as k:
        await k.press(*filter(None, [before]))
        await k.pilot.press(key)
        assert k.app._exit


# -- sizes, terminals, hostile text ------------------------------------------


async def test_resizing_never_breaks_it():
    async with running(ticks=60) as k:
        sizes = ((80, 24), (200, 50), (40, 10), (20, 5), (1, 1), (500, 100), (80, 24))
        for pane, size in enumerate(sizes, start=1):
            await k.pilot.resize_terminal(*size)
            await k.tick()
            await k.press(str(pane))
        assert "runqlat" in k.text


async def test_too_small_says_so():
    async with running(size=(39, 9)) as k:
        assert "larger" in k.text


async def test_80x24_has_everything():
    async with running(size=(80, 24), ticks=60) as k:
        for what in ("db-07", "psi", "Who waits", "Run-queue latency", "cpu 0", "PID", "measured", "lost 0"):
            assert what in k.text
        for key in ("Enter process", "/ filter", "Space pause", "q quit", "? help"):
            assert key in k.text
        assert k.table.size.height >= 8


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


async def test_frames_from_a_thread_arrive():
    import threading

    async with running(ticks=1) as k:
        thread = threading.Thread(target=k.source.tick, args=(20,))
        thread.start()
        thread.join()
        await k.until(lambda: "14:13:40" in k.main.query_one(Header).render().plain)


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
