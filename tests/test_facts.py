"""What is read of the host before panes compute."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from ktop.kernel import facts


def test_a_clock_that_is_set_is_followed_and_its_jitter_is_not(monkeypatch):
    begun = facts.for_compute()
    assert facts.renewed(begun) is begun
    read = time.clock_gettime_ns
    hour = 3_600_000_000_000
    monkeypatch.setattr(
        time, "clock_gettime_ns", lambda clock: read(clock) + hour * (clock == time.CLOCK_REALTIME)
    )
    assert facts.renewed(begun).boot_ns == pytest.approx(begun.boot_ns + hour, abs=1e6)
    assert facts.renewed(begun).page_size == begun.page_size


def true_boot_ns() -> float:
    """Return the Unix time of the boot as the kernel tells it."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) * 1e9 for line in lines if line.startswith("btime "))


def test_boot_is_when_the_kernel_says():
    assert facts.for_compute().boot_ns == pytest.approx(true_boot_ns(), abs=1.5e9)  # in whole seconds


@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_cpu_taken_away_between_two_clocks_does_not_move_the_boot(monkeypatch, late):
    expected = facts.for_compute().boot_ns
    read, calls = time.clock_gettime_ns, itertools.count()

    def slow(clock: int) -> int:
        if next(calls) == late:
            time.sleep(0.05)
        return read(clock)

    monkeypatch.setattr(time, "clock_gettime_ns", slow)
    assert facts.for_compute().boot_ns == pytest.approx(expected, abs=1e6)
