"""500 processes a second that live for a millisecond: nothing is lost in silence."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from ktop import registry
from tests.e2e.terminal import Terminal
from tests.e2e.workloads import churning, unique

pytestmark = pytest.mark.kernel

RATE = 500
SECONDS = int(os.environ.get("KTOP_CHURN_SECONDS", "5"))
"""20 is what is asked for; the history of events holds that many, and no more."""


def shown(lines: list[str]) -> int:
    """Return how many rows the filter leaves; 0 while it says nothing."""
    found = re.search(r"\b(\d+) of \d+", "\n".join(lines))
    return int(found.group(1)) if found else 0


def lost(lines: list[str]) -> int:
    """Return what the status line says was lost in the last interval."""
    found = re.search(r"\blost ([\d.]+)([kM]?)", "\n".join(lines))
    return round(float(found.group(1)) * {"": 1, "k": 1e3, "M": 1e6}[found.group(2)]) if found else 0


def test_short_lived_processes(terminal: Terminal, tmp_path: Path) -> None:
    """Every exec is in the table, or the losses are shown; and the keys work meanwhile."""
    true = shutil.which("true")
    assert true is not None
    name = unique("e2e-chur")
    path = tmp_path / name
    path.symlink_to(true)
    count = RATE * SECONDS
    terminal.start("--pane", "execsnoop")
    terminal.wait_for_figures()
    terminal.filter(f"comm:{name}")
    losses = 0
    with churning(str(path), count, RATE) as process:
        terminal.wait(lambda lines: shown(lines) > RATE, "the first second's processes")
        # Meanwhile: the help opens and closes, the panes turn, a process screen opens.
        terminal.keys("?")
        terminal.wait_for("Esc back")
        terminal.keys("Escape")
        terminal.wait_for("q quit")
        for _ in registry.panes():
            terminal.keys("Tab")
            losses += lost(terminal.screen())
        terminal.wait(lambda lines: shown(lines) > RATE, "the table after a turn")
        # Held, so that no newcomer pushes the cursor's row down meanwhile.
        terminal.keys("Space")
        terminal.wait_for("paused")
        terminal.keys("g", "Enter")
        terminal.wait_for("Esc back")
        terminal.keys("Escape")
        terminal.wait(lambda lines: shown(lines) > RATE, "the table after a process")
        terminal.keys("Space")
        while process.poll() is None:
            losses += lost(terminal.screen())
        terminal.wait(
            lambda lines: shown(lines) == count or losses + lost(lines) > 0,
            f"all {count} processes, or a word about losses",
        )
    assert shown(terminal.screen()) <= count
