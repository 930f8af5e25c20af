"""What a pane has to show at one moment, without a screen to show it on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ktop import registry
from ktop.frame import Frame, length, take
from ktop.pane import Pane
from ktop.source import HOST
from ktop.tables.filter import parse
from ktop.tables.totals import per_cgroup, per_process
from ktop.ui.bridge import Bridge
from ktop.ui.pane_rows import STACK_SECONDS, Snapshot, newest_frame, snapshot
from ktop.ui.view import View
from tests.ui.owned import NAMES, OWNED, Owned
from tests.ui.synthetic import START

TICKS = 40
PANES = {pane.name: pane for pane in OWNED}


class Looking:
    """The Frames of some ticks, and what is looked at."""

    def __init__(self) -> None:
        self.source = Owned()
        self.view = View()
        self.bridge = Bridge(OWNED, self.view)
        self.source.start(self.bridge.publish)
        self.source.tick(TICKS)

    def frame(self, name: str) -> Frame | None:
        return newest_frame(PANES[name], self.bridge, self.view)

    def at(self, name: str, shown: Pane | None = None) -> Snapshot:
        pane = PANES[name]
        return snapshot(pane, shown or pane, self.frame(name), self.bridge, self.view)

    def filter(self, text: str) -> None:
        self.view.filter = parse(text, [*OWNED, per_cgroup(PANES["biotop"])])


@pytest.fixture
def looking() -> Looking:
    return Looking()


def test_a_table_has_the_rows_of_the_newest_frame(looking):
    frame = looking.frame("biotop")
    found = looking.at("biotop")
    assert found.rows["pid"].tolist() == frame.rows["pid"].tolist()
    assert found.count == found.total == len(frame)
    assert found.frames[-1].ts == frame.ts
    assert (found.ignored, found.older, found.sampled_s) == ((), 0, None)
    looking.view.at = START + 3
    assert looking.at("biotop").frames[-1].ts == START + 3


def test_of_filtered_rows_is_known_how_many_there_are(looking):
    looking.filter("postgres waits>0")
    found = looking.at("biotop")
    assert set(found.rows["comm"].tolist()) == {b"postgres"}
    assert found.count == 1 < found.total == len(looking.frame("biotop"))
    assert found.ignored == ("waits>0",)
    assert found.frames, "the rows left are in them too"
    looking.filter("nobody")
    assert (looking.at("biotop").count, looking.at("biotop").empty_text) == (0, "no row matches the filter")


def test_a_filter_of_single_rows_chooses_what_is_added_up(looking):
    single = looking.at("biotop").rows
    shown = per_cgroup(PANES["biotop"])
    whole = looking.at("biotop", shown)
    assert whole.are_totals
    assert whole.rows["read_bytes"].sum() == single["read_bytes"].sum()
    looking.filter("postgres")
    some = looking.at("biotop", shown)
    assert some.rows["read_bytes"].sum() == take(single, single["comm"] == b"postgres")["read_bytes"].sum()
    assert some.count < some.total == len(NAMES)
    assert not some.frames, "they have the other rows as well"
    looking.filter("processes>0")
    assert looking.at("biotop", shown).ignored == ()
    assert looking.at("biotop", shown).frames
    assert looking.at("biotop").ignored == ("processes>0",)


def test_totals_per_process_keep_every_figure(looking):
    found = looking.at("biotop", per_process(PANES["biotop"]))
    single = looking.at("biotop").rows
    assert len(found.rows["pid"]) == len(set(single["pid"].tolist()))
    assert found.rows["write_bytes"].sum() == single["write_bytes"].sum()


def test_stacks_are_added_up_over_many_intervals(looking):
    found = looking.at("profile")
    assert found.sampled_s == pytest.approx(STACK_SECONDS)
    frames = looking.bridge.history.frames(
        "profile", since=START + TICKS - STACK_SECONDS, until=START + TICKS
    )
    assert found.rows["samples"].sum() == sum(int(frame.rows["samples"].sum()) for frame in frames)
    looking.view.at = START
    assert looking.at("profile").sampled_s == pytest.approx(1.0)
    looking.view.at = START - 10
    assert (looking.at("profile").sampled_s, looking.at("profile").total) == (0, 0)


def test_events_are_those_up_to_the_moment(looking):
    everything = looking.at("execsnoop")
    looking.view.at = START + 10
    past = looking.at("execsnoop")
    assert 0 < past.total < everything.total
    assert past.rows["time"].max() <= START + 11
    assert not past.frames


def test_how_many_events_began_is_counted(looking):
    """Those that only ended in the interval began before."""
    frame = looking.frame("execsnoop")
    times = np.full(len(frame), frame.ts + 0.5)
    times[0] = frame.ts - 30
    looking.bridge.publish(replace(frame, ts=frame.ts + 1, rows={**frame.rows, "time": times}))
    assert looking.at("execsnoop").notes == (f"{len(frame) - 1} began in 1 s",)
    assert looking.at("runqlat").notes == ()


@pytest.mark.parametrize(
    ("interval_s", "said"),
    [
        (0.96, "1 s"),
        (0.998, "1 s"),
        (1.0, "1 s"),
        (0.25, "0.25 s"),
        (9.98, "10 s"),
        (60.04, "60 s"),
        (300.0, "300 s"),
    ],
)
def test_the_interval_that_events_began_in_is_the_one_asked_for(looking, interval_s, said):
    """What was measured stands in the status; here its digits would only flicker."""
    frame = looking.frame("execsnoop")
    looking.bridge.publish(replace(frame, ts=frame.ts + 1, interval_s=interval_s))
    (note,) = looking.at("execsnoop").notes
    assert note.endswith(f" began in {said}")


def test_what_runs_on_demand_is_counted_before_the_filter(looking):
    frame = looking.frame("execsnoop")
    hooks = {**frame.status.hooks, "failed": "tp_btf"}
    errors = np.array([b"ENOENT"] * len(frame))
    looking.bridge.publish(
        replace(
            frame,
            ts=frame.ts + 1,
            rows={**frame.rows, "time": frame.rows["time"] + 1, "error": errors},
            status=replace(frame.status, hooks=hooks),
        )
    )
    looking.filter("nobody")
    found = looking.at("execsnoop")
    assert found.count == 0
    came, failed = found.notes
    assert came.endswith(" began in 1 s")
    assert failed.startswith(f"failed: {len(frame)} in 1 s")


def test_without_figures_there_is_one_row_that_says_so(looking):
    found = looking.at("llcstat")
    assert (found.count, found.total, length(found.rows)) == (0, 0, 1)
    assert not found.frames
    assert np.isnan(found.rows["misses"]).all()


def test_before_the_first_sample(looking):
    looking.view.at = START - 10
    found = looking.at("biotop")
    assert (found.rows, found.total, found.empty_text) == ({}, 0, "no sample of this moment")
    nothing_yet = Bridge(OWNED, View())
    found = snapshot(PANES["biotop"], PANES["biotop"], None, nothing_yet, View())
    assert found.empty_text == "waiting for the first sample"


@pytest.mark.parametrize(
    ("interval_s", "text"),
    [(0.001, "waiting for the first sample"), (1.0, "no samples: nothing ran on a CPU")],
)
def test_that_nothing_ran_is_said_once_it_can_be_known(interval_s, text):
    pane = registry.get("profile")
    bridge = Bridge([pane], View())
    frame = Frame(pane.name, START, interval_s, {})
    bridge.publish(frame)
    assert snapshot(pane, pane, frame, bridge, View()).empty_text == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("execsnoop", "nothing so far"),
        ("tcptop", "nothing in this interval"),
        # That nobody uses a disk cannot be said: one that hangs completes nothing either.
        ("biotop", "no request ended in this interval; those on their way have no row yet"),
    ],
)
def test_events_outlast_their_interval(name, text):
    pane, bridge = registry.get(name), Bridge([registry.get(name)], View())
    frame = Frame(name, START, 1.0, {})
    bridge.publish(frame)
    assert snapshot(pane, pane, frame, bridge, View()).empty_text == text


def test_stacks_are_those_of_the_moment(looking):
    """The pane samples only while somebody looks: of another moment nothing is shown, and it says why."""
    newest = looking.at("profile")
    assert newest.total > 0
    assert newest.sampled_s == pytest.approx(STACK_SECONDS)
    last = looking.frame("profile").ts
    looking.bridge.publish(Frame(HOST, last + 20, 1.0, {}))
    later = looking.at("profile")
    assert later.sampled_s == pytest.approx(STACK_SECONDS - 20)
    looking.bridge.publish(Frame(HOST, last + 40, 1.0, {}))
    for at, text in ((None, "waiting for the first sample"), (START - 10, "not watched at ")):
        looking.view.at = at
        found = looking.at("profile")
        assert (found.rows, found.sampled_s) == ({}, 0)
        assert found.empty_text.startswith(text)
