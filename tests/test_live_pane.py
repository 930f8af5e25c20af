"""A pane on the live kernel, without the kernel: what becomes of an interval that could not be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ktop.frame import Facts, Frame, Reading, Sample
from ktop.live_pane import LivePane
from ktop.pane import Column, Pane, Unit
from ktop.sampler import FAILED_READS, Sampler

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
