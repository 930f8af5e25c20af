"""A pane on the live kernel, without the kernel: intervals that could not be told, hooks that are shared."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ktop.frame import Facts, Frame, Reading, Sample
from ktop.kernel.choice import Choice
from ktop.live.live_pane import LivePane
from ktop.live.sampler import FAILED_READS, Sampler
from ktop.pane import Column, Pane, Unit

EVENT = np.dtype([("pid", "u4")])
COLUMNS = (Column("pid", "PID", Unit.NUMBER, "Who."), Column("waits", "WAITS", Unit.COUNT, "How often."))


class Short:
    """A pane that finds no memory at these of its calls, and the Frames that are published of it."""

    def __init__(self, *failing: int) -> None:
        self._failing = failing
        self._calls = 0
        self.frames: list[Frame] = []
        self.seen: list[tuple[list[int], list[bytes]]] = []
        pane = Pane("waits", "?", "x", COLUMNS, ("pid",), "waits", self._compute, self._derive)
        self.sampler = Sampler((pane,))
        self.sampler._publish = self.frames.append
        self.live: LivePane = self.sampler._panes["waits"]
        self.live.attached = True

    def _compute(self, previous: Reading, current: Reading, _facts: Facts) -> Sample:
        self.seen.append((current.maps["events"]["pid"].tolist(), current.tails["events"]))
        grew = current.maps["count"] - previous.maps["count"]
        return Sample({"pid": np.array([1]), "waits": grew})

    def _derive(self, rows: dict[str, Any]) -> dict[str, Any]:
        self._calls += 1
        if self._calls in self._failing:
            raise MemoryError
        return rows

    def read(self, number: int) -> None:
        """Take the Reading of second ``number``, with one event and five losses."""
        events = np.array([(number,)], EVENT)
        maps = {"count": np.array([100 * number]), "events": events}
        reading = Reading(number * 10**9, maps, {"events": [b"%d" % number]}, losses={"missed": 5 * number})
        self.sampler._sample(self.live, {"x": reading})


@pytest.mark.parametrize("failing", [(), (1,), (2,), (2, 3), (1, 3)])
def test_what_memory_did_not_suffice_for_is_in_the_next_frame(failing: tuple[int, ...]) -> None:
    short = Short(*failing)
    for number in range(6):
        short.read(number)
    told = short.frames
    assert len(told) == 5 - len(failing)
    assert sum(int(frame.rows["waits"].sum()) for frame in told) == 500
    assert sum(frame.interval_s for frame in told) == 5.0
    assert sum(frame.status.lost for frame in told) == 25
    seen = [each for call, each in enumerate(short.seen, 1) if call not in failing]
    assert [event for events, _ in seen for event in events] == [1, 2, 3, 4, 5], "each once, in order"
    assert [tail for _, tails in seen for tail in tails] == [b"1", b"2", b"3", b"4", b"5"]


def test_a_pane_that_never_has_memory_is_given_up_and_keeps_nothing() -> None:
    short = Short(*range(1, 99))
    for number in range(FAILED_READS + 1):
        short.read(number)
    (frame,) = short.frames
    assert str(frame.status.unavailable).startswith("sampling failed: MemoryError")
    assert not short.live._untold


class Hooks:
    """What hangs on the kernel, without a kernel: ``refused`` groups cannot be attached."""

    def __init__(self, refused: Collection[str]) -> None:
        self.attached: set[str] = set()
        self.events = False
        """Whether perf events are open."""
        self.ever_detached: set[str] = set()
        self._refused = refused

    def live(self) -> dict[str, str]:
        return dict.fromkeys(self.attached, "a tracepoint")

    def is_iterator(self, variant: str) -> bool:
        return variant in {"processes", "files"}

    def is_walk(self, variant: str) -> bool:
        return variant == "files"

    def attach(self, groups: Iterable[str], _events: Mapping[str, object]) -> dict[str, OSError]:
        self.events = True
        wanted = {group for group in groups if not self.is_iterator(group)}
        self.attached |= wanted.difference(self._refused)
        return {group: OSError(errno.EPERM, "no") for group in wanted.intersection(self._refused)}

    def detach(self, groups: Iterable[str] | None = None) -> None:
        gone = self.attached if groups is None else self.attached.intersection(groups)
        self.ever_detached |= gone
        self.attached = self.attached - gone
        self.events &= groups is not None


class Shared:
    """Panes on one family, which has three groups and an iterator."""

    def __init__(self, *panes: Pane, refused: str = "") -> None:
        self.hooks = Hooks(refused.split())
        choice = Choice.among(["switch", "exit", "failed", "processes"], (6, 12))
        self.family: Any = SimpleNamespace(hooks=self.hooks, choice=choice, log=[], begin_anew=lambda: None)
        self.panes: list[LivePane] = list(Sampler(panes)._panes.values())

    def bring_up(self) -> list[LivePane]:
        for live in self.panes:
            live.bring_up(self.family)
        return self.panes


def pane(name: str, *, groups: tuple[str, ...] = (), on_demand: tuple[str, ...] = ()) -> Pane:
    return Pane(name, "?", "x", COLUMNS, ("pid",), "waits", compute, groups=groups, on_demand=on_demand)


def compute(_previous: Reading, _current: Reading, _facts: Facts) -> Sample:
    return Sample({"pid": np.array([1]), "waits": np.array([1])})


def test_what_a_pane_no_longer_needs_stays_for_the_other() -> None:
    shared = Shared(pane("waits", groups=("switch",)), pane("execs", groups=("exit",), on_demand=("failed",)))
    waits, execs = shared.bring_up()
    assert shared.hooks.attached == {"switch", "exit"}
    waits.stand_down()
    assert shared.hooks.attached == {"switch", "exit"}
    execs.demand("failed", on=True)
    assert shared.hooks.attached == {"switch", "exit", "failed"}
    assert not shared.hooks.ever_detached, "not for a moment either"
    assert shared.hooks.events
    execs.demand("failed", on=False)
    assert shared.hooks.attached == {"switch", "exit"}


def test_what_one_pane_demanded_goes_with_it() -> None:
    shared = Shared(pane("waits"), pane("execs", on_demand=("failed",)))
    waits, execs = shared.bring_up()
    execs.demand("failed", on=True)
    execs.stand_down()
    assert shared.hooks.attached == {"switch", "exit"}
    assert waits.attached
    execs.bring_up(shared.family)
    assert shared.hooks.attached == {"switch", "exit", "failed"}, "it is still demanded"


def test_nothing_stays_behind_the_last_pane() -> None:
    shared = Shared(pane("waits"), pane("execs", on_demand=("failed",)))
    waits, execs = shared.bring_up()
    execs.demand("failed", on=True)
    waits.stand_down()
    execs.stand_down()
    assert not shared.hooks.attached
    assert not shared.hooks.events
    waits.demand("failed", on=True)
    assert not shared.hooks.attached, "nobody looks"


def test_what_one_has_on_demand_another_may_always_need() -> None:
    shared = Shared(pane("failures", groups=("failed",)), pane("execs", on_demand=("failed",)))
    failures, execs = shared.bring_up()
    assert "failed" in shared.hooks.attached
    execs.demand("failed", on=True)
    execs.demand("failed", on=False)
    assert "failed" not in shared.hooks.ever_detached
    failures.stand_down()
    assert shared.hooks.attached == {"switch", "exit"}


def test_a_pane_that_is_refused_leaves_the_other_its_hooks() -> None:
    shared = Shared(pane("waits", groups=("switch",)), pane("execs", groups=("exit",)), refused="exit")
    waits, execs = shared.bring_up()
    assert (waits.attached, waits.unavailable) == (True, None)
    assert not execs.attached
    assert str(execs.unavailable).startswith("exit: ")
    assert shared.hooks.attached == {"switch", "failed"}
    assert not shared.hooks.ever_detached


@pytest.mark.parametrize("refused", ["switch", "failed"])
def test_a_pane_that_names_no_groups_needs_all_that_it_does_not_have_on_demand(refused: str) -> None:
    (execs,) = Shared(pane("execs", on_demand=("failed",)), refused=refused).bring_up()
    assert (execs.unavailable is None) == (refused == "failed")


def test_a_pane_that_stood_down_begins_anew() -> None:
    (waits,) = Shared(pane("waits")).bring_up()
    one, two, three = (Reading(number * 10**9, {}) for number in range(3))
    assert waits.sample(one, Facts()) is None
    assert waits.sample(two, Facts()) is not None
    waits.stand_down()
    assert waits.sample(three, Facts()) is None, "what was in between is not of one interval"


def test_a_pane_does_without_a_walk() -> None:
    shared = Shared(pane("waits", groups=("switch",)))
    shared.family.choice.variants["files"] = ["files"]
    shared.family.choice.refused["files"] = "no walks here"
    (waits,) = shared.bring_up()
    assert waits.unavailable is None
    assert waits.status().refused == {"files": "no walks here"}
    assert "switch" in shared.hooks.attached


def test_no_pane_does_without_the_iterator() -> None:
    shared = Shared(pane("waits", groups=("switch",)))
    shared.family.choice.refused["processes"] = "no iterators here"
    (waits,) = shared.bring_up()
    assert waits.unavailable == "no iterators here"
    assert not shared.hooks.attached
