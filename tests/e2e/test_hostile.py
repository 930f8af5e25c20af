"""Names that others chose: each changes nothing but its own cell."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from ktop.text import escape
from tests.e2e.terminal import Terminal
from tests.e2e.workloads import SLEEPER, running, unique

pytestmark = pytest.mark.kernel

TAME = b"e2e-tame"
NAMES = (
    TAME,
    b"\x1b[2J\x1b[31mred",  # clears the screen, in red
    b"\x1b]0;owned\x07",  # sets the window's title
    b"\x9b2J\x90q\x9c",  # the same as single bytes (C1)
    b"[bold]x[/bold]",
    b"[@click=quit]x",
    b"two\nlines\ttab\r",
    b"\xff\xfe\xc3(\x80",  # no UTF-8
    "\u202eesrever\u202c".encode()[:15],
    "שלום عر".encode()[:15],
    "😀😁😂x".encode()[:15],
    "👨\u200d👩\u200d👧".encode()[:15],  # one glyph or three, cut in the middle
    "日本語名前".encode()[:15],
    "e\u0301\u0301\u0301\u0301\u0301".encode()[:15],
    b"\\x1b[31m",
    b" ",
    b"-" * 15,
)


def cells(line: str) -> list[str]:
    """Return what stands in each cell; the second of a wide character is empty."""
    found: list[str] = []
    for character in line:
        width = cell_len(character)
        if width == 0 and found:
            found[-1] += character
        else:
            found += [character, *[""] * (width - 1)]
    return found


def ends(header: str) -> list[int]:
    """Return the cell after each right-aligned title: all but COMMAND before the scale of the histograms."""
    figures = re.split(r"\s\d", header)[0]
    return [found.end() for found in re.finditer(r"\S+(?: \S+)*", figures) if found[0] != "COMMAND"]


def test_a_name_changes_only_its_own_cell(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(200, 50)
    title = terminal.tmux("display-message", "-p", "#{pane_title}")
    terminal.start("--pane", "runqlat")
    terminal.wait_for_figures()
    # Each sleeps up to 200 times a second: whatever else goes on, these are on one screen.
    terminal.filter("waits>20")
    before = terminal.screen()
    with running(SLEEPER, NAMES) as pids:
        names = dict(zip(map(str, pids), NAMES, strict=True))

        def rows(lines: list[str]) -> dict[str, str]:
            found = {line.split()[0]: line for line in lines if line.split()}
            return {pid: found[pid] for pid in names if pid in found}

        lines = terminal.wait(lambda lines: lines if len(rows(lines)) == len(names) else None, "all the rows")
    assert lines is not None
    header = next(line for line in lines if re.match(r"\s*PID\s+COMMAND", line))
    start = header.index("COMMAND")
    room = re.compile(r"COMMAND\s+").search(header)
    assert room is not None
    for pid, line in rows(lines).items():
        name, written = names[pid], cells(line)
        assert len(written) == cell_len(line) <= 200
        for end in ends(header):
            # The last cell of a column is the unit's: blank where a number has none.
            assert "".join(written[end - 2 : end]).strip(), f"{name!r}: nothing ends at {end}: {line!r}"
            assert "".join(written[end : end + 1]) in {"", " "}, (
                f"{name!r} moved the cells after it: {line!r}"
            )
        shown = "".join(written[start:]).split("  ")[0].rstrip()
        if name.strip():
            expected = escape(name)
            assert shown, f"{name!r} is not shown"
            assert expected.startswith(shown.removesuffix("…")), f"{name!r} is shown as {shown!r}"
    # The lines around the table stand where they stood.
    place = {
        text: i
        for i, line in enumerate(before)
        for text in (" load ", "1 runqlat", "waits>20", "q quit")
        if text in line
    }
    for text, line_number in place.items():
        assert text in lines[line_number]
    assert terminal.tmux("display-message", "-p", "#{pane_title}") == title


def test_hostile_arguments_and_file_names(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """The same for what is executed: its file's name and its arguments."""
    terminal = open_terminal(200, 50)
    title = terminal.tmux("display-message", "-p", "#{pane_title}")
    terminal.start("--pane", "execsnoop")
    terminal.wait_for_figures()
    true = shutil.which("true")
    assert true is not None
    marker = unique("e2e-args")
    for number, name in enumerate(NAMES[1:]):
        path = tmp_path / os.fsdecode(b"x" + name.replace(b"/", b"_"))
        path.symlink_to(true)
        subprocess.run(
            [path, marker, str(number).encode(), name.replace(b"\0", b""), b"\x1b[8;1;1t" * 40],
            check=True,
        )
    terminal.filter(f"comm:x* {marker}")
    terminal.wait_for(f"{len(NAMES) - 1} of ")
    lines = terminal.screen()
    header = next(line for line in lines if re.match(r"\s*▾?TIME\s", line))
    found = [line for line in lines if marker in line and re.match(r"\s*\d\d:\d\d:\d\d ", line)]
    assert len(found) == len(NAMES) - 1
    titles = [
        title
        for title in re.finditer(r"\S+", header)
        if title.group().strip("▾") in {"TIME", "PID", "PPID", "UID", "EXIT"}
    ]
    for line, (end, under) in itertools.product(found, [(title.end(), title.group()) for title in titles]):
        assert "".join(cells(line)[end - 2 : end + 1]).strip(), f"nothing under {under}: {line!r}"
    assert terminal.tmux("display-message", "-p", "#{pane_title}") == title
