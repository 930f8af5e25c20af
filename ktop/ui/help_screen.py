"""All keys, and what every number of a pane means: made from the bindings and the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ktop import losses
from ktop.frame import Status
from ktop.losses import in_words
from ktop.pane import Pane, Shape, Unit
from ktop.tables.trend import has_trend
from ktop.text import escape
from ktop.ui import keys
from ktop.ui.footer import KeyLine
from ktop.ui.table.trend import HELP as TREND_HELP
from ktop.ui.textual_fixes.modal import Modal

MAX_WIDTH = 110
TWO_COLUMNS = 90
"""From so many cells of text on the keys stand in two columns."""
GAP = 3
KEY_CELLS = 14
MARGIN = 2
FILTER_HELP = (
    ("text", 'rows with that text in any column; "two words" in quotes'),
    ("pid:12,34", "a column that is exactly so; also comm:nginx, disk:sda, cgroup:nginx.service"),
    ("comm:post*", "* and ? stand for anything"),
    ("p99_us>=10ms", "numbers compared, also with < <= > =, as 10us, 2M, 50% (or 0.5)"),
    ("!comm:cron", "rows that are not so; all terms must hold"),
)
HEADER_HELP = (
    ("cpu", "share of all CPUs together that is neither idle nor waits for a disk; stolen time is busy"),
    ("mem", "what is not available to new programs, of all there is"),
    ("pressure, psi", "share of the last 10 s in which at least one task waited for that"),
)
STATUS_HELP = (
    ("measured", "between the two readings that the figures are of: counts are of that time, not a second"),
    ("lost", "events that are missing in the figures, so many of them, and why"),
    ("unattributed", "share of what the pane counts that no process can be charged with"),
)
COST_HELP = ("ktop", "its own share of one CPU, and its memory; after b also that of its BPF programs")
RECORDED_COST_HELP = ("recorder", "share of one CPU, and memory, of the ktop that recorded this")
STACKS_HELP = (
    ("TOTAL", "share of all samples that were in it or in what it calls; all samples: while a CPU was busy"),
    ("SELF", "share that was in itself; from a tenth on it is in another colour"),
    ("the bar", "TOTAL beside the largest of all, to compare by; of another colour what SELF is of it"),
    ("SAMPLES", "how many TOTAL is of, {hertz} for a second on a CPU; below ten or so the shares say little"),
    ("FUNCTION", "of user space, and [k] of the kernel; ▸ opens, ╰ is called from the line above"),
)
UNIT_NAMES = {
    Unit.COUNT: "count",
    Unit.BYTES: "bytes, 1K = 1,024",
    Unit.US: "time",
    Unit.SECONDS: "time",
    Unit.RATIO: "per cent",
}


class HelpScreen(Modal[None]):
    """Scrolls; any of the keys that opened it closes it."""

    CSS = """
    HelpScreen {
        background: $background;
        align: center top;
    }

    HelpScreen > VerticalScroll {
        width: 100%;
        max-width: 110;
        height: 1fr;
        background: $background;
        padding: 1 2;
        scrollbar-size-vertical: 1;
    }

    HelpScreen > VerticalScroll > Static {
        height: auto;
    }

    HelpScreen > KeyLine {
        dock: bottom;
        background: $surface;
    }
    """
    BINDINGS = keys.HELP

    def __init__(
        self,
        panes: Sequence[tuple[Pane, Status | None]],
        own: Sequence[tuple[str, Iterable[BindingType]]],
        others: Sequence[tuple[str, Iterable[BindingType]]],
        *,
        recorded: bool,
    ) -> None:
        """Explain the keys of what is in sight (``own``) and ``others``, and ``panes``, each as it is now.

        ``recorded``: nothing is explained that a recording has not.
        """
        super().__init__()
        self._recorded = recorded
        self._panes = panes
        self._own, self._others = own, others
        # Held, not queried, for keys that come before it is there, or when it has gone.
        self._body = VerticalScroll()
        self._text = Static(markup=False)

    def compose(self) -> ComposeResult:
        """Compose one text that scrolls."""
        with self._body:
            yield self._text
        yield KeyLine(self.BINDINGS)

    def on_resize(self) -> None:
        """Wrap the text for the width there is."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        width = max(1, min(self.size.width, MAX_WIDTH) - 2 * MARGIN - 1)
        self._text.update(Content("\n").join(self._lines(width)))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Scroll by ``lines``."""
        self._body.scroll_relative(y=lines, animate=False)

    def action_edge(self, end: int) -> None:
        """Scroll to the beginning (0) or to the end (1)."""
        self._body.scroll_to(y=end * self._body.max_scroll_y, animate=False)

    def _lines(self, width: int) -> list[Content]:
        of = f" of {self._panes[0][0].name}" if len(self._panes) == 1 else ""
        below = f"; what every number{of} means stands below" if self._panes else ""
        out = [Content.styled(f"All keys{below}.", "$muted")]
        wide = width >= TWO_COLUMNS
        room = (width - GAP) // 2 if wide else width
        own, others = (
            [line for title, bindings in groups for line in self._keys(title, bindings, room)]
            for groups in (self._own, self._others)
        )
        has_table = any(each.id == "view.filter" for _, group in self._own for each in keys.declared(group))
        if has_table:
            others += _group("Filter", FILTER_HELP, room)
        out += _beside(own, others, room) if wide else [*own, *others]
        note = "– was not measured; it is never shown as 0.  Nothing in ktop ends a process."
        out += [Content(), *(Content.styled(line, "$muted") for line in wrap(note, width))]
        for pane, status in self._panes:
            out += [Content(), *pane_help(pane, status, width, beside_rows=has_table)]
        out += _group("First lines", HEADER_HELP, width)
        if has_table:
            cost = RECORDED_COST_HELP if self._recorded else COST_HELP
            out += _group("Line below the pane", (*STATUS_HELP, cost), width)
            out += _group("Why events are lost", losses_help(recorded=self._recorded), width)
        return out

    def _keys(self, title: str, bindings: Iterable[BindingType], width: int) -> list[Content]:
        """Return a group of keys: Enter and those of the line at the bottom first."""
        order = sorted(
            _first(keys.declared(bindings)), key=lambda each: (each.action != "select", not each.show)
        )
        return _group(title, [(_keys(binding), binding.tooltip) for binding in order], width)


def losses_help(*, recorded: bool) -> Iterator[tuple[str, str]]:
    """Yield the name of each kind of loss and what it means; live, also what helps."""
    for kind, meaning in (losses.RECORDED_KINDS if recorded else losses.KINDS).items():
        remedy = None if recorded else losses.REMEDIES.get(kind)
        yield in_words(kind), f"{meaning}; {remedy}" if remedy else meaning


def _group(title: str, entries: Iterable[tuple[str, str]], width: int) -> list[Content]:
    """Return ``entries`` (name, meaning) under a title, with a blank line above."""
    lines = [line for name, meaning in entries for line in _entry(name, meaning, KEY_CELLS, width)]
    return [Content(), Content.styled(title, "bold $strong"), *lines]


def _beside(left: list[Content], right: list[Content], width: int) -> list[Content]:
    """Return two columns, the left one ``width`` wide."""
    return [
        Content.assemble(one, " " * (width + GAP - one.cell_length), other)
        for one, other in zip_longest(left, right, fillvalue=Content())
    ]


def pane_help(pane: Pane, status: Status | None, width: int, *, beside_rows: bool) -> list[Content]:
    """Return what the pane answers, what its columns (and what is ``beside_rows``) mean, and its hooks."""
    out = [Content.assemble((pane.name, "bold $strong"), "  ", (pane.question, "$muted")), Content()]
    shown = [column for column in pane.columns if not column.hidden]
    names = max(len(column.title) for column in shown)
    for column in shown:
        unit = UNIT_NAMES.get(column.unit)
        meaning = " ".join(column.help.split()) + (f"  [{unit}]" if unit else "")
        out += _entry(column.title, meaning, names, width)
    compared = pane.shape is Shape.TABLE and pane.event_totals is None
    if beside_rows and compared and any(has_trend(column) for column in pane.columns):
        out += _entry("▁▃▅▇", f"Beside the rows, where there is room.  {TREND_HELP}", names, width)
    if pane.shape is Shape.STACKS:
        explained = ((name, meaning.format(hertz=pane.hertz)) for name, meaning in STACKS_HELP)
        out += _group("Beside each line of the tree", explained, width)
    if status is not None and (status.hooks or status.refused):
        out += [Content(), Content.styled("Hooks", "bold $strong")]
        for group, variant in status.hooks.items():
            out += _entry(escape(group), escape(variant), 14, width)
        for program, why in status.refused.items():
            out += _entry(escape(program), "not taken: " + escape(why), 14, width)
    return out


def _entry(name: str, meaning: str, names: int, width: int) -> list[Content]:
    """Return ``name`` in its column, and ``meaning`` wrapped beside it."""
    room = max(width - names - 4, 20)
    first, *rest = wrap(meaning, room) or [""]
    indent = " " * (names + 4)
    return [
        Content.assemble("  ", (f"{name:<{names}}", "bold"), "  ", first),
        *(Content(indent + line) for line in rest),
    ]


def _keys(binding: Binding) -> str:
    """Return all keys of ``binding``, as they are written."""
    return " ".join(keys.KEY_NAMES.get(name, name) for name in keys.names(binding))


def _first(bindings: Iterable[Binding]) -> list[Binding]:
    """Return ``bindings`` with those of the same action (1 to 9) as one."""
    out: list[Binding] = []
    for binding in bindings:
        if binding.id == f"pane.{binding.key}":
            if binding.key == "1":
                out.append(keys.key("1-9", "", "", "The pane of that number", "pane.number"))
            continue
        out.append(binding)
    return out
