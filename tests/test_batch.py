"""Without a screen: readers that are slow, leave or are full; signals; counts."""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ktop.cli import batch
from ktop.cli.run import as_json, as_text, of_process
from ktop.export.output import Output, write_all
from ktop.frame import Facts, Frame, Histogram, Reading, Sample, Status
from ktop.pane import Column, Fold, Pane, Unit
from ktop.recording.file import Writer, blocks
from ktop.source import HOST, Identity, Publish


def compute(previous: Reading, current: Reading, facts: Facts) -> Sample:
    raise AssertionError


def pane_of(name: str) -> Pane:
    columns = (
        Column("pid", "PID", Unit.NUMBER, "Who.", Fold.LAST),
        Column("waits", "WAITS", Unit.COUNT, "How often."),
        Column("half", "HALF", Unit.COUNT, "Half.", Fold.DERIVED),
    )
    derive = lambda rows: rows | {"half": rows["waits"] / 2}  # noqa: E731 - three panes share it
    return Pane(name, "?", "x", columns, ("pid",), "waits", compute, derive)


A, B = pane_of("a"), pane_of("b")


def frame(pane: Pane, ts: float, rows: int = 2) -> Frame:
    waits = np.full(rows, 10, dtype=np.uint64)
    return Frame(pane.name, ts, 1.0, {"pid": np.arange(rows), "waits": waits, "half": waits / 2})


def dead(pane: Pane, ts: float) -> Frame:
    return Frame(pane.name, ts, float("nan"), {}, status=Status(unavailable=f"no {pane.name}"))


def tick(ts: float, *frames: Frame) -> list[Frame]:
    return [Frame(HOST, ts, 1.0, {}, {"load1": 1.0}), *frames]


class Script:
    """A Source that publishes what it was given, as fast as it is taken."""

    identity = Identity("h", "k", 2)
    interval_s = 1.0

    def __init__(
        self, frames: Sequence[Frame], then: threading.Event | None = None, more: Sequence[Frame] = ()
    ) -> None:
        self._frames = frames
        self._then = then
        self._more = more
        self.stopped = threading.Event()
        self.published = threading.Event()

    def start(self, publish: Publish) -> None:
        def run() -> None:
            for each in self._frames:
                publish(each)
            self.published.set()
            if self._then is not None:
                assert self._then.wait(20)
            for each in self._more:
                publish(each)

        threading.Thread(target=run).start()

    def stop(self) -> None:
        self.stopped.set()

    def look_at(self, panes: tuple[str, ...]) -> None: ...
    def demand(self, pane: str, group: str, on: bool) -> None: ...
    def set_interval(self, seconds: float) -> None: ...
    def measure_cost(self, seconds: float) -> str | None: ...


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    before = set(threading.enumerate())
    yield ends
    for end in ends:
        with suppress(OSError):  # closed by the test
            os.close(end)
        # Without a reader the writer ends; one that went on would write to whatever has its number next.
        for thread in set(threading.enumerate()) - before:
            thread.join()


def read_all(fd: int) -> bytes:
    found = b""
    while chunk := os.read(fd, 1 << 16):
        found += chunk
    return found


def run(source: Script, panes: Sequence[Pane], ends: tuple[int, int], count: int | None = None) -> list[str]:
    """Run to the end beside a reader and return ``pane:kind@ts`` of each line."""
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(read_all(ends[0])))
    reader.start()
    try:
        batch.run(source, panes, as_json(None), ends[1], count)
    finally:
        os.close(ends[1])
        reader.join()
    objects = [json.loads(line) for line in found[0].decode().splitlines()]
    return [f"{each['pane']}:{each['kind']}@{each['ts']:g}" for each in objects]


def test_it_ends_after_so_many_intervals_of_each_pane(pipe: tuple[int, int]) -> None:
    frames = [each for ts in range(5) for each in tick(ts, frame(A, ts, 1), frame(B, ts, 0))]
    source = Script(frames)
    assert run(source, [A, B], pipe, 2) == [
        "a:row@0",
        "a:status@0",
        "b:status@0",
        "a:row@1",
        "a:status@1",
        "b:status@1",
    ]
    assert source.stopped.is_set()


def test_a_pane_without_figures_says_so_each_interval(pipe: tuple[int, int]) -> None:
    frames = [dead(B, 0.0)] + [each for ts in range(3) for each in tick(ts, frame(A, ts, 0))]
    assert run(Script(frames), [A, B], pipe, 3) == [
        "b:status@0",
        "a:status@0",
        "b:status@1",
        "a:status@1",
        "b:status@2",
        "a:status@2",
    ]


def test_a_pane_without_figures_is_not_counted_on_while_the_others_begin(pipe: tuple[int, int]) -> None:
    late = [each for ts in range(4) for each in tick(ts)] + tick(4, frame(A, 4, 0)) + tick(5, frame(A, 5, 0))
    lines = run(Script([dead(B, 0.0), *late]), [A, B], pipe, 2)
    assert lines == ["b:status@0", "a:status@4", "b:status@5", "a:status@5"]


def test_a_pane_that_loses_its_figures_gives_as_many_intervals_as_the_others(pipe: tuple[int, int]) -> None:
    frames = tick(0, frame(A, 0, 0), frame(B, 0, 0)) + tick(1, dead(B, 1), frame(A, 1, 0))
    frames += tick(2, frame(A, 2, 0))
    lines = run(Script(frames), [A, B], pipe, 3)
    assert [line for line in lines if line.startswith("b")] == ["b:status@0", "b:status@1", "b:status@2"]


def test_nothing_live_is_a_failure_with_every_reason(pipe: tuple[int, int]) -> None:
    with pytest.raises(batch.NothingLiveError, match="no a; no b"):
        run(Script([dead(A, 0.0), dead(B, 0.0)]), [A, B], pipe)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_all_that_was_sampled(pipe: tuple[int, int], number: int) -> None:
    source = Script([frame(A, 1.0, 0)])

    def send() -> None:
        assert source.published.wait(20)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    threading.Thread(target=send).start()
    assert run(source, [A], pipe) == ["a:status@1"]
    assert source.stopped.is_set()
    assert signal.getsignal(number) is before


def test_a_signal_while_the_reader_is_behind_says_that_the_output_is_cut(pipe: tuple[int, int]) -> None:
    source = Script([frame(A, 1.0)])

    def send() -> None:
        assert source.published.wait(20)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send).start()
    with pytest.raises(batch.CutError, match="cut"):
        batch.run(source, [A], lambda *_frame: (b"b" * 300_000, 2), pipe[1], None)
    assert source.stopped.is_set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_ignored_before_still_is(pipe: tuple[int, int], number: int) -> None:
    """nohup, or a job in the background of a shell without job control."""
    source = Script([frame(A, 1.0, 0)], then := threading.Event(), [frame(A, 2.0, 0)])

    def send() -> None:
        assert source.published.wait(20)
        os.kill(os.getpid(), number)
        then.set()

    before = signal.signal(number, signal.SIG_IGN)
    try:
        threading.Thread(target=send).start()
        assert run(source, [A], pipe, 2) == ["a:status@1", "a:status@2"]
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_reader_that_leaves_ends_it_quietly(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    source = Script([frame(A, float(ts)) for ts in range(3)])
    assert batch.run(source, [A], as_json(None), pipe[1], None) == 0
    assert source.stopped.is_set()


def test_a_full_device_is_an_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space left"):
            batch.run(Script([frame(A, 1.0)]), [A], as_json(None), full, None)
    finally:
        os.close(full)


def test_a_slow_reader_loses_whole_intervals_and_is_told(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads nothing until 200 intervals were offered, then all that waits, then comes the last one."""
    outputs: list[Output] = []

    def bounded(fd: int, on_end: Callable[[], None]) -> Output:
        outputs.append(Output(fd, on_end, bound=200_000))
        return outputs[0]

    monkeypatch.setattr(batch, "Output", bounded)
    awake, offered = threading.Event(), threading.Event()
    source = Script([frame(A, float(ts), 100) for ts in range(200)], awake, [frame(A, 200.0, 100)])
    in_json = as_json(None)
    found: list[bytes] = []

    def render(pane: Pane, each: Frame, missed: int) -> tuple[bytes, int]:
        if each.ts == 199:
            offered.set()
        return in_json(pane, each, missed)

    def read() -> None:
        assert offered.wait(20)
        first = b""
        while outputs[0]._waiting:
            # The last of it may be read before it is taken off the queue.
            if select.select([pipe[0]], [], [], 0.01)[0]:
                first += os.read(pipe[0], 1 << 16)
        awake.set()
        found.append(first + read_all(pipe[0]))

    reader = threading.Thread(target=read)
    reader.start()
    dropped = batch.run(source, [A], render, pipe[1], 201)
    os.close(pipe[1])
    reader.join()
    objects = [json.loads(line) for line in found[0].splitlines()]
    statuses = [each for each in objects if each["kind"] == "status"]
    assert dropped > 100
    assert len(statuses) == 201 - dropped
    assert sum(each["kind"] == "row" for each in objects) == 100 * len(statuses)
    assert statuses[-1]["ts"] == 200
    assert sum(each["lost"] for each in statuses) == 100 * dropped


class Refusing(Output):
    """Of a reader that takes nothing of the first three intervals."""

    def put(self, chunk: bytes) -> bool:
        self.dropped += 1
        return self.dropped > 3 and super().put(chunk)


@pytest.mark.parametrize(("pid", "rows"), [(None, 5), (3, 1)])
@pytest.mark.parametrize("json_lines", [True, False])
def test_of_one_process_a_slow_reader_loses_its_rows_alone(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, pid: int | None, rows: int, json_lines: bool
) -> None:
    monkeypatch.setattr(batch, "Output", Refusing)
    source = Script([frame(A, float(ts), 5) for ts in range(4)])
    render = as_json(pid) if json_lines else as_text(pid, "ascii", lambda: (0, 0))
    batch.run(source, [A], render, pipe[1], 4)
    os.close(pipe[1])
    said = f'"slow_reader":{3 * rows}}}' if json_lines else f"({3 * rows} rows of a went unread)"
    assert said in read_all(pipe[0]).decode()


def test_output_bounds_what_waits(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1], bound=1000)
    big = b"b" * 500_000  # more than a pipe holds, so the thread is stuck in it
    assert output.put(big)
    assert not output.put(b"x" * 10)
    assert output.dropped == 1
    assert not output.finish(0.01)
    assert len(os.read(pipe[0], 1 << 20)) > 0
    reader = threading.Thread(target=read_all, args=(pipe[0],))
    reader.start()
    assert output.finish()
    os.close(pipe[1])
    reader.join()


def test_a_pipe_that_somebody_made_non_blocking(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    data = os.urandom(300_000)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(read_all(pipe[0])))
    reader.start()
    write_all(pipe[1], data)
    os.close(pipe[1])
    reader.join()
    assert found == [data]


def test_what_was_wanted_is_written_whatever_came_after_it(pipe: tuple[int, int]) -> None:
    """A reader slower than the source, which is an interval ahead."""
    big = b"b" * 300_000  # more than a pipe holds
    found: list[bytes] = []
    source = Script([each for ts in range(4) for each in tick(float(ts), frame(A, float(ts)))])

    def read() -> None:
        assert source.stopped.wait(20)
        time.sleep(0.5)  # until after its first look for what came meanwhile
        found.append(read_all(pipe[0]))

    reader = threading.Thread(target=read)
    reader.start()
    assert batch.run(source, [A], lambda *_frame: (big, 2), pipe[1], 3) == 0
    os.close(pipe[1])
    reader.join()
    assert len(found[0]) == 3 * len(big)


def test_one_process_alone() -> None:
    only = of_process(A, frame(A, 1.0, 5), 3)
    assert only.rows["pid"].tolist() == [3]
    assert len(of_process(A, frame(A, 1.0, 5), 77)) == 0
    whole = Frame("a", 1.0, 1.0, {"irq": np.arange(3)})
    assert of_process(A, whole, 3) is whole


def test_of_one_process_nothing_is_said_of_the_host() -> None:
    pane = replace(A, host_row=True)
    bounds = np.array([0.0, 1.0, np.inf])
    histograms = (Histogram(bounds, np.array([4, 5])),)
    everything = replace(frame(pane, 1.0), host={"waits": 777.0}, histograms=histograms)
    text, _ = as_text(3, "ascii", lambda: (0, 0))(pane, everything, 0)
    assert b"777" not in text
    text, _ = as_text(None, "ascii", lambda: (0, 0))(pane, everything, 0)
    assert b"777" in text
    for pid, kinds in ((3, ["status"]), (None, ["row", "row", "row", "histogram", "status"])):
        lines, _ = as_json(pid)(pane, everything, 0)
        assert [json.loads(line)["kind"] for line in lines.splitlines()] == kinds


def test_text_says_what_went_unread() -> None:
    render = as_text(None, "ascii", lambda: (80, 24))
    chunk, rows = render(A, frame(A, 1.0), 7)
    assert rows == 2
    text = chunk.decode("ascii")
    assert text.startswith("(7 rows of a went unread)\n")
    assert text.endswith("\n\n")


def test_recording_keeps_ticks_together_and_leaves_derived_columns_out(tmp_path: Path) -> None:
    path = tmp_path / "a.ktop"
    frames = [each for ts in range(5) for each in tick(ts, frame(A, ts), frame(B, ts))]
    writer = Writer(path, Script.identity, 1.0, ["a", "b"])
    assert batch.record(Script(frames), [A, B], writer, count=3) == (3, 0)
    writer.close()
    ticks = [block.frames() for block in blocks(path) if not block.is_header]
    assert [[each.pane for each in found] for found in ticks] == [[HOST, "a", "b"]] * 3
    assert set(ticks[0][1].rows) == {"pid", "waits"}


def test_recording_goes_on_after_an_interval_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.ktop"
    big = Frame("a", 1.0, 1.0, {"pid": np.arange(10), "x": np.zeros((10, 900_000))})
    frames = [
        *tick(0.0, frame(A, 0.0), frame(B, 0.0)),
        *tick(1.0, big, frame(B, 1.0)),
        *tick(2.0, frame(A, 2.0), frame(B, 2.0)),
    ]
    writer = Writer(path, Script.identity, 1.0, ["a", "b"])
    assert batch.record(Script(frames), [A, B], writer, count=3) == (3, 0)
    writer.close()
    found = [each for block in blocks(path) for each in block.frames() if each.pane != HOST]
    assert [(each.pane, each.ts, len(each), each.dropped) for each in found] == [
        ("a", 0.0, 2, 0),
        ("b", 0.0, 2, 0),
        ("a", 1.0, 0, 10),
        ("b", 1.0, 2, 0),
        ("a", 2.0, 2, 0),
        ("b", 2.0, 2, 0),
    ]


def test_recording_ends_with_a_signal(tmp_path: Path) -> None:
    source = Script(tick(1.0, frame(A, 1.0)))

    def send() -> None:
        assert source.published.wait(20)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send).start()
    writer = Writer(tmp_path / "a.ktop", Script.identity, 1.0, ["a"])
    assert batch.record(source, [A], writer, count=None) == (1, 0)
    writer.close()
    assert source.stopped.is_set()


def test_recording_nothing_is_a_failure(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.ktop", Script.identity, 1.0, ["a"])
    with pytest.raises(batch.NothingLiveError, match="no a"):
        batch.record(Script([dead(A, 1.0)]), [A], writer, count=None)
    writer.close()
