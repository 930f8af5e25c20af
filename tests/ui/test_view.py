"""The moment looked at, and the interval."""

from __future__ import annotations

import numpy as np
import pytest

from ktop.ui.view import INTERVALS_S, View, next_interval


@pytest.mark.parametrize("interval_s", [0.1, 0.25, 1.0, 60.0])
def test_a_step_is_one_sample_at_every_interval(interval_s):
    times = 1000 + np.arange(10) * interval_s
    view = View(interval_s=interval_s)
    seen = []
    for _ in range(9):
        view.step(times, -1)
        seen.append(view.at)
    assert seen == times[-2::-1].tolist()
    view.step(times, 1)
    assert view.at == times[1]


def test_where_a_leap_ends_there_is_a_sample():
    """A recording can have gaps, and ktop can be suspended."""
    times = np.concatenate([np.arange(1000.0, 1010.0), np.arange(1100.0, 1200.0)])
    view = View()
    at = []
    for seconds in (-60, -60, -60, 60, 60, 60):
        view.leap(times, seconds)
        at.append(view.at)
    assert at == [1139.0, 1009.0, 1000.0, 1100.0, 1160.0, None]


def test_the_interval_never_goes_the_other_way():
    assert [next_interval(s, -1) for s in (1.0, 0.25, 0.1)] == [0.5, 0.25, 0.1]
    assert [next_interval(s, 1) for s in (1.0, 60.0, 3600.0)] == [2.0, 60.0, 3600.0]
    assert [next_interval(s, 1) for s in (0.1, 0.3)] == [INTERVALS_S[0], 0.5]
