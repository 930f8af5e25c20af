"""What must hold before a command begins; Failure where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ktop.cli.ending import NO_BPF, USAGE, Failure
from ktop.cli.streams import say

if TYPE_CHECKING:
    from ktop.pane import Pane


def known_panes(names: Sequence[str]) -> tuple[Pane, ...]:
    """Return the panes of these names, all for none; Failure (2) where there is no such pane."""
    from ktop import registry

    try:
        return registry.panes(names)
    except registry.UnknownPaneError as error:
        raise Failure(str(error), USAGE) from None


def must_allow_bpf() -> None:
    """Raise Failure (77) where the host does not allow BPF, and say where it allows only a part."""
    from ktop.kernel import checks

    refusal = checks.refusal()
    if refusal is not None:
        raise Failure(f"{refusal}; `ktop demo` shows a recording and needs no privileges", NO_BPF)
    processes = checks.processes()
    if not processes.ok:
        say(f"{processes.name}: {processes.detail}; {processes.remedy}")
