"""The thread that reads the kernel: Readings in, Frames out."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ktop import procfs
from ktop.frame import Array, Facts, Frame, Reading, Sample, Status
from ktop.pane import PerfEvent
from ktop.source import HOST, Identity, Publish

if TYPE_CHECKING:
    from ktop.kernel.loader import Family
    from ktop.pane import Pane

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.1, 3600.0


@dataclass(slots=True)
class _Live:
    """One pane's state in the sampler."""

    pane: Pane
    family: Family | None = None
    unavailable: str | None = None
    attached: bool = False
    before: Reading | None = None
    demanded: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


class Sampler:
    """The live Source: loads families, samples them all each interval, publishes Frames."""

    def __init__(
        self,
        panes: Sequence[Pane],
        interval_s: float = 1.0,
        *,
        perf_events: Mapping[str, tuple[PerfEvent, ...]] | None = None,
        everything: bool = False,
    ) -> None:
        """Prepare; nothing is loaded before ``start``.

        ``perf_events`` replaces panes' own by name (tests measure software events
        where there is no PMU); ``everything`` runs also the panes that are not resident.
        """
        self.identity = Identity(*_identity())
        self.interval_s = interval_s
        self._panes = {pane.name: _Live(pane) for pane in panes}
        self._perf_events = perf_events or {}
        self._everything = everything
        self._visible: tuple[str, ...] = ()
        self._publish: Publish = lambda _frame: None
        self._wake = threading.Event()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._families: dict[str, Family] = {}
        self._commands: list[Callable[[], None]] = []
        self._facts = Facts(cpus=1)
        self._bpf_ratio = math.nan

    # -- Source --------------------------------------------------------------

    def start(self, publish: Publish) -> None:
        """Load the panes on a thread of its own, the visible one first, then sample."""
        self._publish = publish
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, detach and unload; waits for the thread, at most 5 s."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)

    def look_at(self, panes: tuple[str, ...]) -> None:
        """Run these non-resident panes, and no others."""
        self._visible = panes
        self._do(self._attach_visible)

    def demand(self, pane: str, group: str, on: bool) -> None:
        """Attach or detach one of ``pane.on_demand``'s groups."""

        def change() -> None:
            live = self._panes[pane]
            (live.demanded.add if on else live.demanded.discard)(group)
            if live.family is not None:
                if on:
                    self._attach(live, (group,))
                else:
                    live.family.detach((group,))

        self._do(change)

    def set_interval(self, seconds: float) -> None:
        """Sample each ``seconds`` (0.1 s to an hour) from now on."""
        self.interval_s = min(max(seconds, MIN_INTERVAL_S), MAX_INTERVAL_S)
        self._wake.set()

    def measure_cost(self, seconds: float) -> None:
        """Have the kernel time the programs that long (58 ns dearer a run meanwhile)."""
        self._do(lambda: self._measure_cost(seconds))

    # -- for those who look closer (doctor, list, tests) ---------------------

    def wait_ready(self, timeout: float) -> bool:
        """Return whether all panes were tried within ``timeout`` seconds."""
        return self._ready.wait(timeout)

    def statuses(self) -> dict[str, Status]:
        """Return the present Status of every pane, by name."""
        return {name: self._status(live) for name, live in self._panes.items()}

    def logs(self) -> dict[str, list[str]]:
        """Return what libbpf and the verifier said, by pane; empty lists where all went well."""
        return {name: live.log for name, live in self._panes.items()}

    # -- the thread ----------------------------------------------------------

    def _do(self, command: Callable[[], None]) -> None:
        """Have the thread run ``command`` soon: only it touches the kernel."""
        self._commands.append(command)
        self._wake.set()

    def _run(self) -> None:
        try:
            self._load_all()
            self._loop()
        finally:
            self._ready.set()
            for family in self._families.values():
                family.detach()
            for family in self._families.values():
                family.close()

    def _load_all(self) -> None:
        from ktop.kernel import facts

        self._facts = facts.for_compute()
        refusal = facts.refusal()
        first = [name for name in self._visible if name in self._panes]
        for name in [*first, *(name for name in self._panes if name not in first)]:
            if self._stopping.is_set():
                return
            live = self._panes[name]
            if refusal:
                live.unavailable = refusal
            elif live.pane.resident or self._everything or name in self._visible:
                self._bring_up(live)
            if live.unavailable:
                self._publish(self._empty(live))
        self._ready.set()

    def _bring_up(self, live: _Live) -> None:
        """Load the family if no other pane did, attach what the pane needs, take the first Reading."""
        from ktop.kernel.loader import LoadError, load

        name = live.pane.family
        try:
            if name not in self._families:
                self._families[name] = load(name, {"page_size": self._facts.page_size})
            live.family = self._families[name]
        except LoadError as error:
            live.unavailable, live.log = str(error), error.log
            return
        live.log = live.family.log
        live.refused = dict(live.family.choice.refused)
        on_demand = set(live.pane.on_demand) - live.demanded
        self._attach(live, [group for group in live.family.choice.variants if group not in on_demand])
        needed: set[str] = set(live.pane.groups or live.family.choice.variants)
        missing = live.family.choice.missing()
        reasons = [missing[group] for group in needed if group in missing]
        needed |= set(live.pane.perf_events)
        reasons += [text for name, text in live.refused.items() if name in needed]
        if reasons:
            live.unavailable = "; ".join(reasons)
            return
        live.attached = True
        live.before = self._read(live)

    def _attach(self, live: _Live, groups: Sequence[str]) -> None:
        from ktop.kernel.reasons import explain

        if live.family is None:
            return
        events = {name: self._perf_events.get(name, own) for name, own in live.pane.perf_events.items()}
        for group, error in live.family.attach(groups, events).items():
            live.refused[group] = explain(error.errno or 0, error.strerror or group)

    def _attach_visible(self) -> None:
        for name, live in self._panes.items():
            if live.pane.resident or self._everything or live.unavailable:
                continue
            if name in self._visible and not live.attached:
                self._bring_up(live)
                if live.unavailable:
                    self._publish(self._empty(live))
            elif name not in self._visible and live.attached and live.family is not None:
                live.family.detach()
                live.attached = False
                live.before = None

    def _loop(self) -> None:
        from ktop.host import HostSampler

        host = HostSampler()
        deadline = time.monotonic() + min(self.interval_s, 0.25)  # the first figures soon
        while not self._stopping.is_set():
            interval = self.interval_s
            self._wake.wait(max(0.0, deadline - time.monotonic()))
            self._wake.clear()
            while self._commands:
                self._commands.pop(0)()
            if self._stopping.is_set():
                return
            if interval != self.interval_s:
                deadline = min(deadline, time.monotonic() + self.interval_s)
            if time.monotonic() < deadline:
                continue
            self._tick(host.sample())
            deadline += self.interval_s
            # A host that stood still must not be hit by all the missed ticks at once.
            deadline = max(deadline, time.monotonic() + min(self.interval_s, 0.05))

    def _tick(self, host: Mapping[str, float]) -> None:
        now = time.time()
        figures = dict(host)
        if not math.isnan(self._bpf_ratio):
            figures["bpf_ratio"] = self._bpf_ratio
        self._publish(Frame(HOST, now, self.interval_s, {}, figures))
        first = [name for name in self._visible if name in self._panes]
        readings: dict[str, Reading] = {}  # panes on one family share a Reading
        for name in [*first, *(name for name in self._panes if name not in first)]:
            live = self._panes[name]
            if live.attached:
                self._publish(self._sample(live, readings))

    def _sample(self, live: _Live, readings: dict[str, Reading]) -> Frame:
        """Read, difference, derive; an error is a state of this pane, the others go on."""
        before = live.before
        try:
            reading = readings.get(live.pane.family)
            if reading is None:
                reading = readings[live.pane.family] = self._read(live)
            if before is None:
                before = reading
            sample = live.pane.compute(before, reading, self._facts)
            rows = live.pane.derive(dict(sample.rows))
        except Exception as error:  # noqa: BLE001 - one pane's defect must not take the others with it
            live.unavailable, live.attached = f"sampling failed: {type(error).__name__}: {error}", False
            return self._empty(live)
        live.before = reading
        lost = reading.lost - before.lost
        return Frame(
            live.pane.name,
            time.time(),
            (reading.time_ns - before.time_ns) / 1e9,
            rows,
            sample.host,
            sample.histograms,
            replace(self._status(live, sample), lost=lost),
        )

    def _read(self, live: _Live) -> Reading:
        if live.family is None:
            raise OSError(0, "not loaded")
        maps, tails, lost = live.family.read()
        sharing = [other.pane for other in self._panes.values() if other.family is live.family]
        wanted = {name for pane in sharing for name in pane.proc}
        proc = {name: procfs.numbers(name) for name in wanted}
        return Reading(time.monotonic_ns(), maps, tails, proc, lost)

    def _status(self, live: _Live, sample: Sample | None = None) -> Status:
        hooks = live.family.hooks() if live.family is not None else {}
        return Status(
            hooks=hooks,
            refused=dict(live.refused),
            unavailable=live.unavailable,
            unattributed_ratio=sample.unattributed_ratio if sample is not None else None,
        )

    def _empty(self, live: _Live) -> Frame:
        """Return a Frame without figures that says why there are none."""
        import numpy as np

        columns: dict[str, Array] = {column.name: np.zeros(0) for column in live.pane.columns}
        return Frame(live.pane.name, time.time(), math.nan, columns, status=self._status(live))

    def _measure_cost(self, seconds: float) -> None:
        """Set ``bpf_ratio``: run time of all programs as a share of one core."""
        from ktop.kernel.facts import runtime_statistics

        def total() -> int:
            return sum(info.run_time_ns for f in self._families.values() for info in f.programs().values())

        with contextlib.suppress(OSError), runtime_statistics():
            before, started = total(), time.monotonic_ns()
            time.sleep(min(seconds, 5.0))
            self._bpf_ratio = (total() - before) / (time.monotonic_ns() - started)


def _identity() -> tuple[str, str, int]:
    import os

    name = os.uname()
    return name.nodename, name.release, os.cpu_count() or 1
