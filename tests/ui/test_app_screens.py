"""The screens over the panes: a process, help, commands."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace

import pytest
from textual.containers import VerticalScroll

from ktop.source import HOST
from ktop.tables.filter import parse
from ktop.ui import keys
from ktop.ui.app import COST_S
from ktop.ui.footer import KeyLine
from ktop.ui.help_screen import (
    COST_HELP,
    FILTER_HELP,
    HEADER_HELP,
    RECORDED_COST_HELP,
    STATUS_HELP,
    HelpScreen,
    losses_help,
)
from ktop.ui.keys import declared, idle
from ktop.ui.process_screen import PaneSection, ProcessScreen
from ktop.ui.status_line import StatusLine
from ktop.ui.table.trend import HELP as TREND_HELP
from ktop.ui.textual_fixes.modal import CommandOptions
from tests.ui.driven import NAMES, plain, running
from tests.ui.synthetic import PANES, Synthetic

# -- the process -------------------------------------------------------------


async def test_enter_opens_the_process_and_escape_returns_to_the_same_row():
    async with running(Synthetic(recorded=True)) as k:
        await k.press("down", "down")
        pid = k.pid
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
        assert k.pid == pid
        assert k.source.looked_at == ("runqlat",)


async def test_the_process_screen_folds_the_whole_history():
    async with running(Synthetic(recorded=True), ticks=100) as k:
        frames = k.main.history.frames("runqlat")
        pid = k.pid
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
        k.main.open_process(2**22 + 5, start_ns=1)
        await k.until(lambda: " ended " in k.text)
        assert isinstance(k.app.screen, ProcessScreen)


async def test_a_process_that_there_never_was_has_not_ended():
    async with running() as k:
        k.main.open_process(2**22 + 5)
        await k.until(lambda: "There is no process of this PID" in k.text)
        assert " ended " not in k.text
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
        assert k.pid == 438
        assert k.table.row_count == 1
        assert "pid:438" in k.text


async def test_a_stack_leads_to_its_process():
    async with running(Synthetic(recorded=True), pane="profile") as k:
        await k.until(lambda: "postgres" in k.text)
        await k.press("enter")
        await k.until(lambda: isinstance(k.app.screen, ProcessScreen))


# -- help, commands, cost ----------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_help_begins_with_the_keys(size):
    async with running(size=size) as k:
        await k.press("question_mark")
        await k.until(lambda: "Open the process of this row" in k.text)
        assert "Show only rows that match" in k.text
        assert PANES[0].columns[0].help not in k.text.partition("Show only rows that match")[0]


async def test_help_has_every_key_and_every_column():
    async with running(size=(94, 250)) as k:
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
                numbered = each.id and each.id.startswith("pane.")
                if each.id and not numbered and each.id not in idle(PANES[0]) and each.tooltip:
                    assert each.tooltip in k.text, each
        await k.press("escape")
        assert k.screen is k.main


async def test_the_help_scrolls_as_tables_do():
    async with running(size=(80, 24)) as k:
        await k.press("question_mark")
        await k.until(lambda: "All keys" in k.text)
        await k.press("j", "j")
        assert "All keys" not in k.text
        await k.press("k", "k")
        assert "All keys" in k.text
        await k.press("G")
        text = k.screen.query_one(VerticalScroll)
        assert text.scroll_y == text.max_scroll_y > 0
        await k.press("g")
        assert "All keys" in k.text
        assert k.shows(HelpScreen)


@pytest.mark.parametrize(("key", "pane"), [("3", "cachestat"), ("tab", "biotop"), ("shift+tab", "profile")])
async def test_from_a_process_to_another_pane(key, pane):
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter")
        await k.until(lambda: k.shows(ProcessScreen))
        await k.press("9")
        assert k.shows(ProcessScreen)
        await k.press(key)
        await k.until(lambda: k.screen is k.main and k.view.pane.name == pane)
        assert k.source.looked_at == (pane,)


async def test_nobody_is_followed_where_there_are_no_processes():
    async with running() as k:
        await k.press("F")
        assert f"following {k.pid}" in k.text
        await k.press("4")
        await k.until(lambda: k.view.pane.name == "hardirqs")
        assert "following" not in k.text


async def test_looking_back_in_a_small_terminal_drops_the_interval_first():
    async with running(Synthetic(recorded=True), size=(80, 24)) as k:
        assert "every 1 s" in k.text
        await k.press("left_square_bracket")
        assert "recording" in k.text
        assert "paused" in k.text
        assert "every" not in k.text.split("\n")[0]
        await k.press("plus")
        await k.until(lambda: "played 0.5×" in k.text)
        assert "paused" in k.text, "neither is known anyway"


@pytest.mark.parametrize("pane", [pane.name for pane in PANES])
async def test_a_small_terminal_names_the_way_to_the_other_panes_and_the_keys_of_this_one(pane):
    async with running(size=(80, 24), pane=pane) as k:
        _, _, tabs, *_, line = k.text.split("\n")
        assert all(f"{number}{name}" in tabs for number, name in enumerate(NAMES, 1))
        assert "/ filter" in line
        assert "Space pause" in line
        assert ("→ ← open" in line and "p names" in line) is (pane == "profile")


async def test_help_on_the_process_screen_has_its_keys_and_the_numbers_of_its_panes():
    async with running(Synthetic(recorded=True), size=(94, 400)) as k:
        await k.press("enter", "question_mark")
        assert k.shows(HelpScreen)
        await k.until(lambda: PANES[-1].question in k.text)
        number = keys.key("", "", "", "The pane of that number", "")
        for binding in keys.worded([*keys.PROCESS[:-9], number], recorded=True):
            assert binding.tooltip in k.text
        for pane in PANES:
            known = any(column.name == pane.process_key for column in pane.columns)
            assert (f"{pane.name}  {pane.question}" in k.text) is known
        for missing in ("Show only rows", "Filter", "Sort"):
            assert missing not in k.text


@pytest.mark.parametrize(
    ("pane", "there", "missing"),
    [
        ("runqlat", ("over the heatmap", "Follow the process", "Reverse the order"), ("only on demand",)),
        ("profile", ("Close the whole tree",), ("over the heatmap", "Reverse the order", "to sort by")),
        ("cachestat", ("Reverse the order",), ("over the heatmap",)),
        ("hardirqs", ("Reverse the order",), ("over the heatmap", "Follow the", "Open the process")),
        ("execsnoop", ("only on demand",), ("over the heatmap",)),
    ],
)
async def test_help_is_without_keys_that_do_nothing_in_the_pane(pane, there, missing):
    async with running(size=(94, 250), pane=pane) as k:
        await k.press("question_mark")
        keys_shown = k.text.partition("was not measured; it is")[0]
        for text in there:
            assert text in keys_shown
        for text in missing:
            assert text not in keys_shown


@pytest.mark.parametrize(
    ("pane", "has"), [("runqlat", True), ("hardirqs", True), ("execsnoop", False), ("profile", False)]
)
async def test_the_help_explains_what_stands_beside_the_rows(pane, has):
    async with running(size=(94, 250), pane=pane) as k:
        await k.press("question_mark")
        await k.until(lambda: f"{pane}  " in k.text)
        text = " ".join(k.text.replace("│", " ").split())
        assert (f"▁▃▅▇ Beside the rows, where there is room. {TREND_HELP}" in text) is has


@pytest.mark.parametrize("recorded", [False, True])
async def test_the_help_explains_every_word_of_the_lines_around_a_pane(recorded):
    async with running(Synthetic(recorded=recorded), size=(80, 24)) as k:
        lines = k.text.split("\n")
        words = {word for line in (lines[1], lines[-2].partition("hooks")[0]) for word in line.split()}
        cost = RECORDED_COST_HELP if recorded else COST_HELP
        named = " ".join(name for name, _meaning in (*HEADER_HELP, *STATUS_HELP, cost))
        known = {"load", "io", "s", "tp_btf", *named.replace(",", "").split()}
        assert {word for word in words if word.isalpha()} <= known
        await k.press("question_mark", "end")
        await k.until(lambda: "Why events are lost" in k.text)
        assert all(f"{name} " in k.text for name, _meaning in (*losses_help(recorded=recorded), cost))
        await k.press("escape", "enter", "question_mark", "end")
        await k.until(lambda: "First lines" in k.text)
        assert "Why events are lost" not in k.text


async def test_on_the_process_screen_there_are_no_rows_to_stand_beside():
    async with running(Synthetic(recorded=True), size=(94, 400)) as k:
        await k.press("enter", "question_mark")
        await k.until(lambda: PANES[0].question in k.text)
        assert "Beside the rows" not in k.text


def test_the_filters_of_the_help_are_filters():
    names = [name for name, _meaning in FILTER_HELP]
    assert all(parse(name, PANES) for name in names)
    text = " ".join(word for entry in FILTER_HELP for word in entry)
    for sign in ("!", '"', "*", "?", ":", ",", "<", "<=", ">", ">=", "=", "ms", "%"):
        assert sign in text


async def test_every_binding_has_an_id_and_a_tooltip():
    async with running() as k:
        for node in (k.app, k.main, k.table, ProcessScreen(1, k.main)):
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
        pid = k.pid
        await k.press("k")
        assert k.pid == pid
        assert k.screen is k.main


async def test_the_interval_goes_from_a_quarter_second_to_a_minute():
    async with running() as k:
        await k.press("minus", "minus", "minus", "minus")
        assert k.source.interval_s == 0.25
        assert "every 0.25 s" in k.text
        await k.press(*["plus"] * 12)
        assert k.source.interval_s == 60


async def test_another_interval_is_said_at_once_on_the_process_screen_too():
    async with running() as k:
        await k.press("enter")
        await k.until(lambda: k.shows(ProcessScreen) and "every 1 s" in k.text)
        await k.press("minus")
        await k.until(lambda: "every 0.5 s" in k.text)


async def test_a_recording_stays_of_its_interval_however_fast_it_is_played():
    async with running(Synthetic(recorded=True)) as k:
        assert "played" not in k.text
        await k.press("minus")
        await k.until(lambda: "played 2×  every 1 s" in k.text)
        await k.press("plus", "plus")
        await k.until(lambda: "played 0.5×  every 1 s" in k.text)


async def test_of_a_recording_the_keys_are_said_to_change_the_speed():
    async with running(Synthetic(recorded=True), size=(94, 250)) as k:
        await k.press("question_mark")
        await k.until(lambda: "Play the recording faster" in k.text and "Play the recording slower" in k.text)
        for live in ("Sample more often", "Sample less often", "collecting goes on"):
            assert live not in k.text
        commands = {each.title: each.help for each in k.app.get_system_commands(k.screen)}
        assert commands["Faster"] == "Play the recording faster"


@pytest.mark.parametrize("recorded", [False, True])
async def test_what_does_nothing_to_a_recording_is_not_offered_there(recorded):
    async with running(Synthetic(recorded=recorded), size=(94, 400), pane="execsnoop") as k:
        assert ("x failed" in k.text.split("\n")[-1]) is not recorded
        offered = {each.title for each in k.app.get_system_commands(k.screen)}
        assert offered.isdisjoint({"BPF cost", "Failed"}) is recorded
        await k.press("question_mark")
        await k.until(lambda: "Why events are lost" in k.text)
        for live in (
            "collected only on demand (failed execs)",
            "what the BPF programs cost",
            "stays in the kernel",
            "after b",
            "a shorter interval helps",
        ):
            assert (live in " ".join(k.text.split())) is not recorded, live
        for told in ("recorder  ", "a recording of an earlier version"):
            assert (told in k.text) is recorded, told


async def test_the_cost_in_a_recording_is_the_recorders():
    async with running(Synthetic(recorded=True)) as k:
        assert "recorder 0.60%" in plain(k.main.query_one(StatusLine))


async def test_the_cost_is_measured_on_demand():
    async with running() as k:
        await k.press("b")
        assert k.source.measured == [COST_S]
        assert any(f"for {COST_S:g} seconds" in each.tooltip for each in declared(keys.APP))
        assert "ktop 0.60%" in plain(k.main.query_one(StatusLine))


async def test_what_the_programs_took_is_said_at_the_end(monkeypatch):
    monkeypatch.setattr("ktop.ui.app.COST_S", 0.01)
    source = Synthetic()
    frames = source.frames
    monkeypatch.setattr(
        source,
        "frames",
        lambda tick: [
            replace(frame, host={**frame.host, "bpf_ratio": 0.0032}) if frame.pane == HOST else frame
            for frame in frames(tick)
        ],
    )
    async with running(source) as k:
        said: list[str] = []
        k.app.notify = lambda text, **_: said.append(text)  # type: ignore[method-assign]
        k.app.view.interval_s = 0.01
        await k.press("b")
        await k.until(lambda: len(said) > 1)
        assert said[1] == "The BPF programs took 0.32% of one CPU."


async def test_where_no_shell_waits_nothing_is_suspended(monkeypatch):
    async with running() as k:
        said: list[str] = []
        sent: list[int] = []
        k.app.notify = lambda text, **_: said.append(text)  # type: ignore[method-assign]
        monkeypatch.setattr("textual.app.os.kill", lambda _pid, number: sent.append(number))
        monkeypatch.setattr(type(k.app._driver), "can_suspend", True)
        monkeypatch.setattr("os.getsid", lambda _pid: os.getpgrp())
        await k.press("ctrl+z")
        assert (said, sent) == (["There is no shell to go back to."], [])
        monkeypatch.setattr("os.getsid", lambda _pid: os.getpgrp() + 1)
        await k.press("ctrl+z")
        assert sent == [signal.SIGTSTP]


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_what_is_said_for_a_moment_stands_over_the_line_of_keys_alone(size):
    async with running(size=size, notifications=True) as k:
        await k.press("b")
        await k.until(lambda: "see the end of the status line." in k.text.split("\n")[-1])
        assert "BPF programs" not in "".join(k.text.split("\n")[:-1])
        assert plain(k.main.query_one(StatusLine)) == k.text.split("\n")[-2]
        assert k.text.endswith("see the end of the status line. "), "nothing of that one is left beside it"


async def test_the_newest_message_takes_the_place_of_the_one_before():
    async with running(pane="execsnoop", notifications=True) as k:
        await k.press("x")
        await k.until(lambda: "failed: collected" in k.text.split("\n")[-1])
        await k.press("b")
        await k.until(lambda: "see the end of the status line." in k.text.split("\n")[-1])
        assert "failed: collected" not in k.text
        assert plain(k.main.query_one(StatusLine)) == k.text.split("\n")[-2]


async def test_a_recording_measures_no_cost():
    async with running(Synthetic(recorded=True)) as k:
        said: list[str] = []
        k.app.notify = lambda text, **_: said.append(text)  # type: ignore[method-assign]
        await k.press("b")
        assert said == ["There is nothing to measure."]


async def test_the_palette_goes_to_a_pane():
    async with running() as k:
        await k.press("colon", *"hardirqs")
        await k.until(lambda: "Which interrupts" in k.text)
        await k.press("enter")
        await k.until(lambda: k.view.pane.name == "hardirqs")


async def test_the_palette_begins_with_the_panes_and_has_each_command_once():
    async with running(size=(120, 60)) as k:
        await k.press("colon")
        await k.until(lambda: k.screen.query_one(CommandOptions).option_count)
        titles = [option.hit.text for option in k.screen.query_one(CommandOptions).options]
        assert titles[: len(PANES)] == [f"Pane: {pane.name}" for pane in PANES]
        assert "BPF cost" in titles
        # As the filter's line has its key; Textual's magnifying glass is no glyph of most fonts.
        assert re.search(r": +Search for commands", k.text)
        assert "Commands" not in titles
        assert len(set(titles)) == len(titles)


async def test_over_a_process_the_palette_goes_to_the_pane_and_leaves_the_process():
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter", "colon", *"hardirqs")
        await k.until(lambda: "Which interrupts" in k.text)
        await k.press("enter")
        await k.until(lambda: k.screen is k.main and k.view.pane.name == "hardirqs")
        assert k.source.looked_at == ("hardirqs",)
        assert k.app.focused is k.table


async def test_over_a_process_the_palette_offers_what_works_there():
    async with running(Synthetic(recorded=True)) as k:
        below = {command.title for command in k.app.get_system_commands(k.screen)}
        assert {"Filter", "Sort", "Pause"} <= below
        assert not {"Failed", "Totals"} & below  # of other panes
        await k.press("enter")
        over = {command.title for command in k.app.get_system_commands(k.screen)}
        assert "Pause" in over
        assert not {"Filter", "Sort", "Follow"} & over
        await k.press("colon", *"Pause")
        await k.until(lambda: "Hold the picture" in k.text)
        await k.press("enter")
        await k.until(lambda: "paused" in k.text)
        assert k.shows(ProcessScreen)


async def test_a_click_on_the_key_line_does_what_the_key_does():
    async with running() as k:
        line = k.main.query_one(KeyLine)
        await k.pilot.click(KeyLine, offset=(plain(line).index("Space"), 0))
        assert not k.app.view.live


@pytest.mark.parametrize(
    ("before", "key"),
    [(before, key) for before in ("", "enter", "slash", "colon", "S") for key in ("ctrl+q", "ctrl+c")]
    + [("", "q"), ("enter", "q")],
)
async def test_quits_from_everywhere(before, key):
    async with running(Synthetic(recorded=True)) as k:
        await k.press(*filter(None, [before]))
        await k.pilot.press(key)
        assert k.app._exit
