"""Stacks become a tree in which nothing is lost and nothing is executed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ktop import stacks
from tests.ui.chart_frames import stack_rows

names = st.sampled_from(["main", "a", "b", "a;b", "\x1b[2J", "[bold]", "two\nlines", "\u202e", "ünï"])
a_stack = st.lists(names, max_size=6)
a_row = st.tuples(
    st.integers(0, 4), st.binary(max_size=8), st.integers(0, 1000), st.none() | a_stack, st.none() | a_stack
)


@given(st.lists(a_row, max_size=20))
def test_no_sample_is_lost(rows):
    root = stacks.tree(stack_rows(*rows))
    total = sum(row[2] for row in rows)
    assert root.total == total
    nodes = list(stacks.walk(root))
    assert sum(node.own for node in nodes) == total
    for node in nodes:
        assert node.total == node.own + sum(child.total for child in node.children.values())
        shares = [child.total for child in node.children.values()]
        assert shares == sorted(shares, reverse=True)
    assert len({node.path for node in nodes}) == len(nodes)


def test_names_are_escaped_and_kernel_is_told_from_user():
    root = stacks.tree(stack_rows((7, b"\x1b[31mred", 1, ["read\x07"], ["read\x07"])))
    process = next(iter(root.children.values()))
    chain = stacks.chain(process)
    assert [node.name for node in chain] == ["\\x1b[31mred (7)", "read\\x07", "read\\x07"]
    assert [node.kernel for node in chain] == [False, False, True]


def test_a_process_without_a_name_has_a_line():
    """A recording may lack any column."""
    rows = stack_rows((7, b"", 1, ["read"], None))
    rows["comm"] = np.array([None], object)
    root = stacks.tree(rows)
    assert [node.name for node in root.children.values()] == ["? (7)"]


def test_a_stack_is_as_deep_as_it_likes():
    frames = [f"f{depth}" for depth in range(20_000)]
    rows = stack_rows((7, b"x", 1, frames, None))
    first, again = stacks.tree(rows), stacks.tree(rows)
    opened = {node.path for node in stacks.walk(first)}
    assert len(stacks.visible(again, opened)) == 1 + len(frames)
    deepest = stacks.visible(again, opened)[-1]
    assert len(list(deepest.up())) == 1 + len(frames)


def test_only_open_nodes_show_their_children():
    root = stacks.tree(stack_rows((1, b"x", 5, ["a", "b"], None), (2, b"y", 3, ["c"], None)))
    assert [node.name for node in stacks.visible(root, set())] == ["x (1)", "y (2)"]
    first = next(iter(root.children.values()))
    assert [node.name for node in stacks.visible(root, {first.path})] == ["x (1)", "a", "y (2)"]


def test_hot_path_ends_where_the_samples_part():
    root = stacks.tree(
        stack_rows(
            (1, b"x", 50, ["main", "a"], None), (1, b"x", 50, ["main", "b"], None), (2, b"y", 9, ["c"], None)
        )
    )
    assert [node.name for node in stacks.hot_path(root)] == ["x (1)", "main"]
    assert stacks.hot_path(stacks.tree({})) == []


def test_there_is_no_hot_path_where_the_samples_of_the_first_process_part_at_once():
    parts = [(1, b"x", 10, [name], None) for name in "abcdefgh"]
    root = stacks.tree(stack_rows(*parts, (2, b"y", 9, ["c"], None)))
    assert stacks.hot_path(root) == []


def owned(*cgroups: bytes | None) -> dict[str, np.ndarray]:
    rows = stack_rows(
        (1, b"x", 5, ["a"], None),
        (2, b"y", 3, ["a"], None),
        (3, b"z", 4, ["b"], None),
        (2, b"y", 1, None, None),
    )
    return {**rows, "cgroup": np.array(cgroups, object)}


def test_processes_stand_below_their_cgroup():
    rows = owned(b"web.service", b"db[1]\x1b.scope", b"db[1]\x1b.scope", b"db[1]\x1b.scope")
    root = stacks.tree(rows, per_cgroup=True)
    database, web = root.children.values()
    assert [(node.name, node.total, node.own, node.pid) for node in (database, web)] == [
        ("db[1]\\x1b.scope", 8, 0, 0),
        ("web.service", 5, 0, 0),
    ]
    assert (database.group, database.function) == (("cgroup", b"db[1]\x1b.scope"), False)
    assert [(node.name, node.total, node.own) for node in database.children.values()] == [
        ("y (2)", 4, 1),
        ("z (3)", 4, 0),
    ]
    assert {node.depth: node.function for node in stacks.walk(root)} == {
        -1: False,
        0: False,
        1: False,
        2: True,
    }
    assert root.total == 13
    assert [node.name for node in stacks.tree(rows).children.values()] == ["x (1)", "y (2)", "z (3)"]


def of_names(*names: bytes) -> dict[str, np.ndarray]:
    """Processes 1, 2 ... of these names, the first with the most samples."""
    return stack_rows(
        *((pid, name, 20 - pid, ["main", f"f{pid}"], None) for pid, name in enumerate(names, start=1)),
        (1, names[0], 1, ["main"], ["schedule"]),
    )


def test_processes_of_one_name_are_one():
    root = stacks.tree(of_names(b"php", b"sh", b"php"), per_name=True)
    php, shell = root.children.values()
    assert [(node.name, node.total, node.pid, node.pids, node.group) for node in (php, shell)] == [
        ("php (2 processes)", 37, 0, {1, 3}, ("comm", b"php")),
        ("sh (2)", 18, 2, {2}, None),
    ]
    (main,) = php.children.values()
    assert (main.name, main.total, main.pid) == ("main", 37, 0)
    assert [(node.name, node.total) for node in main.children.values()] == [
        ("f1", 19),
        ("f3", 17),
        ("schedule", 1),
    ]
    assert next(iter(shell.children.values())).pid == 2


def test_a_name_has_what_its_processes_have_and_they_have_their_part_of_it():
    rows = of_names(b"php", b"sh", b"php")
    single, named = stacks.tree(rows), stacks.tree(rows, per_name=True)

    def pairs(old: stacks.Node, new: stacks.Node, pid: int = 0) -> dict[str, str]:
        found = stacks.twins(old, new, pid)
        return {node.name: found[node.path].name for node in stacks.walk(old) if node.path in found}

    there = {"main": "main", "f1": "f1", "f2": "f2", "f3": "f3", "schedule": "schedule"}
    names = {"php (1)": "php (2 processes)", "sh (2)": "sh (2)", "php (3)": "php (2 processes)"}
    assert pairs(single, named) == {**names, **there}
    assert pairs(named, single) == {
        "php (2 processes)": "php (1)",  # the one with most samples
        "sh (2)": "sh (2)",
        "main": "main",
        "f1": "f1",
        "f2": "f2",
        "schedule": "schedule",
    }
    assert pairs(named, single, pid=3)["php (2 processes)"] == "php (3)"
    assert "f1" not in pairs(named, single, pid=3)
    below = stacks.tree({**rows, "cgroup": np.array([b"x"] * 4, object)}, per_cgroup=True)
    assert pairs(single, below) == {**{name: name for name in names}, **there}
    assert pairs(below, named) == {**names, **there}


def test_what_has_no_known_cgroup_stands_by_itself():
    nameless = stacks.tree(owned(None, b"a.service", None, b"a.service"), per_cgroup=True)
    assert [(node.name, node.total, node.pid) for node in nameless.children.values()] == [
        ("–", 9, 0),
        ("a.service", 4, 0),
    ]
    rows = owned()
    del rows["cgroup"]
    assert [node.pid for node in stacks.tree(rows, per_cgroup=True).children.values()] == [1, 2, 3]
