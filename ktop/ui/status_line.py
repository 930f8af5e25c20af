"""The line under a pane: how far its figures can be trusted, and what ktop itself costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ktop.format import NOT_MEASURED, count, percent, size
from ktop.frame import Status
from ktop.losses import by_kind
from ktop.text import escape
from ktop.ui.blocks import Parts, cells, ends
from ktop.ui.line_widget import Drawn
from ktop.ui.palette import Palette, Words

MANY_UNATTRIBUTED = 0.05
"""From this share on, what no process could be charged with is worth a colour."""


class StatusLine(Drawn):
    """Hooks, interval really measured, losses, share not attributed; ktop's own cost."""

    DEFAULT_CSS = "StatusLine { height: 1; }"

    def __init__(self, *, recorded: bool = False) -> None:
        """Show nothing yet; ``recorded``: the cost was that of another ktop, which recorded this."""
        super().__init__()
        self._who = "recorder " if recorded else "ktop "
        self._status = Status()
        self._interval_s: float | None = None
        self._own: Mapping[str, float] = {}

    def show(self, status: Status, interval_s: float | None, own: Mapping[str, float]) -> None:
        """Show ``status`` of a Frame, its measured interval, and ``own``: ``Frame.host`` of HOST."""
        self._status, self._interval_s, self._own = status, interval_s, own
        self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the line."""
        del height  # it is one
        right = self._cost()
        measured, lost, why, unattributed = self._trust()
        # A label without its figure would say nothing; what can be trusted goes before what ktop costs.
        if cells([*measured, *lost]) > width - cells(right) - 4:
            right = []
        room = width - cells(right) - 4
        ways: tuple[list[tuple[str, str]], ...] = (
            [*measured, *lost, *why, *unattributed],
            [*measured, *lost, *unattributed],
        )
        left = next((words for words in ways if cells(words) <= room), [*measured, *lost])
        room -= cells(left)
        # The names of the hooks are the first to go: they are in the help, too.
        hooks = next((text for text in (self._hooks(), self._kinds()) if len(text) <= room), "")
        left += [("  " + hooks, "muted")] if hooks else []
        return [ends(look.parts(left), look.parts(right), width)]

    def _trust(self) -> tuple[Words, Words, Words, Words]:
        """Return interval, losses, why these are, and the share that is not attributed; empty what is not."""
        interval, lost = self._interval_s, self._status.lost
        # One or two are missed each second in many a virtual machine: no alarm must be always on.
        color = "warn" if set(self._status.losses) == {"missed"} else "hot"
        known = interval is not None and not math.isnan(interval)
        measured = [("measured ", "muted"), (f"{interval:.2f} s" if known else NOT_MEASURED, "")]
        losses = [
            ("  lost ", "muted"),
            (count(lost) if known else NOT_MEASURED, f"{color} bold" if known and lost else ""),
        ]
        why = [(f" ({by_kind(self._status.losses)})", color)] if known and lost else []
        ratio = self._status.unattributed_ratio
        if ratio is None or math.isnan(ratio):
            return measured, losses, why, []
        style = "warn" if ratio >= MANY_UNATTRIBUTED else ""
        return measured, losses, why, [("  unattributed ", "muted"), (percent(ratio), style)]

    def _hooks(self) -> str:
        """Return the hooks by the variant that is live."""
        by_kind: dict[str, list[str]] = {}
        for group, variant in self._status.hooks.items():
            # As the program's section has it (tp_btf/sched_switch), or the kind alone.
            kind, _, hook = variant.partition("/")
            by_kind.setdefault(kind, []).append(hook or group)
        text = "  ".join(f"{kind} {' '.join(dict.fromkeys(hooks))}" for kind, hooks in by_kind.items())
        return escape(text)

    def _kinds(self) -> str:
        """Return how many hooks there are, and of which kinds."""
        kinds = dict.fromkeys(variant.partition("/")[0] for variant in self._status.hooks.values())
        return f"{len(self._status.hooks)} hooks: {escape(', '.join(kinds))}"

    def _cost(self) -> Words:
        """Return CPU and memory of ktop, or of what recorded this, and its programs' while measured."""
        words = [(self._who, "muted"), (self._figure("self_cpu_ratio", percent), "")]
        words.append((" " + self._figure("self_rss_bytes", size), ""))
        if "bpf_ratio" in self._own:
            words += [("  BPF ", "muted"), (self._figure("bpf_ratio", percent), "")]
        return words

    def _figure(self, name: str, write: Callable[[float], str]) -> str:
        """Return a figure of ktop's own as ``write`` has it."""
        value = self._own.get(name)
        return NOT_MEASURED if value is None or math.isnan(value) else write(value)
