"""The history: bounded, honest about what it dropped, right about one process."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ktop.frame import Array, Facts, Frame, Histogram, Reading, Sample, Status
from ktop.history import block
from ktop.history.across import across
from ktop.history.history import Held, History, frame_bytes
from ktop.pane import Column, Fold, Pane, Shape, Unit
from ktop.process import TICK_NS, Process, read
from ktop.recording import codec
from ktop.source import HOST
from ktop.stats import ratio


def compute(previous: Reading, current: Reading, facts: Facts) -> Sample:
    raise AssertionError


def derive(rows: dict[str, Array]) -> dict[str, Array]:
    return rows | {"avg_us": ratio(rows["total_us"], rows["waits"])}


COLUMNS = (
    Column("pid", "PID", Unit.NUMBER, "Who.", Fold.LAST),
    Column("start_ns", "START", Unit.NUMBER, "Since when.", Fold.LAST, hidden=True),
    Column("disk", "DISK", Unit.TEXT, "Where.", Fold.LAST),
    Column("waits", "WAITS", Unit.COUNT, "How often."),
    Column("total_us", "TOTAL", Unit.US, "How long."),
    Column("max_us", "MAX", Unit.US, "How long at most.", Fold.MAX),
    Column("avg_us", "AVG", Unit.US, "How long on average.", Fold.DERIVED),
)
PANE = Pane("waits", "?", "x", COLUMNS, ("pid", "start_ns"), "total_us", compute, derive)
BY_DISK = Pane("disks", "?", "x", COLUMNS, ("pid", "disk"), "total_us", compute, derive)
EVENTS = Pane("execs", "?", "x", COLUMNS, ("pid", "start_ns"), "total_us", compute, shape=Shape.EVENTS)


def frame(ts: float, pids: list[int], pane: Pane = PANE, start: int = 1, disk: bytes = b"sda") -> Frame:
    count = len(pids)
    rows: dict[str, Array] = {
        "pid": np.array(pids, dtype=np.int32),
        "start_ns": np.full(count, start, dtype=np.uint64),
        "disk": np.full(count, disk),
        "waits": np.full(count, 2, dtype=np.uint64),
        "total_us": np.array(pids, dtype=np.float64),
        "max_us": np.full(count, ts % 10),
    }
    histogram = Histogram(np.array([0.0, 1.0, np.inf]), np.array([count, 1], dtype=np.uint64))
    return Frame(
        pane.name, ts, 1.0, derive(rows), {"total": float(count)}, (histogram,), Status({"switch": "tp_btf"})
    )


def filled(count: int, pids: list[int], **options: float) -> History:
    history = History([PANE, BY_DISK, EVENTS], **options)  # type: ignore[arg-type]
    for ts in range(count):
        history.add(frame(float(ts), pids))
    return history


def test_frames_come_back_whole_hot_and_packed() -> None:
    history = filled(100, [3, 1, 2])
    assert [each.ts for each in history.frames("waits")] == list(range(100))
    for at in (0.0, 50.5, 99.0):
        found = history.latest("waits", at)
        assert found is not None
        assert found.ts == int(at)
        assert found.rows["pid"].tolist() == [3, 1, 2]
        assert found.rows["disk"].tolist() == [b"sda"] * 3
        assert found.rows["avg_us"].tolist() == [1.5, 0.5, 1.0]
        assert found.host == {"total": 3.0}
        assert found.histograms[0].counts.tolist() == [3, 1]
        assert found.status.hooks == {"switch": "tp_btf"}
        assert found.dropped == 0
    assert history.span() == (0.0, 99.0)


def test_the_newest_frame_is_the_very_one() -> None:
    history = filled(5, [1])
    newest = frame(9.0, [4])
    history.add(newest)
    assert history.latest("waits") is newest


def test_between() -> None:
    history = filled(100, [1])
    assert [each.ts for each in history.frames("waits", 20.5, 23)] == [21.0, 22.0, 23.0]
    assert history.frames("nothing") == []
    assert history.latest("waits", -1.0) is None
    assert history.latest("nothing") is None
    assert history.span("nothing") is None


def test_what_is_too_old_goes_also_of_a_pane_that_fell_silent() -> None:
    history = History([PANE, BY_DISK], seconds=60.0)
    for ts in range(200):
        history.add(frame(float(ts), [1]))
        if ts < 50:
            history.add(frame(float(ts), [1], BY_DISK))
    kept = [each.ts for each in history.frames("waits")]
    assert kept[-1] == 199
    assert 60 <= len(kept) <= 60 + 16
    assert history.latest("disks") is None


@pytest.mark.parametrize("every", [1.0, 20.0])
def test_what_is_held_stays_with_what_led_to_it(every: float) -> None:
    history = History([PANE, BY_DISK], seconds=60.0)
    for tick in range(400):
        ts = tick * every
        held = Held(90 * every, 100 * every) if tick > 100 else None
        history.add(frame(ts, [1]), held)
        if tick <= 100:
            history.add(frame(ts, [1], BY_DISK), held)
    kept = np.array([each.ts for each in history.frames("waits")])
    assert kept.tolist() == history.times("waits").tolist()
    assert set(np.arange(100 * every - 60, 100 * every + 1, every)) <= set(kept)
    assert set(np.arange(399 * every - 60, 399 * every + 1, every)) <= set(kept)
    assert len(kept) <= 2 * (60 / every + 16) + 16
    assert history.latest("disks").ts == 100 * every
    assert history.nbytes > 0
    history.add(frame(400 * every, [1]))
    assert history.times("waits")[0] >= 400 * every - 60 - 16
    assert history.latest("disks") is None


def test_what_is_held_is_the_last_to_go() -> None:
    history = History([PANE], seconds=60.0, budget_bytes=20_000)
    for ts in range(400):
        history.add(frame(float(ts), [1, 2, 3]), Held(100.0, 140.0) if ts > 100 else None)
    found = history.latest("waits", 100.0)
    assert found is not None
    assert found.ts == 100.0


def test_the_moment_held_stays_in_every_pane() -> None:
    """Panes are sampled one after the other: what is shown of one is a little older than the moment."""
    history = History([PANE, BY_DISK], seconds=60.0, budget_bytes=20_000)
    for tick in range(300):
        held = Held(31.05, 35.05) if tick > 31 else None
        history.add(frame(float(tick), [1, 2, 3]), held)
        history.add(frame(tick + 0.05, [1, 2, 3], BY_DISK), held)
    for pane, ts in (("waits", 31.0), ("disks", 31.05)):
        found = history.latest(pane, 31.05)
        assert found is not None
        assert found.ts == ts


def test_what_is_too_large_to_pack_is_kept_without_its_rows() -> None:
    history = History()
    for ts in (1.0, 2.0, 3.0):
        history.add(Frame("big", ts, 1.0, {"x": np.zeros((10, 900_000))}, {"total": ts}))
    kept = history.frames("big")
    assert [(each.ts, len(each), each.dropped) for each in kept] == [(1.0, 0, 10), (2.0, 0, 10), (3.0, 10, 0)]
    assert [each.host["total"] for each in kept] == [1.0, 2.0, 3.0]
    assert history.nbytes < 10_000


def test_of_what_is_too_large_to_pack_the_first_rows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_MOST_PACKED", 60_000)
    history = History([PANE])
    for ts in range(100):
        history.add(frame(float(ts), list(range(600))))
    oldest = history.frames("waits")[0]
    assert len(oldest) + oldest.dropped == 600
    assert sorted(oldest.rows["pid"].tolist()) == list(range(600 - 64, 600))
    assert history.process(PANE, 599).dropped[0] == oldest.dropped


def test_the_bytes_that_are_counted_are_those_of_what_is_kept() -> None:
    history = History([PANE], seconds=60.0)
    for tick in range(100):
        history.add(frame(tick * 5.0, [1, 2]), Held(50.0, 50.0) if tick > 10 else None)
    hot = history._tracks["waits"].hot
    blocks = history._tracks["waits"].blocks
    assert history.nbytes == sum(map(frame_bytes, hot[:-1])) + sum(block.nbytes for block in blocks)


def test_a_clock_set_back_begins_anew() -> None:
    history = filled(100, [1])
    history.add(frame(98.5, [1]))  # a correction
    assert len(history.frames("waits")) == 101
    history.add(frame(20.0, [1]))
    assert [each.ts for each in history.frames("waits")] == [20.0]


def test_a_frame_that_comes_late_is_no_clock_set_back() -> None:
    """Stacks wait for their names, for seconds on a host that suffers: the other panes keep all they have."""
    history = History([PANE, BY_DISK])
    for ts in range(100):
        history.add(Frame(HOST, float(ts), 1.0, {}))
        history.add(frame(float(ts), [1]))
    history.add(frame(90.0, [1], BY_DISK))
    assert len(history.frames("waits")) == 100
    assert len(history.frames("disks")) == 1
    # The clock was set back: all others' times are still to come.
    history.add(Frame(HOST, 20.0, 1.0, {}))
    assert history.frames("waits") == history.frames("disks") == []


def test_a_process_that_is_known_to_a_clock_tick_is_found() -> None:
    history = History([PANE])
    for ts, start_ns in ((1.0, 12_345_678_901), (2.0, 12_365_000_000)):
        seen = frame(ts, [7])
        history.add(replace(seen, rows={**seen.rows, "start_ns": np.array([start_ns])}))
    assert history.process(PANE, 7, 12_345_678_901 // TICK_NS * TICK_NS).place.tolist() == [0]
    assert history.process(PANE, 7, 12_365_000_000).place.tolist() == [1]


def test_over_budget_the_oldest_are_thinned_and_say_so() -> None:
    rng = np.random.default_rng(3)
    history = History([PANE], budget_bytes=1 << 20)
    pids = rng.permutation(2000).tolist()
    for ts in range(200):
        history.add(frame(float(ts), pids))
        assert history.nbytes <= 1 << 20
    kept = history.frames("waits")
    assert len(kept) == 200
    assert all(len(each) + each.dropped == 2000 for each in kept)
    assert kept[-1].dropped == 0
    assert kept[0].dropped > 0
    dropped = [each.dropped for each in kept]
    assert dropped == sorted(dropped, reverse=True)
    for each in kept:
        # What is left ranks first by the pane's sort column.
        assert set(each.rows["pid"].tolist()) == set(range(each.dropped, 2000))
        assert (each.rows["avg_us"] == each.rows["pid"] / 2).all()


def test_of_events_the_newest_are_kept_in_order() -> None:
    history = History([EVENTS], budget_bytes=150_000)
    for ts in range(40):
        history.add(frame(float(ts), list(range(1000)), EVENTS))
    oldest = history.frames("execs")[0]
    assert oldest.dropped > 0
    assert oldest.rows["pid"].tolist() == list(range(oldest.dropped, 1000))


def test_a_tiny_budget_shortens_the_history_but_keeps_the_newest() -> None:
    history = filled(300, [1, 2, 3], budget_bytes=20_000)
    kept = history.frames("waits")
    assert kept[-1].ts == 299
    assert 2 <= len(kept) < 100
    assert history.nbytes <= 20_000 or len(kept) <= 32


def test_without_numbers_there_is_nothing_to_fold() -> None:
    history = History([PANE])
    for ts in range(40):
        history.add(Frame("waits", float(ts), 1.0, {}, status=Status(unavailable="no")))
    found = history.process(PANE, 7)
    assert len(found) == 0
    assert found.total == {}
    assert found.folded() == {}
    assert len(found.ts) == 40


def test_an_unavailable_interval_does_not_spoil_the_columns() -> None:
    history = History([PANE])
    empty = {column.name: np.zeros(0) for column in COLUMNS}
    for ts in range(60):
        history.add(Frame("waits", float(ts), 1.0, empty) if ts % 3 == 0 else frame(float(ts), [7]))
    found = history.process(PANE, 7)
    assert found.rows["disk"].dtype.kind == "S"
    assert found.total["waits"].tolist() == [80]


def test_one_process_over_all_of_it() -> None:
    history = History([PANE])
    for ts in range(100):
        history.add(frame(float(ts), [5, 7] if ts % 2 else [5]))
    found = history.process(PANE, 7)
    assert len(found) == 50
    assert found.total["waits"].tolist() == [100]
    assert found.total["total_us"].tolist() == [350.0]
    assert found.total["max_us"].tolist() == [9.0]
    assert found.total["avg_us"].tolist() == [3.5]
    series = found.series("waits")
    assert series.shape == (100,)
    assert series[:4].tolist() == [0.0, 2.0, 0.0, 2.0]
    assert np.isnan(found.series("avg_us")[0])
    assert found.series("avg_us")[1] == 3.5
    assert found.ts.tolist() == list(range(100))


def test_one_process_between_two_times() -> None:
    found = filled(100, [7]).process(PANE, 7, since=10.0, until=19.5)
    assert found.ts.tolist() == list(range(10, 20))
    assert found.total["waits"].tolist() == [20]
    assert found.series("waits").tolist() == [2.0] * 10


def test_a_pid_used_again_is_another_process() -> None:
    history = History([PANE])
    for ts in range(50):
        history.add(frame(float(ts), [7], start=1 if ts < 20 else 2))
    assert history.process(PANE, 7).total["waits"].tolist() == [60]
    assert history.process(PANE, 7, start_ns=1).total["waits"].tolist() == [40]


@pytest.mark.parametrize("starts", [[1, 5], [5, 1]])
def test_a_pid_used_again_within_an_interval_is_the_process_that_started_last(starts: list[int]) -> None:
    history = History([PANE])
    history.add(frame(1.0, [7], start=1))
    both = frame(2.0, [7, 7])
    history.add(replace(both, rows={**both.rows, "start_ns": np.array(starts, dtype=np.uint64)}))
    found = history.process(PANE, 7)
    assert found.start_ns == 5
    assert found.ts[found.place].tolist() == [2.0]
    assert history.process(PANE, 7, start_ns=1).ts[found.place].tolist() == [2.0]
    assert history.process(PANE, 7, until=1.5).start_ns == 1


def test_across_panes_it_is_the_same_process() -> None:
    """Each pane saw another process of PID 7 last; 9 only one of them."""
    history = History([PANE, BY_DISK])
    history.add(frame(1.0, [7], PANE, start=1_000_000_000))
    history.add(frame(1.0, [7, 9], BY_DISK, start=1_000_000_000))
    history.add(frame(2.0, [7], PANE, start=2_000_000_003))

    def starts(start_ns: int | None, running: Process | None = None, pid: int = 7, until: float = 9.0) -> Any:
        start, found = across(history, [PANE, BY_DISK], pid, start_ns, running, until)
        return start, [each.rows["start_ns"].tolist() if len(each) else [] for each in found]

    old, new = 1_000_000_000, 2_000_000_003
    assert starts(old) == (old, [[old], [old]])
    assert starts(new) == (new, [[new], []])
    assert starts(5) == (5, [[], []])
    assert starts(None) == (new, [[new], []])
    assert starts(None, until=1.0) == (old, [[old], [old]])
    assert starts(None, pid=9) == (old, [[], [old]])
    assert starts(None, pid=8) == (None, [[], []])
    me = read(os.getpid())
    assert me is not None
    # The one that runs, known to a clock tick: seen, or not seen yet by any pane.
    assert starts(None, replace(me, start_ns=2_000_000_000)) == (new, [[new], []])
    assert starts(None, replace(me, start_ns=3_000_000_000)) == (3_000_000_000, [[], []])
    assert starts(None, replace(me, start_ns=old)) == (old, [[old], [old]])


def test_a_recording_older_than_the_start_of_processes_still_has_them() -> None:
    history = History([PANE])
    old = frame(1.0, [7])
    history.add(replace(old, rows={**old.rows, "start_ns": np.array([np.nan])}))
    found = history.process(PANE, 7)
    assert found.total["waits"].tolist() == [2]
    assert found.start_ns is None


def test_several_rows_a_process() -> None:
    history = History([BY_DISK])
    for ts in range(50):
        both = [frame(float(ts), [7], BY_DISK, disk=disk) for disk in (b"sda", b"nvme0n1")]
        rows = {name: np.concatenate([each.rows[name] for each in both]) for name in both[0].rows}
        history.add(Frame("disks", float(ts), 1.0, rows))
    found = history.process(BY_DISK, 7)
    assert found.folded()["disk"].tolist() == [b"nvme0n1", b"sda"]
    assert found.folded()["waits"].tolist() == [100, 100]
    assert found.total["waits"].tolist() == [200]
    assert found.series("waits").tolist() == [4.0] * 50


@pytest.mark.parametrize("pane", [PANE, BY_DISK])
def test_a_thinned_interval_is_not_measured_where_rows_may_be_missing(pane: Pane) -> None:
    history = History([pane], budget_bytes=400_000)
    for ts in range(100):
        history.add(frame(float(ts), list(range(2000)), pane))
    gone, top = history.process(pane, 3), history.process(pane, 1999)
    assert gone.dropped[0] > 0
    assert np.isnan(gone.series("waits")[0])
    assert gone.series("waits")[-1] == 2.0
    # The first by rank is still there; whole only where a process is one row.
    assert np.isnan(top.series("waits")[0]) == (pane is BY_DISK)


def test_an_object_column_is_weighed() -> None:
    rows = {"stack": np.fromiter([["a" * 100] * 10] * 50, dtype=object, count=50)}
    assert frame_bytes(Frame("p", 0.0, 1.0, rows)) > 50_000


def test_a_tier_that_goes_while_it_is_read_is_there_or_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = block.seal(PANE, [frame(1.0, list(range(100)))])

    def meanwhile(data: bytes) -> list[codec.Part]:
        if made.tiers > 1:
            made.drop_tier()
        return codec.decode_parts(data)

    monkeypatch.setattr(block, "decode_parts", meanwhile)
    found = made.slice("pid", 3)
    assert sum(map(len, found.places)) == 1
    assert found.dropped.tolist() == [0]
    assert made.slice("pid", 3).dropped.tolist() == [36]


def test_one_thread_adds_while_others_read() -> None:
    history = History([PANE], budget_bytes=200_000)
    errors: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                frames = history.frames("waits")
                assert [each.ts for each in frames] == sorted(each.ts for each in frames)
                assert all(len(each) + each.dropped == 500 for each in frames)
                history.process(PANE, 7)
                history.latest("waits", 20.0)
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for ts in range(300):
        history.add(frame(float(ts), list(range(500))))
    done.set()
    for reader in readers:
        reader.join()
    assert not errors
