"""One process in all panes: the same one in each, for a PID is used again."""

from __future__ import annotations

from collections.abc import Sequence

from ktop.history.history import History
from ktop.history.process import ProcessHistory
from ktop.pane import Pane
from ktop.process import Process


def across(  # noqa: PLR0913, PLR0917 - what is asked for, and where
    history: History,
    panes: Sequence[Pane],
    pid: int,
    start_ns: int | None,
    running: Process | None,
    until: float,
) -> tuple[int | None, list[ProcessHistory]]:
    """Return when the process ``pid`` started, and what each of ``panes`` has of it up to ``until``.

    Without ``start_ns`` it is the one that is ``running``, whose start is known
    to a clock tick alone when no pane has seen it; else the last that was seen.
    """
    found = [history.process(pane, pid, start_ns, until=until) for pane in panes]
    if start_ns is not None:
        return start_ns, found
    # Each pane chose the last that it saw itself.
    starts = [each.start_ns for each in found if each.start_ns is not None]
    if running is not None:
        start_ns = next(filter(running.began_at, starts), running.start_ns)
    else:
        start_ns = max(starts, default=None)
    return start_ns, [
        each if each.start_ns in {None, start_ns} else history.process(each.pane, pid, start_ns, until=until)
        for each in found
    ]
