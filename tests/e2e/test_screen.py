"""The application in a real terminal: what one sees, and what the keys do."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ktop import registry
from ktop.cli.application import NICE
from ktop.recording.file import Writer, blocks, describe
from ktop.source import HOST
from tests.e2e.terminal import KTOP, PROMPT, Terminal
from tests.e2e.workloads import SLEEPER, SPINNER, running, unique
from tests.written import Written

pytestmark = pytest.mark.kernel

SPINNER_NAME, DRILLED, KEPT, HIDDEN, LATER = map(
    unique, ("e2e-spin", "e2e-dril", "e2e-kept", "e2e-hide", "e2e-late")
)

Open = Callable[..., Terminal]


def row_of(lines: list[str], name: str) -> str:
    """Return the line of the table whose process is called ``name``; empty when there is none."""
    return next((line for line in lines if re.match(rf"\s*\d+\s+{re.escape(name)}\s", line)), "")


def name_under(lines: list[str]) -> str:
    """Return the process's name on the first line of the table; empty before there is one."""
    found = re.search(r"^\s*PID\s+COMMAND.*\n\s*\d+\s+(\S+)", "\n".join(lines), re.MULTILINE)
    return found.group(1) if found else ""


def has_figures(pane: str, lines: list[str]) -> bool:
    """Return whether an interval was measured, or it is said why not."""
    return any(re.search(r"measured \d", line) or f"{pane} has no figures" in line for line in lines)


def fits(width: int, height: int, lines: list[str]) -> bool:
    """Return whether ``lines`` are no more than such a screen has."""
    return len(lines) <= height and max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("width", "height", "term"), [(80, 24, "screen-256color"), (200, 50, "tmux-256color")]
)
def test_opens_with_live_figures(open_terminal: Open, width: int, height: int, term: str) -> None:
    """A process that hogs a CPU beside others is in the table, with its waits."""
    terminal = open_terminal(width, height, term=term)
    with running(SPINNER, [SPINNER_NAME.encode()] * 3):
        terminal.start()
        # Three on one CPU: each waits some hundred milliseconds a second.
        row = terminal.wait(lambda lines: row_of(lines, SPINNER_NAME), "the spinner's row")
        assert re.search(r"\d ?(ms|s)\b", row)
        assert "tp_btf" in terminal.wait_for("measured ") or width < 100
        assert not any(len(line) > width for line in terminal.screen())


def test_all_its_threads_go_first(terminal: Terminal) -> None:
    """On a host whose CPUs are all taken, keys are answered all the same."""
    pid = terminal.start()
    terminal.wait(partial(has_figures, "runqlat"), "the first figures")
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            found.append(os.getpriority(os.PRIO_PROCESS, int(thread.name)))
    assert len(found) > 2
    assert set(found) == {NICE}


def test_every_pane_opens(terminal: Terminal) -> None:
    """Tab goes through all panes: each shows its question, and figures or why there are none."""
    terminal.start()
    panes = registry.panes()
    for pane in panes:
        terminal.wait_for(pane.question)
        terminal.wait(partial(has_figures, pane.name), f"{pane.name}'s first figures")
        terminal.keys("Tab")
    terminal.wait_for(panes[0].question)
    # A whole turn in one go: the pane it ends on has the keyboard.
    terminal.keys("2")
    terminal.wait_for(panes[1].question)
    terminal.keys(*["Tab"] * (len(panes) - 1))
    terminal.wait_for(panes[0].question)
    terminal.wait(name_under, "a row")
    terminal.keys("g", "Enter")
    terminal.wait_for("Esc back")
    terminal.keys("Escape")
    terminal.wait_for("q quit")
    terminal.keys("BTab")
    terminal.wait_for(panes[-1].question)


def test_enter_opens_the_process_and_escape_returns(terminal: Terminal) -> None:
    with running(SLEEPER, [DRILLED.encode()]) as (pid,):
        terminal.start("--pane", "runqlat")
        terminal.filter(f"comm:{DRILLED}")
        terminal.wait(lambda lines: row_of(lines, DRILLED), "the row")
        terminal.wait(lambda lines: name_under(lines) == DRILLED)
        terminal.keys("Enter")
        terminal.wait(lambda lines: any(f"{DRILLED}  process {pid}" in line for line in lines), "who it is")
        terminal.wait_for("waits by length")
        terminal.keys("Escape")
        terminal.wait_gone(f"process {pid}")
        # Back where one was: the same pane, the same filter.
        terminal.wait(lambda lines: name_under(lines) == DRILLED)
        terminal.wait_for(f"comm:{DRILLED}")


def test_the_filter_stays_until_it_is_cleared(terminal: Terminal) -> None:
    """It applies to all panes, says how many rows are left, and goes with Escape."""
    with running(SLEEPER, [KEPT.encode(), HIDDEN.encode()]):
        terminal.start("--pane", "runqlat")
        terminal.wait(lambda lines: row_of(lines, HIDDEN), "all rows")
        terminal.keys("/")
        terminal.wait_for("text, pid:123")
        terminal.text(f"comm:{KEPT[:-2]}*")
        terminal.wait(lambda lines: row_of(lines, KEPT) and not row_of(lines, HIDDEN))
        terminal.wait_for("1 of ")
        terminal.keys("Enter", "Tab")
        terminal.wait_for(f"comm:{KEPT[:-2]}*")
        terminal.keys("BTab", "Escape")
        terminal.wait(lambda lines: row_of(lines, KEPT) and row_of(lines, HIDDEN))
        terminal.wait_gone(f"comm:{KEPT[:-2]}*")


def age(lines: list[str]) -> int | None:
    """Return how many seconds ago it was what is on the screen; None when it is live."""
    found = re.search(r"-(\d\d):(\d\d)\b", "\n".join(lines))
    return 60 * int(found[1]) + int(found[2]) if found else None


def is_another(seen: set[int | None], lines: list[str]) -> bool:
    return age(lines) not in seen


def test_pause_holds_the_picture_and_not_the_collection(terminal: Terminal) -> None:
    """A process that comes while paused is not on the screen, and is there when one goes on."""
    terminal.start("--pane", "runqlat")
    terminal.wait_for_figures()
    terminal.keys("Space")
    terminal.wait_for("paused")
    with running(SLEEPER, [LATER.encode()]):
        terminal.wait(lambda lines: (age(lines) or 0) >= 2, "two seconds later")
        assert not row_of(terminal.screen(), LATER)
        terminal.keys("Space")
        terminal.wait_gone("paused")
        terminal.wait(lambda lines: row_of(lines, LATER), "the newcomer")
    # What it did is still there after its end, by going back.
    terminal.wait(lambda lines: not row_of(lines, LATER))
    for _ in range(10):
        seen = {None, age(terminal.screen())}
        terminal.keys("[")
        terminal.wait(partial(is_another, seen), "an older moment")
        if row_of(terminal.screen(), LATER):
            break
    terminal.wait(lambda lines: row_of(lines, LATER), "the moment before its end")


def test_resizing_breaks_nothing(open_terminal: Open) -> None:
    """Through all sizes, too small ones included, and live again at the end."""
    terminal = open_terminal(200, 50)
    terminal.start()
    terminal.wait_for_figures()
    for width, height in [(80, 24), (40, 10), (10, 3), (1, 1), (200, 5), (120, 40)]:
        terminal.resize(width, height)
        terminal.wait(partial(fits, width, height), f"a screen of {width}x{height}")
        if width >= 40 and height >= 10:
            terminal.wait_for(" load ")
        terminal.keys("Tab")
    terminal.wait_for("q quit")
    terminal.wait_for_figures()
    terminal.keys("?")
    terminal.wait_for("back")
    terminal.resize(80, 24)
    terminal.keys("Escape")
    terminal.wait_for("q quit")


COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def colours(line: str) -> set[str]:
    """Return the parameters in ``line`` that choose a colour."""
    found = set()
    for sequence in COLOUR.findall(line):
        for word in re.split("[;:]", sequence[2:-1]):
            if word and (30 <= int(word) <= 38 or 40 <= int(word) <= 48 or 90 <= int(word) <= 107):
                found.add(word)
    return found


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color_means_none(open_terminal: Open, no_color: bool) -> None:
    """With NO_COLOR no cell has a colour; without it some have (so that this can fail)."""
    terminal = open_terminal(environment={"NO_COLOR": "1"} if no_color else {"COLORTERM": "truecolor"})
    with running(SPINNER, [SPINNER_NAME.encode()] * 3):
        terminal.start()
        terminal.wait(lambda lines: row_of(lines, SPINNER_NAME))
        for key in ("Tab", "Tab", "Tab", "?", "Escape", "1", "Enter"):
            terminal.keys(key)
            terminal.wait_for("quit") if key != "?" else terminal.wait_for("back")
            found = {colour for line in terminal.screen("-e") for colour in colours(line)}
            assert bool(found) is not no_color, f"after {key}: {found}"


def picture(terminal: Terminal) -> dict[tuple[int, int], object]:
    """Return what stands where, and how it looks."""
    lines = (f"\x1b[{y};1H{line}" for y, line in enumerate(terminal.screen("-e", "-N"), start=1))
    cells = Written("".join(lines)).cells
    # What was never written is blank, too.
    return {place: cell for place, cell in cells.items() if cell != (" ", "", "49", frozenset())}


def at_rest(terminal: Terminal) -> dict[tuple[int, int], object]:
    """Return the picture that ``terminal`` comes to rest at."""
    looks: list[dict[tuple[int, int], object]] = []

    def stays(_lines: list[str]) -> bool:
        looks.append(picture(terminal))
        return len(looks) >= 10 and all(look == looks[-1] for look in looks[-10:])

    terminal.wait(stays, "a picture that stays")
    return looks[-1]


def mark_the_end(recording: Path) -> None:
    """Have a last interval follow, whose load no host has."""
    summary = describe(recording)
    last = {frame.pane: frame for block in blocks(recording) for frame in block.frames()}
    last[HOST] = replace(last[HOST], host={**last[HOST].host, "load1": 99.0})
    with contextlib.closing(Writer(recording, summary.identity, 0.1, summary.panes)) as writer:
        writer.write([replace(frame, ts=frame.ts + 0.1) for frame in last.values()])


@pytest.mark.parametrize("environment", [{"COLORTERM": "truecolor"}, {"NO_COLOR": "1"}])
def test_what_was_drawn_bit_by_bit_is_as_drawn_anew(
    open_terminal: Open, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Only cells that changed are written: what stands there after a while is what belongs there."""
    file = str(tmp_path / "short.ktop")
    with running(SPINNER, [SPINNER_NAME.encode()] * 3):
        # More than the charts hold still for, and few enough to be replayed soon.
        command = [*KTOP, "record", file, "runqlat", "cachestat", "-i", "0.1", "-n", "16"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    mark_the_end(Path(file))
    terminal = open_terminal(environment=environment)
    for pane in ("runqlat", "cachestat"):
        terminal.start("replay", file, "--pane", pane)
        terminal.wait_for("load 99.0 ")
        terminal.wait_for("replay ended")
        drawn = at_rest(terminal)
        terminal.tmux("send-keys", "-R")
        assert not picture(terminal)
        terminal.keys("C-l")
        terminal.wait_for("load 99.0 ")
        assert at_rest(terminal) == drawn
        terminal.keys("q")
        terminal.wait_for(PROMPT)


@pytest.mark.parametrize("good", [True, False])
def test_keys_can_be_others(open_terminal: Open, tmp_path: Path, good: bool) -> None:
    """A file gives the filter another key; one with a mistake in it leaves the usual ones, and is named."""
    file = tmp_path / "ktop" / "keys.toml"
    file.parent.mkdir()
    file.write_text('view.filter = "f3"' if good else 'view.filter = "f99"')
    terminal = open_terminal(environment={"XDG_CONFIG_HOME": str(tmp_path)})
    terminal.type_command(*KTOP, "demo")  # where it is named, that lies over the line of keys from the start
    terminal.wait_for("f3 filter" if good else "f99 is no key")
    terminal.keys("F3" if good else "/")
    terminal.wait_for("text, pid:123")
    terminal.text("postgres")
    terminal.keys("Enter")
    terminal.wait(lambda lines: name_under(lines) == "postgres", "nothing but its rows")
    terminal.wait_for("f3 filter" if good else "/ filter")


def test_the_linux_console_gets_glyphs_that_it_has(open_terminal: Open) -> None:
    """Charts, table and dialogs are of code page 437, which is what the kernel's own font has."""
    terminal = open_terminal(80, 25, term="linux")
    terminal.start("demo")
    for key in ("1", "2", "4", "5", "8", "S", "Escape", "1", "c", "Escape", "Enter", "Escape", "?", "Escape"):
        terminal.keys(key)
        terminal.wait_for_figures() if key.isdigit() else terminal.wait_for("demo-host")
        assert not {each for line in terminal.screen() for each in line if not on_a_console(each)}, key


def test_no_size_takes_all_memory(open_terminal: Open) -> None:
    """A terminal that claims to have a thousand million cells is taken for a large one."""
    terminal = open_terminal(80, 24)
    pid = terminal.start("demo")
    terminal.wait_for_figures()
    # As terminals tell of a new size among what is typed (mode 2048).
    terminal.tmux("send-keys", "-l", "\x1b[48;99999;99999;1;1t")
    terminal.resize(90, 25)
    terminal.wait(partial(has_figures, "runqlat"), "the screen of that size")
    terminal.keys("2")
    terminal.wait_for("disks")
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert peak is not None
    assert int(peak[1]) < 1 << 20


def on_a_console(glyph: str) -> bool:
    """Return whether the kernel's own font has ``glyph``: below 32 that has arrows and triangles."""
    return glyph in "←↑→↓▲▼▶◀" or bool(glyph.encode("cp437", "ignore"))
