"""The stack shape: samples as a tree, process by process, opened with the keyboard."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ktop import format as fmt
from ktop import stacks
from ktop.frame import Rows
from ktop.stacks import Node, Path
from ktop.text import fit
from ktop.ui.blocks import Parts, bar, line
from ktop.ui.palette import Palette, palette

BAR = 12
WITH_BAR_FROM = 70
_NUMBERS = f"{'TOTAL':>6} {'SELF':>6} {'SAMPLES':>7}  "


class StackTree(ScrollView, can_focus=True):
    """The tree; only the visible lines are drawn, and open nodes stay open from one show to the next."""

    DEFAULT_CSS = "StackTree { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="stacks.up", tooltip="One line up"),
        Binding("down,j", "move(1)", "Down", show=False, id="stacks.down", tooltip="One line down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="stacks.page_up", tooltip="One page up"),
        Binding(
            "pagedown", "page(1)", "Page down", show=False, id="stacks.page_down", tooltip="One page down"
        ),
        Binding("home,g", "move(-999999)", "First", show=False, id="stacks.first", tooltip="The first line"),
        Binding("end,G", "move(999999)", "Last", show=False, id="stacks.last", tooltip="The last line"),
        Binding(
            "right", "open", "Open", id="stacks.open", tooltip="Open, down to where callers part; or go in"
        ),
        Binding("left", "close", "Close", id="stacks.close", tooltip="Close, or go to the caller"),
        Binding("o", "open_or_close", "Toggle", show=False, id="stacks.toggle", tooltip="Open or close"),
        Binding(
            "e", "open_all", "Open all", id="stacks.open_all", tooltip="Open everything under the cursor"
        ),
        Binding("c", "close_all", "Close all", id="stacks.close_all", tooltip="Close the whole tree"),
        Binding(
            "enter,p", "select", "Process", id="stacks.select", tooltip="The process screen of this line"
        ),
    ]

    class Selected(Message):
        """The user asks for the process of a line."""

        def __init__(self, pid: int) -> None:
            """Hold its id."""
            super().__init__()
            self.pid: int = pid

    def __init__(self, *, quiet: str = "no samples: nothing ran on a CPU", id: str | None = None) -> None:  # noqa: A002
        """Show nothing yet; ``quiet`` stands there while there are no samples."""
        super().__init__(id=id)
        self.quiet = quiet
        self.root = stacks.tree({})
        self.opened: set[Path] = set()
        self._touched = False
        """Whether the user has opened or closed anything: until then the hot path is open."""
        self._shown: list[Node] = []
        self._places: list[tuple[int, bool]] = []
        """Of each line: how far it is indented, and whether it has siblings."""
        self._cursor = 0
        self._at: Path | None = None

    # What is shown

    def show(self, rows: Rows) -> None:
        """Show the profile pane's ``rows`` (see ``ktop.stacks.tree``)."""
        self.root = stacks.tree(rows)
        if not self._touched:
            self.opened = {node.path for node in stacks.hot_path(self.root)}
        self._layout()

    @property
    def cursor(self) -> Node | None:
        """The node under the cursor."""
        return self._shown[self._cursor] if self._cursor < len(self._shown) else None

    def on_mount(self) -> None:
        """Follow the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def _layout(self) -> None:
        """List the visible nodes anew; the cursor stays on its node, or on what is left of its callers."""
        self._shown = stacks.visible(self.root, self.opened)
        indent = {(): -1}
        branching = {(): True}
        self._places = []
        for node in self._shown:
            parent = node.path[0]
            # Only children stand below their caller: deep stacks do not run off to the right.
            depth = indent[parent] + (1 if branching[parent] else 0)
            self._places.append((depth, branching[parent]))
            indent[node.path] = depth
            branching[node.path] = len(node.children) > 1 or node.depth == 0
        if self._at is not None:
            places = {node.path: place for place, node in enumerate(self._shown)}
            path = self._at
            while path and path not in places:
                path = path[0]
            self._cursor = places.get(path, self._cursor)
        self._cursor = min(self._cursor, max(len(self._shown) - 1, 0))
        self.virtual_size = Size(1, len(self._shown) + 1)
        self.refresh()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return the header, or the line of one node."""
        look, width = palette(self.app), self.scrollable_content_region.width
        if y == 0:
            strip = line(
                [(_NUMBERS + " " * (BAR + 2) * self._with_bar + "FUNCTION", look.style("muted"))], width
            )
            return strip.apply_style(self.rich_style)
        place = self.scroll_offset.y + y - 1
        if place >= len(self._shown):
            text = " " + self.quiet if y == 1 and not self._shown else ""
            return line([(text, look.style("muted"))], width).apply_style(self.rich_style)
        parts = self._line(look, self._shown[place], *self._places[place])
        strip = line(parts, width)
        if place != self._cursor:
            return strip.apply_style(self.rich_style)
        if look.glyphs:
            ground = look.style("", attributes="reverse" if self.has_focus else "underline")
        else:
            name = "block-cursor-background" if self.has_focus else "block-cursor-blurred-background"
            ground = look.style("", name)
        return Strip([Segment(text, (style or self.rich_style) + ground) for text, style, _ in strip], width)

    @property
    def _with_bar(self) -> bool:
        return self.scrollable_content_region.width >= WITH_BAR_FROM

    def _line(self, look: Palette, node: Node, indent: int, first: bool) -> Parts:
        whole = max(self.root.total, 1)
        own = fmt.percent(node.own / whole) if node.own else "·"
        parts: Parts = [
            (f"{fmt.percent(node.total / whole):>6} ", look.style("foreground")),
            (
                f"{own:>6} ",
                look.style("hot" if node.own * 10 >= whole else "foreground" if node.own else "faint"),
            ),
            (f"{fmt.count(node.total):>7}  ", look.style("muted")),
        ]
        if self._with_bar:
            mine = bar(node.own / whole, BAR).rstrip()
            rest = bar(node.total / whole, BAR)[len(mine) :]
            parts += [(mine, look.style("hot")), (rest, look.style("faint")), ("  ", None)]
        used = sum(len(text) for text, _ in parts)
        room = max(self.scrollable_content_region.width - used, 0)
        # However deep, a name keeps half of the room.
        shift = " " * (2 * min(max(indent, 0), room // 4))
        parts.append((f"{shift}{self._marker(node, first=first)} ", look.style("muted")))
        tail = " [k]" if node.kernel else ""
        color = "strong" if node.depth == 0 else "kernel" if node.kernel else "foreground"
        name = fit(node.name, max(room - len(shift) - 2 - len(tail), 1)).rstrip()
        return [*parts, (name, look.style(color)), (tail, look.style("muted"))]

    def _marker(self, node: Node, *, first: bool) -> str:
        """Return what stands before a name: closed, open, a link of a chain of only children, its end."""
        if node.children and node.path not in self.opened:
            return "▸"
        if node.children and (first or len(node.children) > 1):
            return "▾"
        return "│" if node.children else " " if first else "╰"

    # Keys and mouse

    def _go(self, place: int) -> None:
        self._cursor = min(max(place, 0), max(len(self._shown) - 1, 0))
        self._at = self._shown[self._cursor].path if self._shown else None
        # One line more at the top: the header lies over it.
        self.scroll_to_region(Region(0, self._cursor, 1, 2), animate=False, force=True)
        self.refresh()

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._go(self._cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._go(self._cursor + pages * max(self.size.height - 2, 1))

    def action_open(self) -> None:
        """Open the node down to where callers part; go in if it is open."""
        node = self.cursor
        if node is None or not node.children:
            return
        if node.path in self.opened:
            self._go(self._cursor + 1)
            return
        self._change(self.opened | {each.path for each in stacks.chain(node)})

    def action_close(self) -> None:
        """Close the node; go to its caller if it is closed."""
        node = self.cursor
        if node is None:
            return
        if node.children and node.path in self.opened:
            self._change(self.opened - {node.path})
        elif node.depth:
            place = next(place for place, other in enumerate(self._shown) if other.path == node.path[0])
            self._go(place)

    def action_open_or_close(self) -> None:
        """Open the node, or close it."""
        if self.cursor is not None and self.cursor.path in self.opened:
            self.action_close()
        else:
            self.action_open()

    def action_open_all(self) -> None:
        """Open everything under the cursor."""
        if self.cursor is not None:
            self._change(self.opened | {node.path for node in stacks.walk(self.cursor) if node.children})

    def action_close_all(self) -> None:
        """Close the whole tree; the cursor goes to its process."""
        self._change(set())

    def action_select(self) -> None:
        """Ask for the process of the line."""
        if self.cursor is not None:
            self.post_message(self.Selected(self.cursor.pid))

    def _change(self, opened: set[Path]) -> None:
        if self.cursor is not None:
            self._at = self.cursor.path
        self.opened, self._touched = opened, True
        self._layout()
        self._go(self._cursor)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the line; on the line of the cursor: open or close it."""
        place = self.scroll_offset.y + event.y - 1
        if event.y < 1 or place >= len(self._shown):
            return
        if place == self._cursor:
            self.action_open_or_close()
        else:
            self._go(place)
