"""The sampler where it needs no kernel; the rest is in tests/kernel."""

from __future__ import annotations

import threading
import time

import pytest

from ktop.frame import Frame
from ktop.live.sampler import Sampler
from tests.waiting import eventually


class Statistics:
    """Stands in for the kernel's, which take root."""

    opened: list[Statistics]

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.on = True
        self.opened.append(self)

    def close(self) -> None:
        self.on = False


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Statistics]:
    found: list[Statistics] = []
    monkeypatch.setattr(Statistics, "opened", found, raising=False)
    monkeypatch.setattr("ktop.kernel.run_time.RunTime", Statistics)
    return found


def test_a_sampler_that_failed_does_not_have_the_programs_timed(opened: list[Statistics]) -> None:
    def publish(_frame: Frame) -> None:
        raise ValueError("x")

    sampler = Sampler((), 0.05)
    sampler.start(publish)
    eventually(lambda: sampler.failure)
    assert sampler.measure_cost(1.0) == sampler.failure == "sampling ended: ValueError: x"
    sampler.stop()
    assert not opened


def test_statistics_that_no_thread_took_are_off_after_stop(opened: list[Statistics]) -> None:
    sampler = Sampler(())
    assert sampler.measure_cost(60.0) is None
    assert [each.on for each in opened] == [True]
    sampler.stop()
    assert [each.on for each in opened] == [False]


def test_a_sampler_whose_thread_could_not_be_started_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sampler = Sampler(())
    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="new thread"):
        sampler.start(lambda _frame: None)
    sampler.stop()
