"""The recording that ships with the package: whole, complete, and it tells what the README says."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import ktop
from ktop import registry
from ktop.frame import Frame, Rows, concatenate, length, take
from ktop.pane import Pane, Shape
from ktop.recording.file import blocks, describe
from ktop.recording.replay import Replay
from ktop.source import HOST
from ktop.tables.derived import restore

RECORDING = Path(ktop.__file__).with_name("demo.ktop")
RECORDED = describe(RECORDING).panes
"""A pane that is new need not be in it."""
BEFORE, DURING = (2.0, 11.0), (36.0, 62.0)
"""Seconds: nothing has begun; the hogs and the backup are at work."""


@pytest.fixture(scope="module")
def frames() -> dict[str, list[Frame]]:
    """Return all Frames by pane."""
    found: dict[str, list[Frame]] = defaultdict(list)
    for block in blocks(RECORDING, describe(RECORDING).end):
        for frame in block.frames():
            found[frame.pane].append(frame)
    return found


def rows(frames: dict[str, list[Frame]], name: str, span: tuple[float, float]) -> Rows:
    """Return the pane's rows of that time, one interval's below the other's."""
    pane: Pane = registry.get(name)
    began = frames[HOST][0].ts
    chosen = [frame for frame in frames[name] if span[0] <= frame.ts - began <= span[1] and len(frame)]
    return restore(pane, concatenate([frame.rows for frame in chosen]))


def of(table: Rows, comm: bytes) -> Rows:
    return take(table, np.flatnonzero(table["comm"] == comm))


def test_it_is_whole_small_and_of_no_real_host():
    summary = describe(RECORDING)
    assert summary.damage is None
    assert 85 <= summary.seconds <= 95
    assert (summary.identity.hostname, summary.interval_s) == ("demo-host", 1.0)
    assert RECORDING.stat().st_size < 1_500_000


def test_every_pane_of_the_first_tabs_is_in_it_and_each_has_something_to_say(frames):
    assert set(registry.ORDER) <= set(RECORDED)
    for name in RECORDED:
        assert frames[name], name
        silent = [frame for frame in frames[name] if frame.status.unavailable]
        # No virtual machine has hardware counters, and the pane says so.
        assert bool(silent) == (name == "llcstat")
        assert silent or sum(map(len, frames[name])) > 20


def test_it_replays_without_a_remark():
    replay = Replay(RECORDING, speed=float("inf"))
    replay.start(lambda frame: None)
    assert replay.finished.wait(60)
    replay.stop()
    assert replay.unknown == {}
    assert {pane.name for pane in replay.panes} == set(RECORDED)


def test_the_disk_is_slow_while_the_backup_reads(frames):
    calm, busy = (rows(frames, "biotop", span) for span in (BEFORE, DURING))
    assert not length(of(calm, b"backup"))
    by_name = {name: of(busy, name)["read_bytes"].sum() for name in set(busy["comm"].tolist())}
    assert max(by_name, key=by_name.__getitem__) == b"backup"
    assert np.median(of(busy, b"postgres")["avg_us"]) > 10 * np.median(of(calm, b"postgres")["avg_us"])


def test_the_hogs_starve_the_server(frames):
    calm, busy = (rows(frames, "runqlat", span) for span in (BEFORE, DURING))
    assert not length(of(calm, b"hog"))
    # Of those who sleep at all, and often enough that a percentile is one.
    others = take(busy, np.flatnonzero((busy["waits"] >= 100) & (busy["comm"] != b"hog")))
    p99 = {name: np.median(of(others, name)["p99_us"]) for name in set(others["comm"].tolist())}
    assert max(p99, key=p99.__getitem__) == b"api-server"
    assert p99[b"api-server"] > 5 * np.median(of(calm, b"api-server")["p99_us"])


def test_the_chatty_client_sends_little_often_by_both_protocols(frames):
    sent = of(rows(frames, "tcptop", DURING), b"chatty-client")
    assert set(sent["family"].tolist()) == {4, 6}
    assert 0 < sent["tx_bytes"].max() < 100_000
    waits = of(rows(frames, "runqlat", DURING), b"chatty-client")["waits"]
    assert waits.max() > 1000


def test_the_thin_line_loses_segments(frames):
    sent = rows(frames, "tcptop", (0.0, 90.0))
    assert of(sent, b"walsender")["retrans"].sum() > 0
    assert of(sent, b"frontend")["retrans"].sum() == 0


def test_programs_succeed_fail_are_killed_and_are_missing(frames):
    execs = rows(frames, "execsnoop", (0.0, 90.0))
    codes = execs["exit_code"][~np.isnan(execs["exit_code"])].tolist()
    assert {0.0, 1.0, -9.0} <= set(codes)
    assert b"ENOENT" in execs["error"].tolist()


def test_the_stacks_have_names(frames):
    stacks = of(rows(frames, "profile", DURING), b"hog")
    hot = take(stacks, np.flatnonzero(stacks["samples"] > 5))["user_stack"].tolist()
    assert {stack[-1] for stack in hot} == {"resize_image"}


def test_no_path_of_the_machine_it_was_made_on_is_in_it(frames):
    for pane in registry.panes(RECORDED):
        if pane.shape is not Shape.EVENTS:
            continue
        table = rows(frames, pane.name, (0.0, 90.0))
        for argv in table["argv"].tolist():
            for word in (argv or b"").split(b"\0"):
                if word.startswith(b"/"):
                    assert word.startswith((b"/srv/demo/", b"/usr/", b"/bin/", b"/sbin/"))
