"""The header's figures against /proc itself."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ktop.live import host
from ktop.live.host import HostSampler, pressure


def meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def test_figures_are_those_of_this_host() -> None:
    sampler = HostSampler()
    first = sampler.sample()
    assert "cpu_ratio" not in first
    for _ in range(2_000_000):
        pass
    second = sampler.sample()
    assert second["memory_total_bytes"] == meminfo("MemTotal")
    assert 0 < second["memory_used_bytes"] < second["memory_total_bytes"]
    assert 0 <= second["swap_used_bytes"] <= meminfo("SwapTotal")
    assert second["uptime_s"] == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=5)
    assert second["load1"] == pytest.approx(float(Path("/proc/loadavg").read_text().split()[0]), abs=2)
    assert second["cpus"] == Path("/proc/stat").read_text().count("\ncpu")
    assert 0 <= second["cpu_ratio"] <= 1
    assert 0 < second["self_cpu_ratio"] <= (os.cpu_count() or 1) + 0.5
    assert 1 << 20 < second["self_rss_bytes"] < second["memory_total_bytes"]
    assert ("pressure_cpu" in second) == host.PRESSURE.joinpath("cpu").exists()
    assert all(isinstance(value, float) for value in second.values())


def test_ktops_own_share_is_of_the_time_since_it_was_last_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: 100.0, process_time=lambda: 7.0)
    monkeypatch.setattr(host, "time", clock)
    sampler = HostSampler()
    assert sampler._own_ratio() == {}
    for wall, own, share in ((104.0, 8.0, 0.25), (106.0, 11.0, 1.5)):
        clock.monotonic, clock.process_time = partial(float, wall), partial(float, own)
        assert sampler._own_ratio() == {"self_cpu_ratio": share}


def test_pressure(tmp_path: Path) -> None:
    path = tmp_path / "io"
    path.write_text(
        "some avg10=12.50 avg60=1.00 avg300=0.11 total=2\nfull avg10=1.41 avg60=0 avg300=0 total=1\n"
    )
    assert pressure(path) == 0.125
    path.write_text("")
    with pytest.raises(ValueError, match="some"):
        pressure(path)


def test_a_kernel_without_pressure_has_no_such_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "PRESSURE", tmp_path)
    figures = HostSampler().sample()
    assert not [name for name in figures if name.startswith("pressure")]
    assert "memory_total_bytes" in figures


class Times(tuple[float, ...]):
    """What psutil gives: a namedtuple."""

    __slots__ = ()

    def _asdict(self) -> dict[str, float]:
        return dict(zip(("user", "idle", "iowait", "guest"), self, strict=True))


def test_a_share_never_leaves_its_range() -> None:
    """iowait may run backwards; guest time is in user time already."""
    sampler = HostSampler()
    assert sampler._cpu_ratio(Times((10.0, 80.0, 10.0, 5.0))) == {}
    assert sampler._cpu_ratio(Times((20.0, 90.0, 10.0, 9.0))) == {"cpu_ratio": 0.5}
    assert sampler._cpu_ratio(Times((30.0, 90.0, 5.0, 9.0))) == {"cpu_ratio": 1.0}
    assert sampler._cpu_ratio(Times((30.0, 90.0, 5.0, 9.0))) == {}


def test_no_share_spans_cpus_that_come_or_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The idle time of a CPU that goes or comes back jumps, by seconds."""
    times = iter([(10.0, 10.0), (20.0, 20.0), (30.0, 90.0), (40.0, 100.0)])
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times((*next(times), 0.0, 0.0)))
    sampler = HostSampler()
    sampler.sample()
    assert sampler.sample()["cpu_ratio"] == 0.5
    monkeypatch.setattr(os, "cpu_count", lambda: 1000)
    changed = sampler.sample()
    assert changed["cpus"] == 1000
    assert "cpu_ratio" not in changed
    assert sampler.sample()["cpu_ratio"] == 0.5
