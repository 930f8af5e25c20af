"""What was asked for on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ktop.cli.moment import Moment


class Options:
    """The command and what was said with it; unsaid, the application's defaults."""

    command = "application"
    interval = 1.0
    """Seconds between two samples."""
    pane: str | None = None
    """The pane to begin with."""
    pid: int | None = None
    by: str | None = None
    """What rows are added up by, of ``ktop.tables.totals.BY``; None: they are as they are."""
    theme: str | None = None
    panes: Sequence[str] = ()
    count: int | None = None
    """End after so many intervals."""
    failed = False
    """Whether failed execs are wanted too."""
    file: Path
    at: Moment | None = None
    """The moment of a recording to begin at."""
    json = False
    verbose = False
    version = False
