"""Sampled stacks as a tree: process by process, or each cgroup's processes below it.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ktop.format import NOT_MEASURED
from ktop.frame import Rows
from ktop.pane import CGROUP
from ktop.text import escape
from ktop.text import visible as shown

Path: TypeAlias = int
"""What a node is, from one tree to the next: a hash of its parent's path and its own key; 0: the root.

Not the path itself: a stack can be hundreds of calls deep, and is looked up at every node.
"""
ROOT: Path = 0


@dataclass(slots=True)
class Node:
    """A process, a function where it is called from there, or a cgroup."""

    name: str
    """Escaped."""
    path: Path
    pid: int
    """0: a cgroup."""
    depth: int
    """0 for those that no other is above."""
    cgroup: bytes | None = None
    """What is known of it where the node is one."""
    function: bool = False
    kernel: bool = False
    total: int = 0
    """Samples in it and in what it calls."""
    own: int = 0
    """Samples in itself."""
    children: dict[Any, Node] = field(default_factory=dict)
    """By cgroup, pid or (kernel, name); after ``tree``, from most samples to fewest."""
    parent: Node | None = None
    """None: the root."""

    def up(self) -> Iterator[Node]:
        """Yield the node and all above it but the root."""
        node = self
        while node.parent is not None:
            yield node
            node = node.parent


def tree(rows: Rows, *, per_cgroup: bool = False) -> Node:
    """Return the root over all processes in ``rows``, which have the profile pane's columns.

    ``pid comm samples user_stack kernel_stack``; stacks are lists of frame
    names (text or bytes, unescaped), innermost last, or None where none was
    taken.  Rows of one process and stack are added up.  ``per_cgroup``: the
    processes stand below their cgroup, if the rows say which that is.
    """
    root = Node("", ROOT, 0, -1)
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
            node = _child(root, cgroup, shown(cgroup) if cgroup else NOT_MEASURED, 0)
            node.cgroup = cgroup
            node.total += number
        node = _child(node, pid, f"{shown(comm or b'?')} ({pid})", int(pid))
        node.total += number
        for is_kernel, frames in ((False, user), (True, kernel)):
            for frame in frames or ():
                node = _child(node, (is_kernel, frame), frame, int(pid))
                node.total += number
        node.own += number
    for node in walk(root):
        if len(node.children) > 1:
            node.children = dict(sorted(node.children.items(), key=_most_first))
    return root


def _child(parent: Node, key: Any, name: str | bytes, pid: int) -> Node:
    node = parent.children.get(key)
    if node is None:
        function = isinstance(key, tuple)
        text = escape(name) if function else str(name)
        path, depth, kernel = hash((parent.path, key)), parent.depth + 1, function and key[0]
        node = Node(text, path, pid, depth, function=function, kernel=kernel, parent=parent)
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


def hot_path(root: Node, share: float = 0.6) -> list[Node]:
    """Return the path on which the samples are: from the first process down.

    Each node has at least ``share`` of its parent's samples.
    """
    nodes = list(root.children.values())[:1]
    while nodes:
        children = list(nodes[-1].children.values())
        if not children or children[0].total < share * nodes[-1].total:
            break
        nodes.append(children[0])
    return nodes
