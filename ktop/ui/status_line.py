"""The line under a pane: how far its figures can be trusted, and what ktop itself costs."""

from __future__ import annotations

import math
from collections.abc import Mapping

from textual.content import Content
from textual.widget import Widget

from ktop.format import NOT_MEASURED, count, percent, size
from ktop.frame import Status
from ktop.text import escape
from ktop.ui.line import spread

Part = str | tuple[str, str]

MANY_UNATTRIBUTED = 0.05
"""From this share on, what no process could be charged with is worth a colour."""


class StatusLine(Widget):
    """Hooks, interval really measured, losses, share not attributed; ktop's own cost."""

    DEFAULT_CSS = """
    StatusLine {
        height: 1;
        text-wrap: nowrap;
    }
    """

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__()
        self._status = Status()
        self._interval_s: float | None = None
        self._own: Mapping[str, float] = {}
        self._note = ""

    def show(
        self, status: Status, interval_s: float | None, own: Mapping[str, float], note: str = ""
    ) -> None:
        """Show ``status`` of a Frame, its measured interval, and ``own``: ``Frame.host`` of HOST.

        ``note`` stands first: what the rows are when they are not those of one interval.
        """
        self._status, self._interval_s, self._own, self._note = status, interval_s, own, note
        self.refresh()

    def render(self) -> Content:
        """Return the line."""
        width = self.size.width
        right = Content.assemble(*self._cost())
        trust = Content.assemble(*self._trust())
        hooks = self._hooks()
        room = width - right.cell_length - trust.cell_length - 4
        # The names of the hooks are the first to go: they are in the help, too.
        if hooks.cell_length > room:
            hooks = self._kinds()
        if hooks.cell_length > room:
            hooks = Content.empty()
        left = Content.assemble(trust, "  " if hooks else "", hooks)
        return spread(left, right, width)

    def _trust(self) -> list[Part]:
        """Return note, interval, losses and the share that is not attributed."""
        parts: list[Part] = [(self._note + "  ", "")] if self._note else []
        interval = self._interval_s
        if interval is None or math.isnan(interval):
            return [*parts, ("measured ", "$muted"), NOT_MEASURED, ("  lost ", "$muted"), NOT_MEASURED]
        lost = self._status.lost
        parts += [("measured ", "$muted"), f"{interval:.2f} s", ("  lost ", "$muted")]
        parts.append((count(lost), "bold $hot" if lost else ""))
        ratio = self._status.unattributed_ratio
        if ratio is not None and not math.isnan(ratio):
            style = "$warn" if ratio >= MANY_UNATTRIBUTED else ""
            parts += [("  unattributed ", "$muted"), (percent(ratio), style)]
        return parts

    def _hooks(self) -> Content:
        """Return the hooks by the variant that is live."""
        by_kind: dict[str, list[str]] = {}
        for group, variant in self._status.hooks.items():
            # As the program's section has it (tp_btf/sched_switch), or the kind alone.
            kind, _, hook = variant.partition("/")
            by_kind.setdefault(kind, []).append(hook or group)
        text = "  ".join(f"{kind} {' '.join(dict.fromkeys(hooks))}" for kind, hooks in by_kind.items())
        return Content.styled(escape(text), "$muted")

    def _kinds(self) -> Content:
        """Return how many hooks there are, and of which kinds."""
        kinds = dict.fromkeys(variant.partition("/")[0] for variant in self._status.hooks.values())
        return Content.styled(f"{len(self._status.hooks)} hooks: {escape(', '.join(kinds))}", "$muted")

    def _cost(self) -> list[Part]:
        """Return ktop's own CPU and memory, and its programs' while they are measured."""
        parts: list[Part] = [("ktop", "$muted")]
        cpu, memory = self._own.get("self_cpu_ratio"), self._own.get("self_rss_bytes")
        parts += [" ", NOT_MEASURED if cpu is None else percent(cpu)]
        parts += [" ", NOT_MEASURED if memory is None else size(memory)]
        if "bpf_ratio" in self._own:
            parts += [("  BPF ", "$muted"), percent(self._own["bpf_ratio"])]
        return parts
