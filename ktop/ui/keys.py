"""Every key of the application, declared once; footer, help screen and palette follow from it.

The keys are those that hands know from htop, btop, below and atop.  None
kills anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from textual.binding import Binding, BindingType

from ktop.pane import CGROUP, Heatmap, Pane, Shape

Keymap: TypeAlias = Mapping[str, Sequence[str]]
"""Keys of the user's own by the ids of bindings; those that are not in it keep theirs."""


def key(  # noqa: PLR0913 - one for each field a Binding is given here
    keys: str,
    action: str,
    label: str,
    tooltip: str,
    ident: str,
    *,
    display: str | None = None,
    show: bool = False,
    priority: bool = False,
) -> Binding:
    """Return a Binding; only the first of its ``keys`` is shown in the footer."""
    return Binding(
        keys, action, label, tooltip=tooltip, id=ident, key_display=display, show=show, priority=priority
    )


APP: list[BindingType] = [
    key("q", "quit", "quit", "Leave; nothing of ktop stays in the kernel", "app.quit", show=True),
    # Inputs would take it for "copy"; a tool opened at 3 in the morning must obey it everywhere.
    key("ctrl+c,ctrl+q", "quit", "quit", "Leave, from anywhere", "app.interrupt", priority=True),
    key("ctrl+z", "suspend_process", "suspend", "Back to the shell, until fg", "app.suspend", priority=True),
    key("ctrl+l", "repaint", "repaint", "Draw the whole screen anew", "app.repaint", priority=True),
    key("?,f1", "help", "help", "All keys, and what every number means", "app.help", display="?", show=True),
    key(":,ctrl+p", "command_palette", "commands", "Find a command by its name", "app.palette", display=":"),
    key("-", "interval(-1)", "faster", "Sample more often", "app.faster"),
    key("+,=", "interval(1)", "slower", "Sample less often", "app.slower", display="+"),
    key("b", "measure_cost", "BPF cost", "Measure what the BPF programs cost, for 10 seconds", "app.cost"),
]

TIME: list[BindingType] = [
    key(
        "space",
        "pause",
        "pause",
        "Hold the picture, or go back to now; collecting goes on meanwhile",
        "time.pause",
        display="Space",
        show=True,
    ),
    key("[,t", "step(-1)", "history", "One sample back in time", "time.back", display="[ ]", show=True),
    key("],T", "step(1)", "forward in time", "One sample forward in time", "time.forward", display="]"),
    key("{", "leap(-60)", "a minute back", "One minute back", "time.minute_back"),
    key("}", "leap(60)", "a minute forward", "One minute forward", "time.minute_forward"),
]

PANES: list[BindingType] = [
    key("tab", "turn(1)", "pane", "The next pane", "pane.next", display="Tab", show=True),
    key("shift+tab", "turn(-1)", "previous pane", "The previous pane", "pane.previous"),
    *(key(str(n), f"pane({n})", f"pane {n}", f"Pane {n}", f"pane.{n}") for n in range(1, 10)),
]

VIEW: list[BindingType] = [
    key(
        "/,f",
        "filter",
        "filter",
        "Show only rows that match; stays on until cleared",
        "view.filter",
        display="/",
        show=True,
        priority=True,  # at once, so that what is typed next goes into the line
    ),
    key("S", "pick_sort", "sort", "Choose the column to sort by", "view.sort", show=True),
    key("<", "sort_next(-1)", "sort left", "Sort by the column to the left", "view.sort_left"),
    key(">", "sort_next(1)", "sort right", "Sort by the column to the right", "view.sort_right"),
    key("I", "reverse_sort", "invert", "Reverse the order", "view.reverse"),
    key(
        "F",
        "follow",
        "follow",
        "Follow the process under the cursor, in every pane with processes",
        "view.follow",
        show=True,
    ),
    key(
        "p",
        "per_process",
        "totals",
        "Totals per process (of execs: per parent, of stacks: per name), or each by itself",
        "view.per_process",
        show=True,
    ),
    key(
        "C",
        "per_cgroup",
        "cgroups",
        "Totals per container or unit, in every pane of processes (Enter: only its own), or each by itself",
        "view.per_cgroup",
        show=True,
    ),
    key(
        "x",
        "on_demand",
        "failed",
        "Also what is collected only on demand (failed execs)",
        "view.on_demand",
        show=True,
    ),
    key(
        "c",
        "chart",
        "heatmap",
        "Move the cursor over the heatmap, or over the table again",
        "view.chart",
        show=True,
    ),
    key("escape,backspace", "back", "back", "Back: to now, without filter", "view.back", display="Esc"),
]

MAIN: list[BindingType] = [*VIEW, *TIME, *PANES]

PROCESS: list[BindingType] = [
    key(
        "escape,backspace", "back", "back", "Back to where you were", "process.back", display="Esc", show=True
    ),
    key("p", "parent", "parent", "The process that started it", "process.parent", show=True),
    key("j", "scroll(1)", "down", "One line down", "process.down"),
    key("k", "scroll(-1)", "up", "One line up", "process.up"),
    key("g", "edge(0)", "top", "To the beginning", "process.first"),
    key("G", "edge(1)", "end", "To the end", "process.last"),
    *TIME,
    *PANES,
]

SORT: list[BindingType] = [
    key("enter", "choose", "sort", "Sort by this column", "sort.choose", display="Enter", show=True),
    key(
        "escape,backspace,S",
        "dismiss(None)",
        "back",
        "Leave the order as it is",
        "sort.close",
        display="Esc",
        show=True,
    ),
    key("j", "move(1)", "down", "One column down in the list", "sort.down"),
    key("k", "move(-1)", "up", "One column up in the list", "sort.up"),
]
HELP: list[BindingType] = [
    key(
        "escape,backspace,q,?,f1,enter,space",
        "close",
        "back",
        "Close the help",
        "help.close",
        display="Esc",
        show=True,
    ),
    key("j", "scroll(1)", "down", "One line down", "help.down"),
    key("k", "scroll(-1)", "up", "One line up", "help.up"),
    key("g", "edge(0)", "top", "To the beginning", "help.first"),
    key("G", "edge(1)", "end", "To the end", "help.last"),
]

LIVE_ONLY = frozenset({"app.cost", "view.on_demand"})
"""The ids of bindings that a recording answers with a sentence alone: they are not offered there."""
_OF_A_RECORDING = {
    "app.quit": "Leave",
    "app.faster": "Play the recording faster",
    "app.slower": "Play the recording slower",
    "time.pause": "Hold the picture, or go back to now; playing goes on meanwhile",
}
"""What bindings do there, by id."""

MAP: list[BindingType] = [
    key("left,h", "move(-1, 0)", "earlier", "Back in time", "heatmap.left"),
    key("right,l", "move(1, 0)", "later", "On in time", "heatmap.right"),
    key("up,k", "move(0, 1)", "longer", "One band up", "heatmap.up"),
    key("down,j", "move(0, -1)", "shorter", "One band down", "heatmap.down"),
    key("home,g", "move(-9999, 0)", "oldest", "To the oldest column", "heatmap.oldest"),
    key("end,G", "move(9999, 0)", "newest", "To the newest column", "heatmap.newest"),
    key(
        "enter",
        "choose",
        "that moment",
        "Hold the moment of this column: table and all other panes show it",
        "heatmap.choose",
        display="Enter",
        show=True,
    ),
    key("z", "zoom", "zoom", "1, 2, 5 or 10 intervals in one column", "heatmap.zoom", show=True),
    key(
        "escape,backspace",
        "leave",
        "table",
        "Back to the table",
        "heatmap.leave",
        display="Esc",
        show=True,
    ),
]
"""While the cursor is in the heatmap."""
MAP_MOVES: list[BindingType] = [
    key("left", "", "move", "Move the cursor", "heatmap.move", display="← ↓ ↑ →", show=True)
]
"""Its first four, as the line at the bottom names them."""

TABLE: list[BindingType] = [
    key("up,k", "move(-1)", "Up", "One row up", "table.up"),
    key("down,j", "move(1)", "Down", "One row down", "table.down"),
    key("pageup", "page(-1)", "Page up", "One screen of rows up", "table.page_up"),
    key("pagedown", "page(1)", "Page down", "One screen of rows down", "table.page_down"),
    key("home,g", "first", "First row", "To the first row", "table.first"),
    key("end,G", "last", "Last row", "To the last row", "table.last"),
    key("left,h", "sideways(-1)", "Left", "To the columns on the left, where not all fit", "table.left"),
    key("right,l", "sideways(1)", "Right", "To the columns on the right, where not all fit", "table.right"),
    key("enter", "select", "Open", "Open the process of this row", "table.select"),
]

STACKS: list[BindingType] = [
    key("up,k", "move(-1)", "Up", "One line up", "stacks.up"),
    key("down,j", "move(1)", "Down", "One line down", "stacks.down"),
    key("pageup", "page(-1)", "Page up", "One page up", "stacks.page_up"),
    key("pagedown", "page(1)", "Page down", "One page down", "stacks.page_down"),
    key("home,g", "move(-999999)", "First", "The first line", "stacks.first"),
    key("end,G", "move(999999)", "Last", "The last line", "stacks.last"),
    key("right,l", "open", "Open", "Open, down to where callers part; or go in", "stacks.open", show=True),
    key("left,h", "close", "Close", "Close, or go to the caller", "stacks.close", show=True),
    key("o", "open_or_close", "Toggle", "Open or close", "stacks.toggle"),
    key("e", "open_all", "Open all", "Open everything under the cursor", "stacks.open_all", show=True),
    key("c", "close_all", "Close all", "Close the whole tree", "stacks.close_all", show=True),
    key(
        "enter",
        "select",
        "Process",
        "The process screen of this line; where it is of several, nothing but those",
        "stacks.select",
        show=True,
    ),
]

TREE: list[BindingType] = [
    key("right", "", "open", "Open and close lines", "tree.open", display="→ ←", show=True)
]
"""The keys of the tree of stacks, as the line at the bottom names them."""

FILTER: list[BindingType] = [
    key("enter", "", "keep", "Keep the filter", "filter.keep", display="Enter", show=True),
    key("escape", "", "clear", "Clear the filter", "filter.clear", display="Esc", show=True),
]
"""While the filter is typed, as the line at the bottom names them: all other keys are letters then."""
CLEAR: list[BindingType] = [
    key("escape", "", "all rows", "Clear the filter", "view.back", display="Esc", show=True)
]
"""While a filter applies: nobody must have to look for the way back to all rows."""


def declared(bindings: Iterable[BindingType]) -> list[Binding]:
    """Return the Bindings among ``bindings``: those that say what they are for."""
    return [binding for binding in bindings if isinstance(binding, Binding)]


def names(binding: Binding) -> list[str]:
    """Return the keys of ``binding``."""
    return binding.key.split(",")


def shown_key(binding: Binding) -> str:
    """Return how the key of ``binding`` is written on the screen."""
    return binding.key_display or names(binding)[0]


def rebound(bindings: Iterable[BindingType], keymap: Keymap) -> list[Binding]:
    """Return ``bindings`` with the keys of ``keymap``, written as such."""
    return [_rebound(each, keymap) for each in declared(bindings)]


def _rebound(binding: Binding, keymap: Keymap) -> Binding:
    ident = binding.id or ""
    usual = _WRITTEN_TOGETHER.get(ident, {ident: names(binding)[0]})
    if keymap.keys().isdisjoint(usual):
        return binding
    first = [keymap[each][0] if each in keymap else key for each, key in usual.items()]
    return replace(
        binding,
        key=",".join(keymap.get(ident, names(binding))),
        key_display=" ".join(KEY_NAMES.get(key, key) for key in first),
    )


KEY_NAMES = {
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "shift+Tab",
    "escape": "Esc",
    "backspace": "Backspace",
    "enter": "Enter",
    "f1": "F1",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}
"""How keys are written where their name is not what stands on them."""

_WRITTEN_TOGETHER = {
    "time.back": {"time.back": "[", "time.forward": "]"},
    "heatmap.move": {
        "heatmap.left": "left",
        "heatmap.down": "down",
        "heatmap.up": "up",
        "heatmap.right": "right",
    },
    "tree.open": {"stacks.open": "right", "stacks.close": "left"},
}
"""Whose keys the line at the bottom names in one place, and what they usually are."""


def footer(opening: Iterable[BindingType], *groups: Iterable[BindingType]) -> list[Binding]:
    """Return what the line at the bottom shows: what opens a row (of ``opening``), then the ``groups``."""
    first = [
        replace(each, show=True, key_display="Enter", description="process")
        for each in declared(opening)
        if each.action == "select"
    ]
    own = declared([*MAP_MOVES, *MAP, *TREE, *FILTER, *CLEAR])
    return [
        *first,
        *(each for each in [*own, *(each for group in groups for each in declared(group))] if each.show),
    ]


def idle(pane: Pane, shown: Pane | None = None, *, on_map: bool = False) -> frozenset[str]:
    """Return the ids of the bindings that do nothing in ``pane``: its keys are shown without them.

    ``shown``: what the rows are of, where they are totals.  ``on_map``: whether the keyboard is the
    heatmap's, and not the rows'.
    """
    return frozenset(
        ident
        for ident, works in (
            ("table.select", pane.has_processes and not on_map),
            *((each.id, on_map) for each in declared([*MAP_MOVES, *MAP]) if each.id),
            ("tree.open", pane.shape is Shape.STACKS),
            *((each.id, False) for each in declared(FILTER) if each.id),
            *(
                (ident, pane.shape is not Shape.STACKS)
                for ident in ("view.sort", "view.sort_left", "view.sort_right", "view.reverse")
            ),
            ("view.follow", (shown or pane).has_processes),
            ("view.per_process", pane.adds_up_per_process),
            ("view.per_cgroup", pane.adds_up_per_cgroup),
            ("view.on_demand", bool(pane.on_demand)),
            ("view.chart", isinstance(pane.chart, Heatmap)),
        )
        if not works
    )


def not_typed(bindings: Iterable[BindingType]) -> frozenset[str]:
    """Return the ids of ``bindings`` that do nothing while the filter is typed."""
    typed = {each.id for each in declared(FILTER)}
    return frozenset(each.id for each in declared(bindings) if each.id and each.id not in typed)


def renamed(shown: Pane) -> dict[str, str]:
    """Return what bindings are called, by id, where they do something else in ``shown``, totals of a pane."""
    if shown.shape is Shape.STACKS:
        return {"view.per_process": "names"}
    return {"table.select": "its processes"} if shown.key == (CGROUP.name,) else {}


WHILE_HELD = {"time.pause": "resume", "time.back": "history"}
"""What the keys are called that lead on from a moment that is held, by id: then nobody must look for them."""


def working(bindings: Iterable[BindingType], pane: Pane | None) -> list[Binding]:
    """Return those of ``bindings`` that do something in ``pane``; all of them while there is none."""
    without = idle(pane) if pane is not None else frozenset()
    return [each for each in declared(bindings) if each.id not in without]


def worded(bindings: Iterable[BindingType], *, recorded: bool) -> list[Binding]:
    """Return ``bindings`` that say what they do: to what was ``recorded`` some do something else."""
    if not recorded:
        return declared(bindings)
    return [
        replace(each, tooltip=_OF_A_RECORDING.get(each.id or "", each.tooltip))
        for each in declared(bindings)
        if each.id not in LIVE_ONLY
    ]
