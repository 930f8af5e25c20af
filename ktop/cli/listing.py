"""`ktop list`: every pane, what it answers, live or why not, which hooks."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from ktop.cli.options import Options
from ktop.cli.printing import print_lines
from ktop.cli.streams import terminal_size
from ktop.cli.survey import Found, describe, exit_code, hooks, survey_of_all
from ktop.text import escape


def list_panes(options: Options) -> int:
    """Print what becomes of every pane here; return the exit code."""
    sampler, found = survey_of_all()
    print_lines(as_json(found) if options.json else as_text(found, terminal_size()[0]))
    return exit_code(sampler)


def as_text(found: Sequence[Found], width: int = 0) -> list[str]:
    """Return the panes as lines, wrapped at ``width`` columns (at 100 for 0)."""
    names = max((len(each.pane.name) for each in found), default=0)
    indent = " " * (names + 2)
    lines = []
    for each in found:
        lines.append(f"{each.pane.name:{names}}  {each.pane.question}")
        why = each.status.unavailable
        state = f"live: {hooks(each.status)}" if why is None else f"not live: {escape(why)}"
        lines += textwrap.wrap(
            state, max(width or 100, names + 30), initial_indent=indent, subsequent_indent=indent + "  "
        )
    return lines


def as_json(found: Sequence[Found]) -> list[str]:
    """Return one JSON object a pane: ``pane question live unavailable hooks refused``."""
    return [json.dumps(describe(each), allow_nan=False) for each in found]
