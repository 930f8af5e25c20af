"""Where a row is."""

from __future__ import annotations

import numpy as np

from ktop import registry
from ktop.tables.order import find, order


def test_a_row_is_found_by_what_was_not_measured_too() -> None:
    numbers = {"pid": np.array([3, 3, 4]), "start_ns": np.array([5.0, np.nan, np.nan])}
    objects = {**numbers, "start_ns": np.array([5.0, np.nan, None], dtype=object)}
    for rows in (numbers, objects):
        assert find(rows, {"pid": 3, "start_ns": float("nan")}) == 1
        assert find(rows, {"pid": 3, "start_ns": 5}) == 0
    assert find(numbers, {"pid": 4, "start_ns": float("nan")}) == 2
    assert find(objects, {"pid": 4, "start_ns": float("nan")}) == -1
    assert find({"pid": np.array([3])}, {"pid": float("nan")}) == -1
    assert find(numbers, {"start_ns": None}) == -1


def test_a_row_is_found_by_an_address_of_any_end() -> None:
    raws = [bytes(15) + b"\1", b"\1" + bytes(15), bytes(16)]
    rows = {"raddr": np.frombuffer(b"".join(raws), "V16")}
    assert [find(rows, {"raddr": raw}) for raw in raws] == [0, 1, 2]
    assert find(rows, {"raddr": b"\2" + bytes(15)}) == -1


def test_there_is_no_row_where_there_are_none_or_nothing_tells_them_apart() -> None:
    assert find({"pid": np.array([3])}, {"ppid": 3}) == -1
    assert find({"pid": np.array([])}, {"pid": 3}) == -1


def test_connections_are_sorted_by_address_or_as_they_are_by_what_they_lack() -> None:
    pane = registry.get("tcptop")
    last = np.array([3, 1, 2], dtype=">u4")
    rows = {"raddr": np.pad(last.view("u1").reshape(3, 4), ((0, 0), (12, 0))).view("V16")[:, 0]}
    assert order(pane, rows, "raddr").tolist() == [1, 2, 0]
    assert order(pane, rows, "raddr", reverse=True).tolist() == [0, 2, 1]
    assert order(pane, rows, "laddr").tolist() == [0, 1, 2]


def test_what_is_by_cpu_is_sorted_by_its_sum_and_equals_by_the_numbers_of_the_key_in_turn() -> None:
    by_cpu = {"irq": np.array([b"1", b"2"]), "cpus": np.array([[9, 0], [5, 5]])}
    assert order(registry.get("hardirqs"), by_cpu, "cpus").tolist() == [1, 0]
    rows = {"pid": np.array([2, 1, 1]), "start_ns": np.array([1, 3, 2]), "errors": np.zeros(3)}
    assert order(registry.get("biotop"), rows, "errors").tolist() == [2, 1, 0]
