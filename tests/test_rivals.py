"""Who took what a process waits for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop import registry
from ktop.frame import Array, Frame
from ktop.history.rivals import NEGLIGIBLE, PROCESSES, rivals
from ktop.process import TICK_NS
from tests.rows import frame_of

BIOTOP, CACHESTAT, RUNQLAT = map(registry.get, ("biotop", "cachestat", "runqlat"))
MINE = 1
TAKEN = st.integers(0, 10**6).map(float)
"""Whole numbers, whose sums do not depend on the order."""


def frames(pane, *ticks: list[tuple[int, int, bytes, float]]) -> list[Frame]:
    """Frames of rows (pid, start, disk, what it took); each PID has a name of its own."""
    found = []
    for tick in ticks:
        frame = frame_of(pane, len(tick))
        columns = zip(*tick, strict=True) if tick else ((), (), (), ())
        names = ("pid", "start_ns", "disk", pane.taken)
        rows: dict[str, Array] = {**frame.rows}
        for name, values in zip(names, columns, strict=True):
            if name in rows:
                rows[name] = np.array(values, dtype=rows[name].dtype if name != "disk" else "S8")
        rows["comm"] = np.array([b"p%d" % each[0] for each in tick], dtype="S16")
        rows["cgroup"] = np.full(len(tick), b"a.service")
        found.append(Frame(pane.name, frame.ts, 1.0, rows))
    return found


def of(rows) -> list[tuple[int, float]]:
    return list(zip(rows["pid"].tolist(), rows["total_us"].tolist(), strict=True)) if rows else []


def test_whoever_took_most_of_the_same_disk_comes_first():
    some = frames(
        BIOTOP,
        [(MINE, 5, b"sda", 10.0), (2, 6, b"sda", 70.0), (3, 7, b"sdb", 900.0)],
        [(2, 6, b"sda", 30.0), (4, 8, b"sda", 200.0), (2, 6, b"sdb", 500.0)],
    )
    assert of(rivals(BIOTOP, some, MINE, 5)) == [(4, 200.0), (2, 100.0)]
    assert of(rivals(BIOTOP, some, MINE, 5, most=1)) == [(4, 200.0)]
    assert of(rivals(BIOTOP, some, MINE, None)) == [(4, 200.0), (2, 100.0)]
    assert of(rivals(BIOTOP, some, 99, None)) == [], "it used no disk"
    assert rivals(BIOTOP, [], MINE, 5) == {}
    assert rivals(registry.get("execsnoop"), some, MINE, 5) == {}


def test_another_process_of_its_pid_is_another():
    some = frames(BIOTOP, [(MINE, 5, b"sda", 10.0), (MINE, 9, b"sda", 40.0), (2, 6, b"sda", np.nan)])
    assert of(rivals(BIOTOP, some, MINE, 5)) == [(MINE, 40.0)]


def test_a_start_known_to_a_clock_tick_is_enough_not_to_be_ones_own_rival():
    began = 3 * TICK_NS + 12_345
    some = frames(BIOTOP, [(MINE, began, b"sda", 10.0), (2, 6, b"sda", 70.0)])
    assert of(rivals(BIOTOP, some, MINE, 3 * TICK_NS)) == [(2, 70.0)]


@given(st.lists(st.tuples(st.integers(1, 4), st.just(1), st.just(b""), TAKEN), max_size=12))
def test_nobody_else_took_more_cpu(rows):
    found = rivals(RUNQLAT, frames(RUNQLAT, rows, rows), MINE, 1)
    took = {pid: 2 * sum(row[3] for row in rows if row[0] == pid) for pid in (2, 3, 4)}
    least = max(took.values()) * NEGLIGIBLE
    wanted = sorted((value for value in took.values() if value > 0 and value >= least), reverse=True)
    assert (found["cpu_us"].tolist() if found else []) == pytest.approx(wanted)


def test_processes_of_one_name_and_tenant_are_one_that_hides_no_other():
    (frame,) = frames(RUNQLAT, [(MINE, 1, b"", 5.0), *((pid, 1, b"", float(pid)) for pid in range(10, 20))])
    frame.rows["comm"][:] = b"worker"
    frame.rows["cgroup"][8:] = b"b.service"
    found = rivals(RUNQLAT, [frame, frame], MINE, 1)
    assert found[PROCESSES].tolist() == [7, 3]
    assert found["pid"].tolist() == [16, 19], "of each the one that took most"
    assert found["cpu_us"].tolist() == [2.0 * sum(range(10, 17)), 2.0 * sum(range(17, 20))]
    assert found["cgroup"].tolist() == [b"a.service", b"b.service"]


def test_of_a_cache_it_is_who_fills_it():
    misses = {MINE: 300.0, 2: 4_000.0, 3: 40.0, 4: 39.0}
    some = frames(CACHESTAT, [(pid, 5, b"", value) for pid, value in misses.items()])
    found = rivals(CACHESTAT, some, MINE, 5)
    assert found["pid"].tolist() == [2, 3]
    assert found["misses"].tolist() == [4_000, 40], "beside whom one of 39 is nobody"
