"""One pane on the real kernel: attach, work, read, compare."""

from __future__ import annotations

import contextlib
import importlib
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from ktop import losses
from ktop.frame import Reading, Rows, Sample, take
from ktop.kernel import facts
from ktop.kernel.cgroups import Cgroups
from ktop.kernel.family import Family
from ktop.kernel.loader import load
from ktop.live import procfs
from ktop.live.live_pane import completed
from ktop.pane import Pane
from ktop.perf_event import PerfEvent
from tests.excuses import excuse
from tests.refusing import refuse_functions

ATTEMPTS = 12
"""With four threads at the same hook five runs in a row missed something, in a guest that is emulated."""
MISSES = pytest.StashKey[int]()
"""How often the kernel did not run a program in a test, as it was running already."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test anew that fails where the kernel says that it missed events: from 7.0 on it does.

    There programs are preempted, and the other tasks of that CPU pass by the hook meanwhile.
    """
    if facts.kernel_version() < (7, 0) or "observe" not in getattr(item, "fixturenames", ()):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(ATTEMPTS)):
        item.stash[MISSES] = 0
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        missed = item.stash[MISSES] and any(report.failed for report in reports)
        if missed and left:
            continue
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        break
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


class Observed:
    """A pane's family, live; figures are those since the last ``begin``."""

    def __init__(self, pane: Pane, family: Family) -> None:
        self.pane = pane
        self.family = family
        self.before = self.reading()

    def reading(self) -> Reading:
        maps, tails, lost = self.family.read()
        proc = {name: procfs.numbers(name) for name in self.pane.proc}
        return Reading(time.monotonic_ns(), maps, tails, proc, lost)

    def begin(self) -> None:
        self.before = self.reading()

    def sample(self) -> Sample:
        """Return what happened since ``begin``, derived columns included; begins anew."""
        return self._computed(self.reading())

    def prompt_sample(self, seconds: float) -> tuple[Sample, int, int]:
        """Return (what happened in so long, ns that passed, ns that the reading took).

        Host and processes are read one after the other, and who reads can be kept from the CPU in
        between, for seconds in guests that are emulated: again, then, for up to two minutes.
        """
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            first = time.monotonic_ns()
            self.begin()
            began = time.monotonic_ns()
            time.sleep(seconds)
            ended = time.monotonic_ns()
            sample = self.sample()
            last = time.monotonic_ns()
            reading = began - first + last - ended
            if reading < (last - began) / 10:
                return sample, last - began, reading
        raise AssertionError("reading took more than a tenth of the time, again and again")

    def sample_when(self, condition: Callable[[Rows], bool]) -> Sample:
        """Return the same as soon as ``condition`` holds for its rows, or else after 10 seconds."""
        deadline = time.monotonic() + 10
        while True:
            now = self.reading()
            rows = self.pane.compute(self.before, now, facts.for_compute()).rows
            if condition(dict(rows)) or time.monotonic() > deadline:
                return self._computed(now)
            time.sleep(0.01)

    def _computed(self, now: Reading) -> Sample:
        sample = self.pane.compute(self.before, now, facts.for_compute())
        self.losses = {**losses.since(self.before.losses, now.losses), **sample.losses}
        self.lost = sum(self.losses.values())
        self.before = now
        return replace(sample, rows=completed(self.pane, sample.rows, Cgroups()))

    def rows(self, **where: object) -> Rows:
        """Return the rows since ``begin`` whose columns equal ``where``."""
        rows = self.sample().rows
        for name, value in where.items():
            rows = take(rows, rows[name] == value)
        return rows


@pytest.fixture
def without_fentry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse programs on functions, as hosts do that do not let the kernel's code be patched."""
    refuse_functions(monkeypatch)


@pytest.fixture
def attach_loop() -> Iterator[Callable[..., Path]]:
    """Return a function that makes a loop device of a file; all are detached at the end."""
    with contextlib.ExitStack() as stack:

        def attach(file: Path, *options: str) -> Path:
            if shutil.which("losetup") is None:
                pytest.skip("apt install mount (losetup)")
            command: list[str | Path] = ["losetup", "-f", "--show", *options, file]
            loop = subprocess.run(command, capture_output=True, text=True, check=False)
            if loop.returncode:
                pytest.skip(f"no loop device: {loop.stderr.strip()}")
            device = Path(loop.stdout.strip())
            stack.callback(subprocess.check_call, ["losetup", "-d", device])
            return device

        yield attach


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Iterator[Callable[..., Observed]]:
    """Return a function that loads and attaches a pane by name; all is detached at the end."""

    def close(family: Family) -> None:
        stash = request.node.stash
        stash[MISSES] = stash.get(MISSES, 0) + family.recursion_misses()
        family.close()

    with contextlib.ExitStack() as stack:

        def start(
            name: str,
            *,
            sizes: Mapping[str, int] | None = None,
            perf_events: Mapping[str, PerfEvent] | None = None,
            demand: tuple[str, ...] = (),
        ) -> Observed:
            pane: Pane = importlib.import_module(f"ktop.panes.{name}").PANE
            family = load(pane.family, {"page_size": facts.for_compute().page_size}, sizes)
            stack.callback(close, family)
            words = excuse(name, platform.machine(), facts.kernel_version())
            if lacking := [why for why in family.choice.missing().values() if words and words in why]:
                pytest.skip(f"not on this kernel: {'; '.join(lacking)}")
            groups = [group for group in family.choice.variants if group not in {*pane.on_demand} - {*demand}]
            assert family.hooks.attach(groups, perf_events or pane.perf_events) == {}
            return Observed(pane, family)

        yield start
