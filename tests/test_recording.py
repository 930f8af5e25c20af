"""Recordings: append, cut anywhere, full disks, strangers' files."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ktop import registry
from ktop.frame import Facts, Frame, Histogram, Reading, Sample, Status
from ktop.pane import Column, Fold, Pane, Shape, Unit
from ktop.recording.codec import decode, encode
from ktop.recording.conform import MismatchError, conform, possible
from ktop.recording.file import _HEADER, MARKER, RecordingError, Writer, blocks, compact, describe
from ktop.recording.replay import Replay, shifted
from ktop.source import HOST, Identity

IDENTITY = Identity("db1", "6.18.0", 2)
BOUNDS = np.array([0.0, 1.0, np.inf])


def compute(previous: Reading, current: Reading, facts: Facts) -> Sample:
    raise AssertionError


COLUMNS = (
    Column("pid", "PID", Unit.NUMBER, "Who.", Fold.LAST),
    Column("comm", "COMMAND", Unit.TEXT, "Name.", Fold.LAST),
    Column("waits", "WAITS", Unit.COUNT, "How often."),
    Column("slots", "", Unit.HISTOGRAM, "How long.", hidden=True, bounds=BOUNDS),
    Column("half", "HALF", Unit.COUNT, "Half.", Fold.DERIVED),
)
PANE = Pane(
    "waits", "?", "x", COLUMNS, ("pid",), "waits", compute, lambda rows: rows | {"half": rows["waits"] / 2}
)


def frame(ts: float, count: int = 3) -> Frame:
    rows = {
        "pid": np.arange(count, dtype=np.int32),
        "comm": np.full(count, b"postgres"),
        "waits": np.full(count, 10, dtype=np.uint64),
        "slots": np.ones((count, 2), dtype=np.uint64),
        "half": np.full(count, 5.0),
    }
    histogram = Histogram(BOUNDS, np.array([count, 0], dtype=np.uint64))
    return Frame("waits", ts, 1.0, rows, {"a": 1.0}, (histogram,), Status({"switch": "tp_btf"}))


def write(path: Path, *stamps: float, identity: Identity = IDENTITY) -> None:
    writer = Writer(path, identity, 1.0, ["waits"])
    for ts in stamps:
        writer.write([frame(ts), Frame(HOST, ts, 1.0, {}, {"load1": ts})])
    writer.close()


def stamps(path: Path) -> list[float]:
    return [each.ts for block in blocks(path) for each in block.frames() if each.pane == "waits"]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry knows the pane of these tests alone."""
    monkeypatch.setattr(registry, "names", lambda: ("waits",))
    monkeypatch.setattr(registry, "get", {"waits": PANE}.__getitem__)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.ktop"


def test_what_is_written_is_read(path: Path) -> None:
    write(path, 1.0, 2.0, 3.0)
    summary = describe(path)
    assert summary.identity == replace(IDENTITY, recorded=True, recorded_s=1.0)
    assert summary.panes == ("waits",)
    assert (summary.first, summary.last, summary.seconds) == (1.0, 3.0, 2.0)
    assert (summary.end, summary.damage) == (path.stat().st_size, None)
    assert stamps(path) == [1.0, 2.0, 3.0]


def test_a_recording_from_a_container_stays_one(tmp_path):
    path = tmp_path / "a.ktop"
    own = replace(IDENTITY, all_processes=False)
    write(path, 1000.0, identity=own)
    assert describe(path).identity == replace(own, recorded=True, recorded_s=1.0)


def test_it_is_for_its_owner_alone(path: Path) -> None:
    write(path, 1.0)
    assert path.stat().st_mode & 0o777 == 0o600


def test_appending_does_not_count_the_pause(path: Path) -> None:
    write(path, 1.0, 2.0)
    write(path, 1000.0, 1001.0)
    assert stamps(path) == [1.0, 2.0, 1000.0, 1001.0]
    assert describe(path).seconds == 2.0


@pytest.mark.parametrize("other", [{"hostname": "db2"}, {"kernel": "6.1.0"}, {"cpus": 64}])
def test_another_host_is_not_appended(path: Path, other: dict[str, Any]) -> None:
    """It would be shown as the first one."""
    write(path, 1.0)
    content = path.read_bytes()
    with pytest.raises(RecordingError, match=r"is of db1 .*: record to another file"):
        write(path, 2.0, identity=replace(IDENTITY, **other))
    assert path.read_bytes() == content


def test_cut_at_every_byte_it_is_read_up_to_there_and_can_be_appended_to(path: Path) -> None:
    write(path, 1.0, 2.0, 3.0)
    whole = path.read_bytes()
    ends = [block.end for block in blocks(path)]
    for size in range(ends[0], len(whole)):
        path.write_bytes(whole[:size])
        expected = [float(i) for i, end in enumerate(ends) if i and end <= size]
        assert stamps(path) == expected
        if size in ends:
            continue
        if expected:
            assert describe(path).damage == "is cut"
        writer = Writer(path, IDENTITY, 1.0, ["waits"])
        assert writer.cut == size - max(end for end in ends if end <= size)
        writer.write([frame(9.0)])
        writer.close()
        assert stamps(path) == [*expected, 9.0]
        assert describe(path).damage is None


def test_a_tail_of_zeros_from_a_host_that_crashed_is_cut_off(path: Path) -> None:
    write(path, 1.0, 2.0)
    with path.open("ab") as file:
        file.write(bytes(5000))
    assert describe(path).damage == "is damaged"
    write(path, 3.0)
    assert stamps(path) == [1.0, 2.0, 3.0]


def test_damage_in_the_middle_is_never_made_worse(path: Path) -> None:
    write(path, 1.0, 2.0, 3.0)
    content = bytearray(path.read_bytes())
    place = next(block.end for block in blocks(path) if block.first == 1.0) + 60
    content[place] ^= 0xFF
    path.write_bytes(content)
    assert stamps(path) == [1.0]
    with pytest.raises(RecordingError, match="damaged in the middle"):
        Writer(path, IDENTITY, 1.0, ["waits"])
    assert path.read_bytes() == content


def test_a_tail_that_is_all_markers_is_not_looked_through(path: Path) -> None:
    """Each promises 8 MB, which would be read and summed up 260,000 times."""
    write(path, 1.0)
    fake = _HEADER.pack(MARKER, 2, 12345, 8 << 20, 1.0, 2.0)
    with path.open("ab") as file:
        file.write(b"broken" + fake * ((8 << 20) // len(fake)))
    content = path.read_bytes()
    began = time.process_time()
    with pytest.raises(RecordingError, match="record to another file"):
        Writer(path, IDENTITY, 1.0, ["waits"])
    assert time.process_time() - began < 10
    assert path.read_bytes() == content


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RecordingError, match="not a file"):
        describe(tmp_path / "fifo")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_any_damage_ends_it_there_and_raises_nothing_else(path: Path, data: st.DataObject) -> None:
    if path.exists():
        path.unlink()
    write(path, 1.0, 2.0, 3.0)
    ends = [block.end for block in blocks(path)]
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    whole = sum(end <= place for end in ends)
    if whole < 2:
        with pytest.raises(RecordingError):
            describe(path)
    else:
        assert describe(path).damage is not None
        assert stamps(path) == [1.0, 2.0, 3.0][: whole - 1]


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_noise_is_no_recording_and_is_not_written_to(path: Path, noise: bytes) -> None:
    path.write_bytes(noise)
    with pytest.raises(RecordingError):
        describe(path)
    if noise:
        with pytest.raises(RecordingError, match="not a recording"):
            Writer(path, IDENTITY, 1.0, ["waits"])
    assert path.read_bytes() == noise


def test_other_things_than_recordings_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        describe(tmp_path / "nothing")
    with pytest.raises(RecordingError, match="directory"):
        describe(tmp_path)
    with pytest.raises(RecordingError, match="not a file"):
        describe(Path("/dev/null"))
    with pytest.raises(RecordingError, match="cannot write"):
        Writer(tmp_path / "no" / "such", IDENTITY, 1.0, [])
    with pytest.raises(RecordingError, match="cannot write"):
        Writer(tmp_path, IDENTITY, 1.0, [])


def test_two_writers_do_not_mix(path: Path) -> None:
    first = Writer(path, IDENTITY, 1.0, ["waits"])
    with pytest.raises(RecordingError, match="another ktop"):
        Writer(path, IDENTITY, 1.0, ["waits"])
    first.close()
    write(path, 1.0)


def test_a_full_device_is_one_sentence() -> None:
    with pytest.raises(RecordingError, match=r"No space left on device$"):
        Writer(Path("/dev/full"), IDENTITY, 1.0, [])


def test_a_disk_that_is_full_from_the_start_leaves_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(RecordingError, match=r"No space left on device$"):
        Writer(path, IDENTITY, 1.0, [])
    assert not path.exists()
    path.touch()
    with pytest.raises(RecordingError, match=r"No space left on device$"):
        Writer(path, IDENTITY, 1.0, [])
    assert path.exists()


def test_a_full_disk_keeps_what_is_there(path: Path) -> None:
    """The limit of file size stands for the disk: the same short write, then the same error."""
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    writer.write([frame(1.0)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, limits[1]))
    try:
        with pytest.raises(RecordingError, match="before is kept"):
            writer.write([frame(2.0)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
        writer.close()
    assert stamps(path) == [1.0]
    assert describe(path).damage is None


def test_a_full_tmpfs_keeps_what_is_there(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount")
    try:
        path = tmp_path / "a.ktop"
        writer = Writer(path, IDENTITY, 1.0, ["waits"])
        noise = np.random.default_rng(0)
        count = 0
        with pytest.raises(RecordingError, match="No space left"):  # noqa: PT012 - it must come some time
            for ts in range(100):
                writer.write([Frame("waits", float(ts), 1.0, {"x": noise.random(1000)})])
                count += 1
        writer.close()
        assert count > 1
        assert len(stamps(path)) == count
        assert describe(path).damage is None
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_reader_that_leaves_ends_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = Writer(fifo, IDENTITY, 1.0, [])
    os.close(reader)
    with pytest.raises(RecordingError, match="reader"):
        writer.write([frame(1.0)])
    writer.close()


def test_killed_while_recording_it_replays(path: Path, known: None) -> None:
    script = (
        "import sys, itertools; sys.path.insert(0, sys.argv[2]); sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path; from test_recording import *\n"
        "writer = Writer(Path(sys.argv[1]), IDENTITY, 1.0, ['waits'])\n"
        "for ts in itertools.count(1): writer.write([frame(float(ts), 500)])\n"
    )
    here = Path(__file__).parent
    process = subprocess.Popen([sys.executable, "-c", script, str(path), str(here.parent), str(here)])
    while not path.exists() or path.stat().st_size < 200_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    count = len(stamps(path))
    assert count > 20
    assert len(collect(Replay(path, speed=float("inf")))) == count
    write(path, 1e6)
    assert stamps(path)[-1] == 1e6


def collect(source: Replay) -> list[Frame]:
    found: list[Frame] = []
    source.start(found.append)
    assert source.finished.wait(20)
    source.stop()
    return found


def test_replay_gives_what_was_sampled(path: Path, known: None) -> None:
    write(path, 1.0, 2.0)
    source = Replay(path, speed=float("inf"))
    assert source.identity.recorded
    assert source.panes == (PANE,)
    found = collect(source)
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
    assert "1 s recorded on db1" in source.notes[0]


def test_replay_of_a_cut_recording_says_so(path: Path, known: None) -> None:
    write(path, 1.0, 2.0, 3.0)
    os.truncate(path, path.stat().st_size - 1)
    source = Replay(path, speed=float("inf"))
    assert [each.ts for each in collect(source) if each.pane == "waits"] == [1.0, 2.0]
    assert "1 s read" in source.notes[0]
    assert "is cut" in source.notes[0]


def test_the_last_word_of_a_replay_that_fails_is_why(path: Path, known: None) -> None:
    """It is no sample, and there is none after a whole recording."""
    write(path, 1.0, 2.0, 3.0)
    assert all(each.status.unavailable is None for each in collect(Replay(path, speed=float("inf"))))
    os.truncate(path, path.stat().st_size - 1)
    last = collect(Replay(path, speed=float("inf")))[-1]
    assert (last.pane, last.ts, last.host) == (HOST, 2.0, {})
    assert last.status.unavailable == f"the file is cut at byte {describe(path).end}"


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
    assert [each.status.unavailable for each in collect(Replay(path, speed=float("inf")))] == [None, None]


def test_replay_goes_at_the_recorded_pace(path: Path, known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: three intervals and a pause between two recordings."""
    write(path, 1.0, 2.0, 3.0)
    write(path, 1000.0)
    clock = [0.0]
    shown: list[tuple[float, float]] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock[0] += timeout or 0.0
            return False

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    source = Replay(path, speed=2.0)
    source._stopping = Stop()
    source._run(lambda each: shown.append((clock[0], each.ts)) if each.pane == "waits" else None)
    assert shown == [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (2.0, 1000.0)]


def test_replay_begins_at_a_moment_with_what_led_to_it(
    path: Path, known: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of its own: only from there on it is waited; what is long before is left out."""
    write(path, 1.0, 1000.0, 1001.0, 1002.0, 1003.0)
    clock = [0.0]
    shown: list[tuple[float, float]] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock[0] += timeout or 0.0
            return False

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    source = Replay(path)
    assert source.span == (1.0, 1003.0)
    source.begin_at(1001.5)
    source._stopping = Stop()
    source._run(lambda each: shown.append((clock[0], each.ts)) if each.pane == "waits" else None)
    assert shown == [(0.0, 1000.0), (0.0, 1001.0), (1.0, 1002.0), (2.0, 1003.0)]


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
    assert [each.pane for each in collect(source)] == ["waits"]
    assert any("futuretop is left out" in note for note in source.notes)


def test_columns_of_a_wrong_kind_leave_the_pane_out(path: Path, known: None) -> None:
    bad = replace(frame(2.0), rows=dict(frame(2.0).rows) | {"pid": np.full(3, b"x")})
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    for each in (frame(1.0), bad, frame(3.0)):
        writer.write([each])
    writer.close()
    source = Replay(path, speed=float("inf"))
    assert [each.ts for each in collect(source)] == [1.0]
    assert "pid" in source.unknown["waits"]


def test_an_older_recording_lacks_columns() -> None:
    old = frame(1.0)
    rows = {name: column for name, column in old.rows.items() if name not in {"comm", "half"}}
    new = conform(PANE, replace(old, rows=rows | {"gone": np.zeros(3)}))
    assert set(new.rows) == {column.name for column in COLUMNS}
    assert new.rows["comm"].tolist() == [b""] * 3
    assert new.rows["half"].tolist() == [5.0] * 3


def test_no_rows_have_columns_all_the_same() -> None:
    empty = conform(PANE, replace(frame(1.0), rows={}))
    assert {name: len(column) for name, column in empty.rows.items()} == dict.fromkeys(
        (column.name for column in COLUMNS), 0
    )
    assert empty.rows["slots"].shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("pid", np.zeros((3, 2))),
        ("comm", np.zeros(3)),
        ("comm", np.array([1, 2, 3], dtype=object)),
        ("comm", np.full(3, b"A" * 99_999)),
        ("slots", np.zeros(3)),
        ("slots", np.zeros((3, 5))),
        ("waits", np.array(["a", "b", "c"], dtype=object)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, values: Any) -> None:
    with pytest.raises(MismatchError):
        conform(PANE, replace(frame(1.0), rows=dict(frame(1.0).rows) | {name: values}))


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


def test_compact_keeps_every_frame_in_less(path: Path, tmp_path: Path) -> None:
    write(path, *map(float, range(1, 100)))
    small = tmp_path / "small.ktop"
    compact(path, small)
    assert stamps(small) == stamps(path)
    assert small.stat().st_size < path.stat().st_size / 4
    assert describe(small).seconds == describe(path).seconds


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


def test_a_frame_is_what_it_was(path: Path) -> None:
    """The codec in between loses nothing (the details are in test_codec)."""
    write(path, 1.0)
    (back, _) = next(block.frames() for block in blocks(path) if not block.is_header)
    assert back.rows["comm"].tolist() == frame(1.0).rows["comm"].tolist()
    assert decode(encode([back]))[0].ts == 1.0


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
