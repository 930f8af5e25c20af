"""Replaying: what was sampled, at its pace, up to what is damaged or a stranger's."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ktop.frame import Frame, Histogram, Status
from ktop.pane import Column, Pane, Shape, Unit
from ktop.recording.conform import MismatchError, possible
from ktop.recording.file import Writer, describe
from ktop.recording.replay import Replay, shifted
from ktop.source import HOST
from tests.recording.waits import IDENTITY, PANE, compute, frame, stamps, write


def test_killed_while_recording_it_replays(path: Path, known: None) -> None:
    script = (
        "import sys, itertools; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from ktop.recording.file import Writer\n"
        "from tests.recording.waits import IDENTITY, frame\n"
        "writer = Writer(Path(sys.argv[1]), IDENTITY, 1.0, ['waits'])\n"
        "for ts in itertools.count(1): writer.write([frame(float(ts), 500)])\n"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", script, str(path), str(root)])
    while not path.exists() or path.stat().st_size < 200_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    count = len(stamps(path))
    assert count > 20
    assert len([each for each in collect(Replay(path, speed=float("inf"))) if each.pane != HOST]) == count
    write(path, 1e6)
    assert stamps(path)[-1] == 1e6


def collect(source: Replay) -> list[Frame]:
    found: list[Frame] = []
    source.start(found.append)
    assert source.finished.wait(20)
    source.stop()
    return found


def played(source: Replay) -> list[Frame]:
    """Return what is played of a whole recording; the last word is that it is over."""
    *found, last = collect(source)
    assert (last.pane, last.status.unavailable) == (HOST, "that was all that is recorded")
    return found


def test_replay_gives_what_was_sampled(path: Path, known: None) -> None:
    write(path, 1.0, 2.0)
    source = Replay(path, speed=float("inf"))
    assert source.identity.recorded
    assert source.panes == (PANE,)
    found = played(source)
    assert [(each.pane, each.ts) for each in found] == [
        ("waits", 1.0),
        (HOST, 1.0),
        ("waits", 2.0),
        (HOST, 2.0),
    ]
    first = found[0]
    assert first.rows["half"].tolist() == [5.0] * 3
    assert first.histograms[0].counts.tolist() == [3, 0]
    assert first.status.hooks == {"switch": "tp_btf"}
    assert found[1].host == {"load1": 1.0}
    assert "2 s recorded on db1" in source.notes[0]


def test_of_many_panes_that_are_left_out_the_first_are_named(path: Path, known: None) -> None:
    for count, last in ((8, "p7 is left out: this version of ktop has no such pane"), (200, "and 192 more")):
        path.unlink(missing_ok=True)
        writer = Writer(path, IDENTITY, 1.0, ["waits", *(f"p{number}" for number in range(count))])
        writer.write([frame(1.0)])
        writer.close()
        notes = Replay(path, speed=float("inf")).notes
        assert len(notes) == 1 + min(count, 9)
        assert notes[-1] == last


def test_replay_of_a_cut_recording_says_so(path: Path, known: None) -> None:
    write(path, 1.0, 2.0, 3.0)
    os.truncate(path, path.stat().st_size - 1)
    source = Replay(path, speed=float("inf"))
    assert [each.ts for each in collect(source) if each.pane == "waits"] == [1.0, 2.0]
    assert "2 s read" in source.notes[0]
    assert "is cut" in source.notes[0]


def test_the_last_word_of_a_replay_that_fails_is_why(path: Path, known: None) -> None:
    """It is no sample."""
    write(path, 1.0, 2.0, 3.0)
    assert all(each.status.unavailable is None for each in played(Replay(path, speed=float("inf"))))
    os.truncate(path, path.stat().st_size - 1)
    last = collect(Replay(path, speed=float("inf")))[-1]
    assert (last.pane, last.ts, last.host) == (HOST, 2.0, {})
    assert last.status.unavailable == f"the file is cut at byte {describe(path).end}"


def test_a_recording_that_is_cut_while_it_is_replayed_says_so(path: Path, known: None) -> None:
    """As by who rotates files: what is left is not all that was recorded."""
    write(path, 1.0, 2.0, 3.0)
    source = Replay(path, speed=float("inf"))
    os.truncate(path, path.stat().st_size - 1)
    *frames, last = collect(source)
    assert [each.ts for each in frames if each.pane == "waits"] == [1.0, 2.0]
    assert last.status.unavailable == f"the recording is damaged: {path} was cut or changed meanwhile"
    assert source.notes == [last.status.unavailable]


def test_a_replay_that_is_left_has_not_failed(path: Path, known: None) -> None:
    write(path, 1.0, 2.0, 3.0)
    os.truncate(path, path.stat().st_size - 1)
    found: list[Frame] = []
    source = Replay(path)
    source._stopping.set()
    source.start(found.append)
    assert source.finished.wait(20)
    assert not any(each.status.unavailable for each in found)


def test_no_recorded_frame_passes_for_the_last_word(path: Path, known: None) -> None:
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    writer.write([Frame(HOST, 1.0, 1.0, {}, status=Status(unavailable="made up")), frame(1.0)])
    writer.close()
    assert [each.status.unavailable for each in played(Replay(path, speed=float("inf")))] == [None, None]


def paced(source: Replay, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Play ``source`` by a clock of its own; return when each Frame of the pane came, and its time."""
    clock = [0.0]
    shown: list[tuple[float, float]] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock[0] += timeout or 0.0
            return False

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    source._hurry = Stop()
    source._run(lambda each: shown.append((clock[0], each.ts)) if each.pane == "waits" else None)
    return shown


def test_replay_goes_at_the_recorded_pace(path: Path, known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three intervals and a pause between two recordings."""
    write(path, 1.0, 2.0, 3.0)
    write(path, 1000.0)
    source = Replay(path, speed=2.0)
    assert paced(source, monkeypatch) == [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (2.0, 1000.0)]


def test_replay_begins_at_a_moment_with_what_led_to_it(
    path: Path, known: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only from there on it is waited; what is long before is left out."""
    write(path, 1.0, 1000.0, 1001.0, 1002.0, 1003.0)
    source = Replay(path)
    assert source.span == (1.0, 1003.0)
    source.begin_at(1001.5)
    assert paced(source, monkeypatch) == [(0.0, 1000.0), (0.0, 1001.0), (1.0, 1002.0), (2.0, 1003.0)]


def test_a_slow_recording_is_hurried_at_once(path: Path, known: None) -> None:
    writer = Writer(path, IDENTITY, 3600.0, ["waits"])
    writer.write([frame(1.0)])
    writer.write([frame(3601.0)])
    writer.close()
    source = Replay(path)
    found: queue.Queue[Frame] = queue.Queue()
    source.start(found.put)
    assert found.get(timeout=20).ts == 1.0
    source.set_interval(0.01)
    assert found.get(timeout=20).ts == 3601.0
    source.stop()


def test_why_a_pane_has_no_figures_is_known_however_late_a_replay_begins(path: Path, known: None) -> None:
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    why = replace(frame(1.0, 0), status=Status(unavailable="of a test"))
    for some in ([why], [frame(1.5)], [frame(1000.0)], [frame(5000.0)]):
        writer.write(some)
    writer.close()
    source = Replay(path, speed=float("inf"))
    source.begin_at(5000.0)
    assert [(each.ts, each.status.unavailable) for each in played(source)] == [
        (1.0, "of a test"),
        (5000.0, None),
    ]


def test_replay_in_a_loop_goes_on_in_time_until_stopped(path: Path, known: None) -> None:
    write(path, 1.0, 2.0)
    found: list[float] = []
    enough = threading.Event()

    def publish(each: Frame) -> None:
        if each.pane == "waits":
            found.append(each.ts)
        if len(found) >= 5:
            enough.set()

    source = Replay(path, speed=float("inf"), loop=True)
    source.start(publish)
    assert enough.wait(20)
    source.stop()
    assert found[:5] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert source.finished.is_set()


def test_a_pane_that_is_not_known_is_left_out_with_a_word(path: Path, known: None) -> None:
    writer = Writer(path, IDENTITY, 1.0, ["waits", "futuretop"])
    writer.write([frame(1.0), replace(frame(1.0), pane="futuretop")])
    writer.close()
    source = Replay(path, speed=float("inf"))
    assert [each.pane for each in played(source)] == ["waits"]
    assert any("futuretop is left out" in note for note in source.notes)


def test_columns_of_a_wrong_kind_leave_the_pane_out(path: Path, known: None) -> None:
    bad = replace(frame(2.0), rows=dict(frame(2.0).rows) | {"pid": np.full(3, b"x")})
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    for each in (frame(1.0), bad, frame(3.0)):
        writer.write([each])
    writer.close()
    source = Replay(path, speed=float("inf"))
    assert [each.ts for each in played(source)] == [1.0]
    assert "pid" in source.unknown["waits"]


def test_the_events_of_a_later_round_are_others() -> None:
    columns = (
        Column("ts", "TIME", Unit.TIME, "When."),
        Column("start_ns", "", Unit.NUMBER, "Since.", hidden=True),
        Column("exec_ns", "", Unit.NUMBER, "When.", hidden=True),
    )
    events = Pane("e", "?", "x", columns, ("start_ns", "exec_ns"), "ts", compute, shape=Shape.EVENTS)
    rows = {"ts": np.array([1.0]), "start_ns": np.array([5], "u8"), "exec_ns": np.array([7], "u8")}
    later = shifted(events, Frame("e", 2.0, 1.0, rows), 10.0)
    assert later.ts == 12.0
    assert {name: column.tolist() for name, column in later.rows.items()} == {
        "ts": [11.0],
        "start_ns": [5],
        "exec_ns": [10_000_000_007],
    }


def test_a_valid_block_of_hostile_content_ends_the_replay(path: Path, known: None) -> None:
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    writer.write([frame(1.0)])
    writer._put(2, b"no frames at all", 2.0, 2.0)
    writer.write([frame(3.0)])
    writer.close()
    source = Replay(path, speed=float("inf"))
    played, last = collect(source)
    assert played.ts == 1.0
    assert last.status.unavailable == source.notes[0]
    assert "damaged" in source.notes[0]


def test_what_cannot_be_shown_ends_the_replay_with_a_word(path: Path, known: None) -> None:
    """Whatever the screen's side makes of it: nothing is left on stderr, nobody waits."""
    write(path, 1.0, 2.0)
    source = Replay(path, speed=float("inf"))

    def publish(each: Frame) -> None:
        if each.ts == 2.0:
            raise MemoryError("Unable to allocate 2 GiB")

    source.start(publish)
    assert source.finished.wait(20)
    source.stop()
    assert "damaged: MemoryError: Unable to allocate 2 GiB" in source.notes[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"ts": 1e19},
        {"ts": -1.0},
        {"interval_s": 0.0},
        {"interval_s": 1e300},
        {"host": {"uptime_s": np.inf}},
        {"histograms": (Histogram(np.array([0.0, 1.0]), np.array([np.nan])),)},
        {"histograms": (Histogram(np.array([0.0, 1.0]), np.array([-1.0])),)},
        {"histograms": (Histogram(np.array([-1.0, 1.0]), np.array([1.0])),)},
        {"histograms": (Histogram(np.array([0.0, 1e307, np.inf]), np.array([1.0, 1.0])),)},
    ],
)
def test_what_no_kernel_and_no_clock_gives_ends_the_replay(tmp_path, known, changes):
    """Such frames pass every checksum: somebody made them, and no calendar or scale takes them."""
    assert possible(frame(1.0))
    with pytest.raises(MismatchError):
        possible(replace(frame(2.0), **changes))
    path = tmp_path / "r.ktop"
    writer = Writer(path, IDENTITY, 1.0, [PANE.name])
    writer.write([frame(1.0)])
    writer.write([replace(frame(2.0), **changes)])
    writer.close()
    replay = Replay(path, speed=float("inf"))
    assert [each.ts for each in collect(replay) if each.pane == PANE.name] == [1.0]
    assert "damaged" in replay.notes[0]


def test_a_recording_says_at_which_interval_it_was_made(path: Path, known: None) -> None:
    write(path, 1.0, 2.0)
    source = Replay(path)
    source.set_interval(0.25)
    assert source.identity.recorded_s == describe(path).interval_s
