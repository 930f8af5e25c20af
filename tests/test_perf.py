"""What is said of a perf event that the kernel refuses."""

from __future__ import annotations

import errno
import os

import pytest

from ktop.kernel import cpus, perf
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


@pytest.mark.parametrize("goes", [False, True])
def test_a_cpu_that_comes_or_goes_meanwhile_is_waited_for(goes, monkeypatch):
    """The kernel says ENODEV for one that is online by /sys: no reason to have no events at all."""
    online, refused = [0, 1, 2], iter([True] * 3)

    def open_on_cpu(_event: PerfEvent, cpu: int) -> int:
        if cpu == 2 and next(refused, False):
            online[:] = [0, 1] if goes else online
            raise OSError(errno.ENODEV, "No such device")
        return 100 + cpu

    monkeypatch.setattr(cpus, "online", lambda: list(online))
    monkeypatch.setattr(perf, "open_on_cpu", open_on_cpu)
    assert perf.open_everywhere(CLOCK) == {cpu: 100 + cpu for cpu in online}


def test_without_an_event_on_any_cpu_nothing_is_waited_for(monkeypatch):
    asked = []

    def open_on_cpu(_event: PerfEvent, cpu: int) -> int:
        asked.append(cpu)
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(perf, "open_on_cpu", open_on_cpu)
    with pytest.raises(perf.EventRefusedError, match="no hardware counters"):
        perf.open_everywhere(REFERENCES)
    assert len(asked) == 1
