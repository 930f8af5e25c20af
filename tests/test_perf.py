"""What is said of a perf event that the kernel refuses."""

from __future__ import annotations

import errno
import os

import pytest

from ktop.kernel import perf
from ktop.perf_event import HW_CACHE_REFERENCES, SW_CPU_CLOCK, TYPE_HARDWARE, TYPE_SOFTWARE, PerfEvent

REFERENCES = PerfEvent(TYPE_HARDWARE, HW_CACHE_REFERENCES, label="cache-references")
CLOCK = PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK, label="CPU clock")


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EOPNOTSUPP])
def test_without_a_pmu_the_machine_is_what_lacks_it(code):
    why, remedy = perf.refusal(REFERENCES, code)
    assert why.startswith("this machine has no hardware counters")
    assert errno.errorcode[code] in why
    assert "bare metal" in remedy


@pytest.mark.parametrize("event", [REFERENCES, CLOCK])
def test_a_user_without_the_right_is_sent_to_root_and_hears_of_no_verifier(event, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    why, remedy = perf.refusal(event, errno.EACCES)
    assert "EACCES" in why
    assert "verifier" not in why
    assert remedy == "run it as root, with sudo"


def test_root_is_not_sent_to_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    why, remedy = perf.refusal(CLOCK, errno.EACCES)
    assert "EACCES" in why
    assert not remedy
