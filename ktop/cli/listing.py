"""`ktop list`: every pane, what it answers, live or why not, which hooks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ktop.frame import Status
from ktop.pane import Pane
from ktop.source import Publish
from ktop.text import escape

_LOADED_WITHIN_S = 30.0


class Prober(Protocol):
    """What `list` and `doctor` ask of the sampler."""

    def start(self, publish: Publish) -> None:
        """Load and attach everything."""

    def wait_ready(self, timeout: float) -> bool:
        """Return whether everything was tried within ``timeout`` seconds."""

    def statuses(self) -> Mapping[str, Status]:
        """Return what became of each pane."""

    def logs(self) -> Mapping[str, Sequence[str]]:
        """Return what libbpf and the verifier said, by pane."""

    def stop(self) -> None:
        """Leave nothing in the kernel."""


@dataclass(frozen=True, slots=True)
class Found:
    """One pane on this host."""

    pane: Pane
    status: Status
    log: Sequence[str] = ()


def survey(sampler: Prober, panes: Sequence[Pane]) -> list[Found]:
    """Load and attach every pane for a moment and return what became of each."""
    sampler.start(lambda _frame: None)
    try:
        ready = sampler.wait_ready(_LOADED_WITHIN_S)
        statuses, logs = dict(sampler.statuses()), sampler.logs()
    finally:
        sampler.stop()
    for name, status in statuses.items():
        if not (ready or status.hooks or status.unavailable):
            statuses[name] = replace(status, unavailable=f"not loaded within {_LOADED_WITHIN_S:g} s")
    return [Found(pane, statuses[pane.name], tuple(logs.get(pane.name, ()))) for pane in panes]


def as_text(found: Sequence[Found], width: int = 0) -> list[str]:
    """Return the panes as lines, wrapped at ``width`` columns (at 100 for 0)."""
    import textwrap

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


def hooks(status: Status) -> str:
    """Return the hooks in use, by kind: ``tp_btf sched_switch, sched_wakeup``."""
    kinds: dict[str, list[str]] = {}
    for variant in status.hooks.values():
        kind, _, name = variant.partition("/")
        kinds.setdefault(escape(kind), []).append(escape(name))
    return "; ".join(f"{kind} {', '.join(filter(None, names))}".strip() for kind, names in kinds.items())


def as_json(found: Sequence[Found]) -> list[str]:
    """Return one JSON object a pane: ``pane question live unavailable hooks refused``."""
    return [json.dumps(describe(each), allow_nan=False) for each in found]


def describe(each: Found) -> dict[str, object]:
    """Return a pane for JSON."""
    status = each.status
    return {
        "pane": each.pane.name,
        "question": each.pane.question,
        "live": status.unavailable is None,
        "unavailable": None if status.unavailable is None else escape(status.unavailable),
        "hooks": {escape(group): escape(variant) for group, variant in status.hooks.items()},
        "refused": {escape(name): escape(reason) for name, reason in status.refused.items()},
    }
