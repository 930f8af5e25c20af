"""`ktop doctor`: what this host allows, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from ktop.cli.options import Options
from ktop.cli.printing import print_lines
from ktop.cli.streams import terminal_size
from ktop.cli.survey import Found, describe, exit_code, hooks, survey_of_all
from ktop.kernel.checks import Check, gather
from ktop.text import escape


def doctor(options: Options) -> int:
    """Print what was found of this host and of every pane; return the exit code."""
    checks = gather()
    sampler, found = survey_of_all()
    if options.json:
        print_lines(as_json(checks, found, verbose=options.verbose))
    else:
        print_lines(as_text(checks, found, verbose=options.verbose, width=terminal_size()[0]))
    return exit_code(sampler)


def as_text(checks: Sequence[Check], found: Sequence[Found], *, verbose: bool, width: int = 0) -> list[str]:
    """Return the report as lines, wrapped at ``width`` columns (at 100 for 0).

    ``verbose``: also what libbpf and the verifier said.
    """
    lines = ["This host"]
    widest = max((len(check.name) for check in checks), default=0)
    for check in checks:
        said = [escape(check.detail)]
        if check.remedy and not check.ok:
            said.append(f"-> {escape(check.remedy)}")
        lines += _wrapped(f"  {_mark(check)}  {check.name:{widest}}  ", said, width)
    lines += ["", "Panes"]
    widest = max((len(each.pane.name) for each in found), default=0)
    reasons = {each.status.unavailable for each in found}
    if len(found) > 1 and len(reasons) == 1 and None not in reasons and not verbose:
        # What the whole host lacks is said once.
        lines += _wrapped(f"  {_WITHOUT}  {'all':{widest}}  ", [escape(min(filter(None, reasons)))], width)
    else:
        for each in found:
            lines += _pane(each, widest, verbose=verbose, width=width)
    return [*lines, "", *_wrapped("", [_verdict(checks, found)], width)]


def as_json(checks: Sequence[Check], found: Sequence[Found], *, verbose: bool) -> list[str]:
    """Return one JSON object a line, ``kind`` check or pane."""
    objects: list[dict[str, object]] = [
        {
            "kind": "check",
            "name": check.name,
            "ok": check.ok,
            "detail": escape(check.detail),
            "remedy": escape(check.remedy) or None,
            "needed": check.needed,
        }
        for check in checks
    ]
    for each in found:
        log: dict[str, object] = {"log": [escape(line) for line in each.log]} if verbose else {}
        objects.append({"kind": "pane", **describe(each), **log})
    return [json.dumps(each, allow_nan=False) for each in objects]


_FINE, _WITHOUT, _MISSING = "ok     ", "without", "MISSING"


def _mark(check: Check) -> str:
    if check.ok:
        return _FINE
    return _MISSING if check.needed else _WITHOUT


def _pane(each: Found, widest: int, *, verbose: bool, width: int) -> list[str]:
    status = each.status
    live = status.unavailable is None
    said = [hooks(status) if live else escape(status.unavailable or "")]
    said += [
        f"{escape(name)} refused: {escape(reason)}"
        for name, reason in status.refused.items()
        if reason not in (status.unavailable or "")
    ]
    head = f"  {_FINE if live else _WITHOUT}  {each.pane.name:{widest}}  "
    lines = _wrapped(head, said, width)
    if verbose:
        # As they are: a verifier's log is read in its own lines.
        lines += [f"{' ' * len(head)}| {escape(line)}" for text in each.log for line in text.splitlines()]
    return lines


def _wrapped(head: str, said: Sequence[str], width: int) -> list[str]:
    """Return ``said``, a paragraph each, beside ``head``."""
    room = max((width or 100) - len(head), 30)
    lines = [line for each in said for line in textwrap.wrap(each, room) or [""]]
    return [(head if number == 0 else " " * len(head)) + line for number, line in enumerate(lines)]


def _verdict(checks: Sequence[Check], found: Sequence[Found]) -> str:
    missing = [check.name for check in checks if check.needed and not check.ok]
    if missing:
        return f"Nothing live on this host without: {', '.join(missing)}. `ktop demo` shows a recording."
    live = sum(each.status.unavailable is None for each in found)
    return f"{live} of {len(found)} panes are live here."
