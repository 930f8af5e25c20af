"""Sampled stacks as a tree: by process, by name, or each cgroup's processes below it.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ktop.format import NOT_MEASURED, count
from ktop.frame import Rows
from ktop.pane import CGROUP
from ktop.text import escape
from ktop.text import visible as shown

Path: TypeAlias = int
"""What a node is, from one tree to the next: a hash of its parent's path and its own key; 0: the root.

Not the path itself: a stack can be hundreds of calls deep, and is looked up at every node.
"""
ROOT: Path = 0
HOT_SHARE = 0.6


@dataclass(slots=True)
class Node:
    """A process, or all of one name; a function where it is called from there; or a cgroup."""

    name: str
    """Escaped."""
    path: Path
    pids: set[int]
    """The processes that it is of."""
    depth: int
    """0 for those that no other is above."""
    group: tuple[str, bytes | None] | None = None
    """The column that its processes have in common, and what stands there; None: it is of one process."""
    function: bool = False
    kernel: bool = False
    total: int = 0
    """Samples in it and in what it calls."""
    own: int = 0
    """Samples in itself."""
    children: dict[Any, Node] = field(default_factory=dict)
    """By cgroup, pid, name or (kernel, name); after ``tree``, from most samples to fewest."""
    parent: Node | None = None
    """None: the root."""

    @property
    def is_cgroup(self) -> bool:
        """Whether processes stand below it."""
        return self.group is not None and self.group[0] == CGROUP.name

    @property
    def pid(self) -> int:
        """The process that it is of; 0: a cgroup, or several processes."""
        return next(iter(self.pids)) if len(self.pids) == 1 and not self.is_cgroup else 0

    def up(self) -> Iterator[Node]:
        """Yield the node and all above it but the root."""
        node = self
        while node.parent is not None:
            yield node
            node = node.parent


def tree(rows: Rows, *, per_cgroup: bool = False, per_name: bool = False) -> Node:
    """Return the root over all processes in ``rows``, which have the profile pane's columns.

    ``pid comm samples user_stack kernel_stack``; stacks are lists of frame
    names (text or bytes, unescaped), innermost last, or None where none was
    taken.  Rows of one process and stack are added up.  ``per_cgroup``: the
    processes stand below their cgroup, if the rows say which that is;
    ``per_name``: those of one name are one.
    """
    root = Node("", ROOT, set(), -1)
    if not rows:
        return root
    columns = [rows[name].tolist() for name in ("pid", "comm", "samples", "user_stack", "kernel_stack")]
    per_cgroup = per_cgroup and CGROUP.name in rows
    columns.append(rows[CGROUP.name].tolist() if per_cgroup else columns[0])
    for pid, comm, samples, user, kernel, cgroup in zip(*columns, strict=True):
        if math.isnan(samples) or math.isnan(pid):  # a recording may lack them
            continue
        number = int(samples)
        root.total += number
        node = root
        if per_cgroup:
            node = _child(root, cgroup, shown(cgroup) if cgroup else NOT_MEASURED, set())
            node.group = (CGROUP.name, cgroup)
            node.pids.add(int(pid))
            node.total += number
        if per_name:
            node = _child(root, comm, shown(comm or b"?"), set())
            node.group = ("comm", comm)
            node.pids.add(int(pid))
        else:
            node = _child(node, pid, f"{shown(comm or b'?')} ({pid})", {int(pid)})
        node.total += number
        for is_kernel, frames in ((False, user), (True, kernel)):
            for frame in frames or ():
                node = _child(node, (is_kernel, frame), frame, node.pids)
                node.total += number
        node.own += number
    for node in root.children.values() if per_name else ():
        if node.pid:
            node.group = None
        node.name += f" ({node.pid})" if node.pid else f" ({count(len(node.pids))} processes)"
    for node in walk(root):
        if len(node.children) > 1:
            node.children = dict(sorted(node.children.items(), key=_most_first))
    return root


def _child(parent: Node, key: Any, name: str | bytes, pids: set[int]) -> Node:
    node = parent.children.get(key)
    if node is None:
        function = isinstance(key, tuple)
        text = escape(name) if function else str(name)
        path, depth, kernel = hash((parent.path, key)), parent.depth + 1, function and key[0]
        node = Node(text, path, pids, depth, function=function, kernel=kernel, parent=parent)
        parent.children[key] = node
    return node


def _most_first(item: tuple[Any, Node]) -> tuple[int, str]:
    return -item[1].total, item[1].name


def walk(root: Node) -> Iterator[Node]:
    """Yield all nodes under and with ``root``, parents first."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children.values()))


def processes(root: Node) -> Iterator[Node]:
    """Yield the nodes whose children are functions."""
    for node in root.children.values():
        yield from node.children.values() if node.is_cgroup else (node,)


def twins(old: Node, new: Node, pid: int) -> dict[Path, Node]:
    """Return what each process and function under ``old`` is under ``new``, other groups of the same samples.

    Of several processes it is ``pid`` if that is among them, else the one with most samples.
    """
    by_pid: dict[int, Node] = {}
    for node in processes(new):
        for each in node.pids:
            by_pid.setdefault(each, node)
    waiting: list[tuple[Node, Node]] = []
    for node in processes(old):
        pids = [pid] if pid in node.pids and pid in by_pid else node.pids & by_pid.keys()
        if pids:
            waiting.append((node, max((by_pid[each] for each in pids), key=lambda each: each.total)))
    found: dict[Path, Node] = {}
    while waiting:
        one, other = waiting.pop()
        found[one.path] = other
        common = one.children.keys() & other.children.keys()
        waiting.extend((one.children[key], other.children[key]) for key in common)
    return found


def visible(root: Node, opened: set[Path]) -> list[Node]:
    """Return the nodes under ``root`` whose parents are all ``opened``, in the order of the screen."""
    nodes = []
    waiting = list(reversed(root.children.values()))
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        if node.children and node.path in opened:
            waiting.extend(reversed(node.children.values()))
    return nodes


def chain(node: Node) -> list[Node]:
    """Return ``node`` and its descendants for as long as each has one child only."""
    nodes = [node]
    while len(nodes[-1].children) == 1:
        nodes.extend(nodes[-1].children.values())
    return nodes


def hot_path(root: Node) -> list[Node]:
    """Return the path on which the samples are: from the first process down.

    Each node has most of its parent's samples (HOT_SHARE).  Empty where those of the process part at
    once: opened, it would only push the other processes out of sight.
    """
    nodes = list(root.children.values())[:1]
    while nodes:
        children = list(nodes[-1].children.values())
        if not children or children[0].total < HOT_SHARE * nodes[-1].total:
            break
        nodes.append(children[0])
    return nodes if len(nodes) > 1 else []
