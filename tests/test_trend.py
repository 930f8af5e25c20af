"""One column of some rows over the last Frames: of the right rows, at the right places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ktop import registry
from ktop.frame import Array, Frame, take
from ktop.history.history import _CACHED_BLOCKS, BLOCK_FRAMES, HOT_FRAMES, History
from ktop.pane import START, Column, Fold, Unit
from ktop.tables.trend import has_trend, trend
from tests.ui.synthetic import CACHESTAT, RUNQLAT


def frames(number: int, pids: int = 5) -> list[Frame]:
    """Process 7 has accesses in all of ``number`` Frames, 8 and on in every other."""
    made = []
    for tick in range(number):
        pid = np.arange(7, 7 + pids)[: None if tick % 2 else 1][::-1]
        rows = {"pid": pid, "comm": np.full(len(pid), b"x"), "accesses": 100 * tick + pid, "hits": pid}
        made.append(Frame("cachestat", float(tick), 1.0, CACHESTAT.derive(rows)))
    return made


def of(pids: list[int]) -> dict[str, Array]:
    return {"pid": np.array(pids)}


def test_what_adds_up_is_zero_where_there_is_no_row():
    values = trend(CACHESTAT, of([9, 7, 99]), frames(4), "accesses")
    assert values.tolist() == [[0, 109, 0, 309], [7, 107, 207, 307], [0, 0, 0, 0]]


def test_what_does_not_is_not_known_there():
    values = trend(CACHESTAT, of([9]), frames(4), "hit_ratio")
    assert np.isnan(values[0]).tolist() == [True, False, True, False]
    assert values[0, 3] == pytest.approx(9 / 309)


def test_rows_that_the_history_dropped_are_not_known_either():
    shown = frames(4)
    shown[0] = replace(shown[0], dropped=1)
    values = trend(CACHESTAT, of([9, 7]), shown, "accesses")
    assert np.isnan(values[0, 0])
    assert values[1, 0] == 7
    # Of totals some of the parts may be there.
    values = trend(CACHESTAT, of([9, 7]), shown, "accesses", totals=True)
    assert np.isnan(values[:, 0]).all()
    assert values[1, 1] == 107
    pane = replace(RUNQLAT, key=("pid",))
    some = Frame("runqlat", 1.0, 1.0, {"pid": np.array([7]), "max_us": np.array([3.0])}, dropped=1)
    assert np.isnan(trend(pane, of([7]), [some], "max_us", totals=True)).all()


def test_what_was_not_measured_is_not_nothing():
    rows = {
        "pid": np.array([7, 7, 8]),
        "accesses": np.array([np.nan, 10, np.nan]),
        "hit_ratio": np.full(3, np.nan),
    }
    rows["hit_ratio"][1] = 0.5
    shown = [Frame("p", 1.0, 1.0, rows), Frame("p", 2.0, 1.0, {})]
    np.testing.assert_array_equal(trend(CACHESTAT, of([7, 8]), shown, "accesses"), [[np.nan, 0]] * 2)
    ratios = trend(CACHESTAT, of([7, 8]), shown, "hit_ratio")
    np.testing.assert_array_equal(ratios, [[0.5, np.nan], [np.nan, np.nan]])


def test_another_process_of_the_same_pid_is_another_row():
    started = Column(START, "START", Unit.NUMBER, "Start of the process.", Fold.LAST, hidden=True)
    pane = replace(CACHESTAT, key=("pid", START), columns=(*CACHESTAT.columns, started))
    rows = {"pid": np.array([7, 7]), START: np.array([1, 2]), "accesses": np.array([10, 20])}
    values = trend(pane, take(rows, slice(1, 2)), [Frame("p", 1.0, 1.0, rows)], "accesses")
    assert values.tolist() == [[20]]


def test_rows_are_told_apart_by_all_of_their_key():
    pane = replace(CACHESTAT, key=("pid", "comm", "cgroup"))
    rows = {
        "pid": np.array([7, 7, 7, 8, 8]),
        "comm": np.array([b"a", b"ab", b"a", b"a", b"a"]),
        "cgroup": np.array([b"x", b"x", None, None, b"x"], dtype=object),
        "accesses": np.array([1, 2, 4, 8, 16]),
    }
    few = {**take(rows, np.array([0, 3])), "comm": np.array([b"a", b"a"])}  # as wide as the longest there
    shown = [Frame("p", 1.0, 1.0, few), Frame("p", 2.0, 1.0, rows)]
    values = trend(pane, take(rows, np.array([4, 2, 1, 0])), shown, "accesses")
    assert values.tolist() == [[0, 16], [0, 4], [0, 2], [1, 1]]
    assert trend(pane, take(rows, slice(3, 4)), shown, "accesses").tolist() == [[8, 8]]


def test_what_adds_up_is_per_second_whatever_the_interval():
    rows = {
        "pid": np.array([7]),
        "comm": np.array([b"x"]),
        "accesses": np.array([100]),
        "hit_ratio": np.array([0.5]),
    }
    shown = [Frame("p", 1.0, 1.0, rows), Frame("p", 5.0, 4.0, {**rows, "accesses": np.array([400])})]
    assert trend(CACHESTAT, take(rows, slice(1)), shown, "accesses").tolist() == [[100, 100]]
    assert trend(CACHESTAT, take(rows, slice(1)), shown, "hit_ratio").tolist() == [[0.5, 0.5]]


def test_what_is_derived_of_sums_adds_up_as_they_do():
    """By it tcptop is sorted, and it is looked at most."""
    pane = registry.get("tcptop")
    rows = pane.derive({"cookie": np.array([1]), "tx_bytes": np.array([60]), "rx_bytes": np.array([40])})
    none = {name: column[:0] for name, column in rows.items()}
    shown = [Frame(pane.name, 1.0, 1.0, none), Frame(pane.name, 5.0, 4.0, rows)]
    assert trend(pane, rows, shown, pane.sort).tolist() == [[0, 25]]
    assert has_trend(pane.column(pane.sort), totals=True)


def test_totals_have_a_trend_of_what_can_be_told_from_their_parts():
    rows = {"pid": np.array([7, 7]), "waits": np.array([10, 20]), "max_us": np.array([3.0, 2.0])}
    shown = [Frame("runqlat", 1.0, 1.0, rows)]
    assert trend(RUNQLAT, of([7]), shown, "waits").tolist() == [[30]]
    assert has_trend(RUNQLAT.column("waits"), totals=True)
    assert not has_trend(CACHESTAT.column("hit_ratio"), totals=True)
    assert has_trend(registry.get("tcptop").column("srtt_us"), totals=True)
    assert has_trend(CACHESTAT.column("hit_ratio"))
    assert not has_trend(CACHESTAT.column("comm"))


def test_without_frames_or_rows_there_is_nothing():
    assert trend(CACHESTAT, of([7]), [], "accesses").shape == (1, 0)
    assert trend(CACHESTAT, of([]), frames(3), "accesses").shape == (0, 3)


def test_small_frames_are_at_hand_for_a_minute_and_big_ones_while_they_are_hot():
    history = History([CACHESTAT])
    for frame in frames(200):
        history.add(frame)
    found = [frame.ts for frame in history.at_hand("cachestat")]
    assert found == [float(ts) for ts in range(200 - len(found), 200)]
    assert len(found) >= HOT_FRAMES + 3 * BLOCK_FRAMES
    assert history.at_hand("cachestat", until=150.0)[-1].ts == 150.0
    assert history.at_hand("nothing") == []
    for until in range(200):
        history.at_hand("cachestat", until=float(until))
    assert len(history._cache) == _CACHED_BLOCKS < len(history._tracks["cachestat"].blocks)
    big = History([CACHESTAT], budget_bytes=1 << 20)
    for frame in frames(60, pids=20_000):
        big.add(frame)
    unpacked = [block for block in big._tracks["cachestat"].blocks if (block, block.version) in big._cache]
    assert [frame.ts for frame in big.at_hand("cachestat")][-1] == 59.0
    assert not unpacked
