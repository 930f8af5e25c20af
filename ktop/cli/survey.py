"""What becomes of every pane on this host: what `ktop list` and `ktop doctor` report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ktop.cli.ending import NO_BPF, OK, Failure
from ktop.cli.preconditions import known_panes
from ktop.frame import Status
from ktop.kernel import checks
from ktop.live.sampler import Sampler
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


def survey_of_all() -> tuple[Sampler, list[Found]]:
    """Return what becomes of every pane here, and what found it out; no figures are sampled."""
    panes = known_panes(())
    sampler = Sampler(panes, math.inf, everything=True, hurry=False)
    return sampler, survey(sampler, panes)


def exit_code(sampler: Sampler) -> int:
    """Return 0, or 77 where the host does not allow BPF; Failure when ``sampler`` itself failed."""
    if sampler.failure is not None:
        raise Failure(sampler.failure)
    return OK if checks.refusal() is None else NO_BPF


def hooks(status: Status) -> str:
    """Return the hooks in use, by kind: ``tp_btf sched_switch, sched_wakeup``."""
    kinds: dict[str, list[str]] = {}
    for variant in status.hooks.values():
        kind, _, name = variant.partition("/")
        kinds.setdefault(escape(kind), []).append(escape(name))
    return "; ".join(f"{kind} {', '.join(filter(None, names))}".strip() for kind, names in kinds.items())


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
