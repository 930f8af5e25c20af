"""The stack shape: samples as a tree, by process, name or cgroup, opened with the keyboard."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from ktop import format as fmt
from ktop import stacks
from ktop.frame import Rows
from ktop.stacks import Node, Path
from ktop.text import fit
from ktop.ui import keys
from ktop.ui.blocks import Parts, bar, cells, cut
from ktop.ui.line_widget import Finished
from ktop.ui.palette import Palette, palette
from ktop.ui.pane_rows import Snapshot
from ktop.ui.rows_view import RowsView
from ktop.ui.view import Followed

BAR = 12
WITH_BAR_FROM = 70
_NUMBERS = f"{'TOTAL':>6} {'SELF':>6} {'SAMPLES':>7}  "


class StackTree(RowsView, can_focus=True):
    """The tree; only the visible lines are drawn, and open nodes stay open from one show to the next."""

    DEFAULT_CSS = "StackTree { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size: 0 1; }"

    BINDINGS = keys.STACKS

    class Selected(Message):
        """The user asks for the process of a line; or, where the line is of several, for those."""

        def __init__(self, pid: int, group: tuple[str, bytes | None] | None = None) -> None:
            """Hold the process's id, or what the several have in common (see ``Node.group``)."""
            super().__init__()
            self.pid, self.group = pid, group

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__()
        self.quiet = ""
        """What stands there while there are no samples."""
        self.root = stacks.tree({})
        self._most = 1
        self.opened: set[Path] = set()
        self._groups = (False, False)
        """Whether lines are per cgroup, or per name."""
        self._last_pid = 0
        """The process that the cursor was on before it came to several: it goes back there."""
        self._touched = False
        """Whether the user has opened or closed anything: until then the hot path is open."""
        self._shown: list[Node] = []
        self._places: list[tuple[int, bool]] = []
        """Of each line: how far it is indented, and whether it has siblings."""
        self._cursor = 0
        self._at: list[Path] = []
        """The node under the cursor, and all above it."""
        self._base: Style | None = None

    # What is shown

    def show(self, rows: Rows, *, per_cgroup: bool = False, per_name: bool = False) -> None:
        """Show the profile pane's ``rows``, as ``ktop.stacks.tree`` has them.

        What is open stays so, and the cursor on what it is, from one of these ways to the other too.
        """
        root = stacks.tree(rows, per_cgroup=per_cgroup, per_name=per_name)
        regrouped = self._groups != (per_cgroup, per_name)
        self._groups = per_cgroup, per_name
        if regrouped:
            self._carry_over(root)
        self.root = root
        # Bars are to compare lines by: shares of all samples are often all small.
        self._most = max((top.total for top in root.children.values()), default=1)
        if not self._touched:
            # Of cgroups none is open: they are to be compared.
            hot = () if per_cgroup else stacks.hot_path(self.root)
            self.opened = {node.path for node in hot}
        self._layout()
        if regrouped:
            self._go(self._cursor)

    def _carry_over(self, root: Node) -> None:
        """Open under ``root``, of other groups, what is open, and mean the same with the cursor."""
        node = self.cursor
        if node is None:
            return
        if node.is_cgroup:
            below = list(node.children.values())
            node = next((each for each in below if each.pid == self._last_pid), below[0])
        self._last_pid = node.pid or self._last_pid
        twins = stacks.twins(self.root, root, self._last_pid)
        self.opened = self.opened | {twins[path].path for path in self.opened & twins.keys()}
        twin = next((twins[each.path] for each in node.up() if each.path in twins), None)
        if twin is not None:
            self._at = [each.path for each in twin.up()]

    def show_snapshot(self, found: Snapshot) -> None:
        """Show the rows of ``found``, or why there are none."""
        self.quiet = found.empty_text
        self.show(found.rows, per_cgroup=found.per_cgroup, per_name=found.per_name)

    @property
    def cursor(self) -> Node | None:
        """The node under the cursor."""
        return self._shown[self._cursor] if self._cursor < len(self._shown) else None

    @property
    def process(self) -> Followed | None:
        """The process that the line under the cursor is of: stacks do not say when it started."""
        return Followed(self.cursor.pid, None) if self.cursor is not None and self.cursor.pid else None

    def is_on(self, process: Followed) -> bool:
        """Return whether the line under the cursor is of ``process``, if of others too, but of no cgroup."""
        return self.cursor is not None and not self.cursor.is_cgroup and process.pid in self.cursor.pids

    def follow_process(self, process: Followed | None) -> None:
        """Bring the cursor back to ``process``; it stays where it is when that has no samples."""
        if process is None or self.is_on(process):
            return
        # It may be below a cgroup that is closed.
        tops = self.root.children.values()
        above = {node.path for node in tops if node.is_cgroup and process.pid in node.pids}
        if above - self.opened:
            self._change(self.opened | above)
        here = (place for place, node in enumerate(self._shown) if process.pid in node.pids)
        place = next((place for place in here if not self._shown[place].is_cgroup), None)
        if place is not None:
            self._go(place)

    def _layout(self) -> None:
        """List the visible nodes anew; the cursor stays on its node, or on what is left of its callers."""
        before = self.drawn()
        self._shown = stacks.visible(self.root, self.opened)
        indent = {stacks.ROOT: -1}
        branching = {stacks.ROOT: True}
        self._places = []
        for node in self._shown:
            parent = node.parent.path if node.parent is not None else stacks.ROOT
            # Only children stand below their caller: deep stacks do not run off to the right.
            depth = indent[parent] + (1 if branching[parent] else 0)
            self._places.append((depth, branching[parent]))
            indent[node.path] = depth
            branching[node.path] = len(node.children) > 1 or not node.function
        if self._at:
            places = {node.path: place for place, node in enumerate(self._shown)}
            self._cursor = next((places[path] for path in self._at if path in places), self._cursor)
        self._cursor = min(self._cursor, max(len(self._shown) - 1, 0))
        self.forget()
        self.set_extent(1, len(self._shown))
        self.refresh_changed(before)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return the header, or the line of one node."""
        return self.kept_header() if y == 0 else self.kept_strip(self.scroll_offset.y + y - 1)

    def header_strip(self) -> Strip:
        """Return the names of the columns."""
        return self._on_ground(
            [(_NUMBERS + " " * (BAR + 2) * self._with_bar + "FUNCTION", self._look.style("muted"))]
        )

    def line_strip(self, place: int) -> Strip:
        """Return the line of the node at ``place``."""
        if place >= len(self._shown):
            text = " " + self.quiet if not place else ""
            return self._on_ground([(text, self._look.style("muted"))])
        parts = self._line(self._look, self._shown[place], *self._places[place])
        if place != self._cursor:
            return self._on_ground(parts)
        return self._on_ground(parts, self._cursor_style())

    def _cursor_style(self) -> Style:
        """Return what lies over the line under the cursor: as that of the tables."""
        look, focused = self._look, self.has_focus
        if not look.glyphs:
            return look.style("", "block-cursor-background" if focused else "block-cursor-blurred-background")
        if focused and not self.app.no_color:
            # With 16 colours nothing but this can be read on that ground.
            return look.style("block-cursor-foreground", "block-cursor-background") + Style(dim=False)
        return look.style("", attributes="reverse" if focused else "underline")

    @property
    def _look(self) -> Palette:
        return palette(self.app)

    @property
    def _width(self) -> int:
        """How wide the lines are: the last cell is the scroll bar's, whether it shows or not."""
        return max(1, self.outer_size.width - 1)

    def _on_ground(self, parts: Parts, over: Style | None = None) -> Strip:
        """Return ``parts``, cut where the scroll bar begins, as a line as wide as the widget."""
        if self._base is None:
            self._base = self.rich_style  # dear to ask for
        base, over, width = self._base, over or Style.null(), self.outer_size.width
        # The scroll bar lies over the last cell.
        parts = cut(parts, self._width)
        parts.append((" " * (width - cells(parts)), None))
        return Finished([Segment(text, base + style + over) for text, style in parts], width)

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.forget()
        self.set_extent(1, len(self._shown))
        self.refresh()

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._base = None
        self.forget()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Draw the cursor as one that keys move, or not."""
        super().watch_has_focus(has_focus)
        self.forget()

    @property
    def _with_bar(self) -> bool:
        return self._width >= WITH_BAR_FROM

    def _line(self, look: Palette, node: Node, indent: int, first: bool) -> Parts:
        whole = max(self.root.total, 1)
        own = fmt.percent(node.own / whole) if node.own else "·"
        hot = node.own * 10 >= whole
        parts: Parts = [
            (f"{fmt.percent(node.total / whole):>6} ", look.style("foreground")),
            (
                f"{own:>6} ",
                look.style("hot" if hot else "foreground" if node.own else "faint"),
            ),
            (f"{fmt.count(node.total):>7}  ", look.style("muted")),
        ]
        if self._with_bar:
            mine = bar(node.own / self._most, BAR).rstrip()
            rest = bar(node.total / self._most, BAR)[len(mine) :]
            parts += [(mine, look.style("hot" if hot else "muted")), (rest, look.style("faint"))]
            parts.append(("  ", None))
        used = sum(len(text) for text, _ in parts)
        room = max(self._width - used, 0)
        # However deep, a name keeps half of the room.
        shift = " " * (2 * min(max(indent, 0), room // 4))
        parts.append((f"{shift}{self._marker(node, first=first)} ", look.style("muted")))
        tail = " [k]" if node.kernel else ""
        color = "kernel" if node.kernel else "foreground" if node.function else "strong"
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
        before, self._cursor = self._cursor, min(max(place, 0), max(len(self._shown) - 1, 0))
        for changed in (before, self._cursor):
            self._strips.pop(changed, None)
        self._remember()
        # One line more at the top: the header lies over it.
        self.scroll_to_region(Region(0, self._cursor, 1, 2), animate=False, force=True)
        self.refresh()

    def _remember(self) -> None:
        self._at = [node.path for node in self.cursor.up()] if self.cursor is not None else []

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
            place = next(place for place, other in enumerate(self._shown) if other is node.parent)
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
            group = next((node.group for node in self.cursor.up() if node.group), None)
            self.post_message(self.Selected(self.cursor.pid, group))

    def _change(self, opened: set[Path]) -> None:
        self._remember()
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
