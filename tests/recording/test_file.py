"""Recordings: append, cut anywhere, full disks, what is no recording."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ktop.frame import Frame
from ktop.recording.codec import decode, encode
from ktop.recording.file import (
    _HEADER,
    MARKER,
    RecordingError,
    Writer,
    _header_bytes,
    blocks,
    describe,
)
from ktop.source import HOST
from tests.demo.compact import compact
from tests.recording.waits import IDENTITY, frame, stamps, write


def test_what_is_written_is_read(path: Path) -> None:
    write(path, 1.0, 2.0, 3.0)
    summary = describe(path)
    assert summary.identity == replace(IDENTITY, recorded=True, recorded_s=1.0)
    assert summary.panes == ("waits",)
    assert (summary.first, summary.last, summary.seconds) == (1.0, 3.0, 3.0)
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
    assert describe(path).seconds == 4.0


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


def test_rows_that_are_too_many_are_counted(path: Path) -> None:
    large = Frame("waits", 2.0, 1.0, {"x": np.zeros((10, 900_000))})
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    writer.write([frame(1.0), large])
    writer.write([frame(3.0)])
    writer.close()
    assert writer.dropped == 10
    kept = [each for block in blocks(path) for each in block.frames()]
    assert [(each.ts, each.dropped, len(each) > 0) for each in kept] == [
        (1.0, 0, True),
        (2.0, 10, False),
        (3.0, 0, True),
    ]


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


@pytest.mark.parametrize(("more", "how"), [(b"", "ends"), (b"kTOP", "is cut"), (b"?" * 40, "is damaged")])
def test_without_a_whole_interval_there_is_nothing_to_show(path: Path, more: bytes, how: str) -> None:
    write(path, 1.0)
    header = next(blocks(path)).end
    path.write_bytes(path.read_bytes()[:header] + more)
    with pytest.raises(RecordingError) as caught:
        describe(path)
    said = f"{path} {how} within its first interval, so it has nothing to show: record again"
    assert str(caught.value) == said


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
    with pytest.raises(RecordingError, match="cannot read /proc/self/mem: Input/output error"):
        describe(Path("/proc/self/mem"))  # as from a disk that is broken
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


def test_a_recording_without_a_frame_leaves_no_file(path: Path) -> None:
    Writer(path, IDENTITY, 1.0, ["waits"]).close()
    assert not path.exists()
    write(path, 1.0)
    Writer(path, IDENTITY, 1.0, ["waits"]).close()
    assert stamps(path) == [1.0]


def test_who_comes_second_to_a_new_file_leaves_it_to_the_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[Writer] = []
    really = os.open

    def meanwhile(*arguments: Any) -> int:
        monkeypatch.undo()
        first.append(Writer(path, IDENTITY, 1.0, ["waits"]))
        return really(*arguments)

    monkeypatch.setattr(os, "open", meanwhile)
    with pytest.raises(RecordingError, match="another ktop"):
        Writer(path, IDENTITY, 1.0, ["waits"])
    first[0].write([frame(1.0)])
    first[0].close()
    assert stamps(path) == [1.0]


def test_a_file_that_was_taken_away_while_it_was_opened_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = fcntl.flock

    def meanwhile(fd: int, how: int) -> None:
        monkeypatch.undo()
        path.unlink()
        really(fd, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    write(path, 1.0)
    assert stamps(path) == [1.0]


def test_a_full_device_is_one_sentence() -> None:
    with pytest.raises(RecordingError, match=r"No space left on device$"):
        Writer(Path("/dev/full"), IDENTITY, 1.0, [])


def fail(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


def test_a_disk_that_is_full_from_the_start_leaves_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda _fd, _data: fail(errno.ENOSPC))
    with pytest.raises(RecordingError, match=r"No space left on device$"):
        Writer(path, IDENTITY, 1.0, [])
    assert not path.exists()
    path.touch()
    with pytest.raises(RecordingError, match=r"No space left on device$"):
        Writer(path, IDENTITY, 1.0, [])
    assert path.exists()


def test_a_link_to_where_no_file_is_yet_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda _fd, _data: fail(errno.ENOSPC))
        with pytest.raises(RecordingError, match=r"No space left on device$"):
            Writer(path, IDENTITY, 1.0, [])
    write(path, 1.0)
    assert path.is_symlink()
    assert stamps(path.with_name("elsewhere")) == [1.0]


def test_a_file_that_is_removed_meanwhile_is_no_recording(path: Path) -> None:
    with contextlib.closing(Writer(path, IDENTITY, 1.0, ["waits"])) as writer:
        writer.write([frame(1.0)])
        path.unlink()
        with pytest.raises(RecordingError, match="was removed meanwhile"):
            writer.write([frame(2.0)])


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


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(RecordingError, match=r"nobody reads .*/fifo: start what reads it first"):
        Writer(fifo, IDENTITY, 1.0, [])


def test_a_slow_reader_of_a_pipe_is_waited_for(tmp_path: Path) -> None:
    fifo, copy = tmp_path / "fifo", tmp_path / "copy.ktop"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", 'exec cat "$0" > "$1"', fifo, copy]):
        opened = os.open(fifo, os.O_WRONLY)  # waits until it has opened its end
        writer = Writer(fifo, IDENTITY, 1.0, ["waits"])
        os.close(opened)  # not before, or all would be read
        noise = np.random.default_rng(1).random(200_000)  # more than a pipe holds
        writer.write([Frame("waits", 1.0, 1.0, {"x": noise})])
        writer.close()
    assert stamps(copy) == [1.0]


def test_a_reader_that_leaves_ends_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = Writer(fifo, IDENTITY, 1.0, [])
    os.close(reader)
    with pytest.raises(RecordingError, match="reader"):
        writer.write([frame(1.0)])
    writer.close()


def test_compact_keeps_every_frame_in_less(path: Path, tmp_path: Path) -> None:
    write(path, *map(float, range(1, 100)))
    small = tmp_path / "small.ktop"
    compact(path, small)
    assert stamps(small) == stamps(path)
    assert small.stat().st_size < path.stat().st_size / 4
    assert describe(small).seconds == describe(path).seconds


def test_a_frame_is_what_it_was(path: Path) -> None:
    """The codec in between loses nothing (the details are in test_codec.py)."""
    write(path, 1.0)
    (back, _) = next(block.frames() for block in blocks(path) if not block.is_header)
    assert back.rows["comm"].tolist() == frame(1.0).rows["comm"].tolist()
    assert decode(encode([back]))[0].ts == 1.0


def wide(ts: float, megabytes: int, count: int = 1000) -> Frame:
    """A Frame that takes so much unpacked, and next to nothing packed."""
    return Frame("waits", ts, 1.0, {"x": np.zeros((count, megabytes * 1_000_000 // 8 // count))})


def test_frames_too_large_for_one_block_are_in_several(path: Path) -> None:
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    writer.write([Frame(HOST, 1.0, 1.0, {}, {"load1": 1.0}), wide(1.1, 40), wide(1.2, 40), frame(1.3)])
    writer.close()
    found = [block.frames() for block in blocks(path) if not block.is_header]
    assert [[each.ts for each in some] for some in found] == [[1.0, 1.1], [1.2, 1.3]]
    assert [(len(each), each.dropped) for some in found for each in some] == [
        (0, 0),
        (1000, 0),
        (1000, 0),
        (3, 0),
    ]
    assert (describe(path).first, describe(path).last) == (1.0, 1.3)


def test_a_frame_too_large_for_any_block_is_there_without_its_rows(path: Path) -> None:
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    writer.write(
        [Frame(HOST, 1.0, 1.0, {}, {"load1": 1.0}), replace(wide(1.1, 72), host={"a": 1.0}), frame(1.2)]
    )
    writer.write([frame(2.0)])
    writer.close()
    found = [each for block in blocks(path) for each in block.frames()]
    assert [(each.ts, len(each), each.dropped) for each in found] == [
        (1.0, 0, 0),
        (1.1, 0, 1000),
        (1.2, 3, 0),
        (2.0, 3, 0),
    ]
    assert found[1].host == {"a": 1.0}


def test_what_cannot_be_compressed_never_makes_a_block_too_large_to_read(path: Path) -> None:
    """Packed it is larger than before, and both are bounded."""
    noise = np.frombuffer(np.random.default_rng(0).bytes(1024 * 65535), np.uint8)
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    writer.write([Frame("waits", 1.0, 1.0, {"x": noise.reshape(1024, -1)})])
    writer.write([frame(2.0)])
    writer.close()
    assert stamps(path) == [1.0, 2.0]


def test_compact_splits_what_is_too_large(path: Path, tmp_path: Path) -> None:
    writer = Writer(path, IDENTITY, 1.0, ["waits"])
    for ts in (1.0, 2.0, 3.0):
        writer.write([wide(ts, 40)])
    writer.close()
    small = tmp_path / "small.ktop"
    compact(path, small, level=1)
    assert stamps(small) == [1.0, 2.0, 3.0]
    assert sum(not block.is_header for block in blocks(small)) == 3


def later(kind: int) -> bytes:
    """A whole block as a later version may write it."""
    content: bytes = msgpack.packb({"format": 2, "host": {"name": "db1"}})
    return _header_bytes(kind, content, 0.0, 0.0) + content


@pytest.mark.parametrize("kind", [1, 3])
def test_what_a_later_version_appended_is_neither_read_nor_cut_off(path: Path, kind: int) -> None:
    write(path, 1.0, 2.0)
    end = path.stat().st_size
    with path.open("ab") as file:
        file.write(later(kind))
    summary = describe(path)
    assert (summary.end, summary.damage) == (end, "is continued by a later version of ktop")
    assert (summary.first, summary.last) == (1.0, 2.0)
    content = path.read_bytes()
    with pytest.raises(
        RecordingError, match=r"continued by a later version of ktop.*: record to another file"
    ):
        Writer(path, IDENTITY, 1.0, ["waits"])
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", [1, 3])
def test_behind_damage_a_block_of_a_later_version_is_not_cut_off(path: Path, kind: int) -> None:
    write(path, 1.0)
    with path.open("ab") as file:
        file.write(b"broken" + later(kind))
    content = path.read_bytes()
    with pytest.raises(RecordingError, match="damaged in the middle"):
        Writer(path, IDENTITY, 1.0, ["waits"])
    assert path.read_bytes() == content


def test_what_a_later_version_alone_recorded_is_left_to_that(path: Path) -> None:
    write(path, 1.0)
    header = next(blocks(path)).end
    path.write_bytes(path.read_bytes()[:header] + later(1))
    with pytest.raises(RecordingError, match="continued by a later version of ktop, which can replay it"):
        describe(path)


def test_a_recording_of_a_later_version_says_so(path: Path) -> None:
    path.write_bytes(later(1))
    with pytest.raises(RecordingError, match="of another version"):
        describe(path)
