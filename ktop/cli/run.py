"""`ktop run`: panes of the live host on standard output, as aligned text or as JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ktop.cli import batch
from ktop.cli.ending import OK, Failure
from ktop.cli.options import Options
from ktop.cli.preconditions import known_panes, must_allow_bpf
from ktop.cli.streams import STDOUT, cannot_write, encoding, say, terminal_size
from ktop.export import json_lines, text_table
from ktop.frame import Frame, take
from ktop.pane import Pane
from ktop.tables.totals import BY, of_frame


def run(options: Options) -> int:
    """Print each interval, until enough of them, a signal or the reader's leaving; return the exit code."""
    panes = known_panes(options.panes)
    must_allow_bpf()
    if options.pid is not None:
        for pane in panes:
            if not pane.has_processes:
                say(f"{pane.name} does not go by process: --pid leaves it whole")
    for pane in panes:
        if options.by and BY[options.by](pane) is None:
            say(f"{pane.name} has no totals by {options.by}: --by leaves it whole")
    source = batch.sampler(panes, options)
    if options.pid and source.identity.all_processes and not Path(f"/proc/{options.pid}").exists():
        say(f"there is no process {options.pid} now: rows come if it has just ended, or once there is one")
    if options.json:
        render = as_json(options.pid, options.by)
    else:
        render = as_text(options.pid, encoding(), terminal_size, options.by)
    try:
        dropped = batch.run(source, panes, render, STDOUT, options.count)
    except (batch.NothingLiveError, batch.CutError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise cannot_write(error) from None
    if dropped:
        say(f"{dropped} intervals were left out: the reader of standard output was too slow")
    return OK


def of_process(pane: Pane, frame: Frame, pid: int | None) -> Frame:
    """Return ``frame`` with the rows of one process and nothing of the host's.

    Whole for None or a pane that goes by no process.
    """
    if pid is None or pane.process_key not in frame.rows:
        return frame
    rows = take(frame.rows, np.flatnonzero(frame.rows[pane.process_key] == pid))
    return replace(frame, rows=rows, host={}, histograms=())


def told(pane: Pane, frame: Frame, pid: int | None, by: str | None) -> tuple[Pane, Frame]:
    """Return ``frame`` of ``pane`` as it was asked for, and whose columns it has."""
    frame = of_process(pane, frame, pid)
    shown = (BY[by](pane) if by else None) or pane
    return shown, of_frame(pane, shown, frame)


def as_json(pid: int | None, by: str | None = None) -> batch.Render:
    """Return how JSON lines are made."""

    def render(pane: Pane, frame: Frame, missed: int) -> tuple[bytes, int]:
        shown, wanted = told(pane, frame, pid, by)
        lines = json_lines.lines(shown, wanted, also_lost=missed)
        return ("\n".join(lines) + "\n").encode(), len(wanted)

    return render


def as_text(
    pid: int | None, encoding: str, size: Callable[[], tuple[int, int]], by: str | None = None
) -> batch.Render:
    """Return how tables are made; ``size`` gives the terminal's columns and lines, 0 where there is none."""

    def render(pane: Pane, frame: Frame, missed: int) -> tuple[bytes, int]:
        width, height = size()
        shown, wanted = told(pane, frame, pid, by)
        lines = text_table.table(shown, wanted, width=width, height=height)
        if missed:
            lines.insert(0, f"({missed} rows of {pane.name} went unread)")
        return ("\n".join(lines) + "\n\n").encode(encoding, "replace"), len(wanted)

    return render
