"""The thread that reads the kernel: Readings in, Frames out."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ktop.frame import Facts, Frame, Reading, Status
from ktop.kernel import checks, facts, heap
from ktop.kernel.cgroups import Cgroups
from ktop.kernel.reasons import in_words
from ktop.live.live_pane import LivePane
from ktop.pane import Pane, Shape
from ktop.perf_event import PerfEvent
from ktop.source import HOST, Identity, Publish

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ktop.kernel.family import Family
    from ktop.kernel.run_time import RunTime
    from ktop.kernel.symbols import Symbols

DRAIN_S, STORM_DRAIN_S = 1.0, 0.25
"""Ring buffers hold seconds, whatever the interval; less where so much comes that they lose some."""
FAILED_READS = 5
"""In a row, until a pane is given up: memory may be short for a moment."""
FIRST_INTERVAL_S = 0.25
"""On a screen the first figures come soon, whatever the interval."""


class Sampler:
    """The live Source: loads families, samples them all each interval, publishes Frames."""

    def __init__(
        self,
        panes: Sequence[Pane],
        interval_s: float = 1.0,
        *,
        perf_events: Mapping[str, PerfEvent] | None = None,
        everything: bool = False,
        hurry: bool = True,
    ) -> None:
        """Prepare; nothing is loaded before ``start``.

        ``perf_events`` replaces panes' own by name (tests measure software events
        where there is no PMU); ``everything`` runs also the panes that are not resident.
        ``hurry``: the first interval is a short one, for someone waits at a screen;
        else a whole one, which begins when all is loaded.
        """
        name = os.uname()
        self.identity = Identity(
            name.nodename, name.release, os.cpu_count() or 1, all_processes=facts.sees_all_processes()
        )
        self.interval_s = interval_s
        self.failure: str | None = None
        """What ended the thread before ``stop`` did; every pane is unavailable with it then."""
        heap.share()
        cgroups = Cgroups()
        self._panes = {pane.name: LivePane(pane, perf_events or {}, cgroups) for pane in panes}
        for live in self._panes.values():
            live.sharing = [other for other in self._panes.values() if other.pane.family == live.pane.family]
        self._everything = everything
        self._hurry = hurry
        self._visible: tuple[str, ...] = ()
        self._publish: Publish = lambda _frame: None
        self._wake = threading.Event()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._families: dict[str, Family] = {}
        self._loading: dict[str, Future[Family]] = {}
        self._symbols: Symbols | None = None
        self._commands: list[Callable[[], None]] = []
        self._facts = Facts()
        self._deadline = 0.0
        self._losing = False
        """Whether a ring buffer was full in the last interval, or filled fast in this one: nothing else is
        lost for want of draining."""
        self._header: Frame | None = None
        self._run_time: RunTime | None = None
        """While the kernel times the programs."""
        self._asked: RunTime | None = None
        """The last that the thread was asked to time them with."""
        self._bpf_ratio: float | None = None
        """What they took, where that is not in a Frame yet."""

    # -- Source --------------------------------------------------------------

    def start(self, publish: Publish) -> None:
        """Load the panes on a thread of its own, the visible one first, then sample."""
        self._publish = publish
        thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        thread.start()
        self._thread = thread  # only now: one that never ran cannot be waited for

    def stop(self) -> None:
        """Stop, detach and unload; waits for the thread, at most 5 s."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)
        if self._asked is not None:  # the thread may have ended before it took it
            self._asked.close()

    def look_at(self, panes: tuple[str, ...]) -> None:
        """Run these non-resident panes, and no others."""
        self._visible = panes
        self._do(self._follow_the_view)

    def demand(self, pane: str, group: str, on: bool) -> None:
        """Attach or detach one of ``pane.on_demand``'s groups."""
        self._do(lambda: self._panes[pane].demand(group, on))

    def set_interval(self, seconds: float) -> None:
        """Sample each ``seconds`` from now on."""
        self.interval_s = seconds

        def sooner() -> None:
            self._deadline = min(self._deadline, time.monotonic() + self.interval_s)

        self._do(sooner)

    def measure_cost(self, seconds: float) -> str | None:
        """Have the kernel time the programs that long; return why it does not."""
        from ktop.kernel.run_time import RunTime

        if self.failure is not None:
            return self.failure
        try:
            run_time = RunTime(seconds)
        except OSError as error:
            return f"The kernel does not time BPF programs for this user ({error.strerror}): it takes root."
        self._asked = run_time
        self._do(lambda: self._time_programs(run_time))
        return None

    # -- for those who look closer (doctor, list, tests) ---------------------

    def wait_ready(self, timeout: float) -> bool:
        """Return whether all panes were tried within ``timeout`` seconds."""
        return self._ready.wait(timeout)

    def statuses(self) -> dict[str, Status]:
        """Return the present Status of every pane, by name."""
        return {name: live.status() for name, live in self._panes.items()}

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
            try:
                if self._hurry:
                    self._deadline = time.monotonic() + min(self.interval_s, FIRST_INTERVAL_S)
                self._load_all()
                if not self._hurry:
                    self._begin_together()
                self._loop()
            finally:
                self._release()
        except Exception as error:  # noqa: BLE001 - somebody waits for Frames, and must learn of it
            self._give_up(f"sampling ended: {in_words(error)}")
        finally:
            self._ready.set()

    def _release(self) -> None:
        """Leave nothing in the kernel."""
        for name, loading in self._loading.items():
            if not loading.cancel() and loading.exception() is None:
                self._families[name] = loading.result()
        if self._symbols is not None:
            self._symbols.stop()
        if self._run_time is not None:
            self._run_time.close()
        # Detach all before the first is freed: the kernel waits once, not once a family.
        for family in self._families.values():
            family.hooks.detach()
        for family in self._families.values():
            family.close()

    def _give_up(self, reason: str) -> None:
        """Have every pane say that there will be no more figures."""
        self.failure = reason
        for live in self._panes.values():
            live.attached = False
            if live.unavailable is None:
                live.unavailable = reason
                with contextlib.suppress(Exception):  # it may be that which failed
                    self._publish(live.without_figures())
        with contextlib.suppress(Exception):
            self._publish(Frame(HOST, time.time(), self.interval_s, {}, status=Status(unavailable=reason)))

    def _in_order(self) -> list[LivePane]:
        """Return the panes, the visible ones first."""
        first = [name for name in self._visible if name in self._panes]
        return [self._panes[name] for name in [*first, *(name for name in self._panes if name not in first)]]

    def _load_all(self) -> None:
        from ktop.kernel import limits

        limits.raise_open_files()
        self._facts = facts.for_compute()
        refusal = checks.refusal()
        wanted = [
            live
            for live in self._in_order()
            if live.pane.resident or self._everything or live.pane.name in self._visible or refusal
        ]
        with heap.keeping_pages():
            if refusal is None:
                self._begin_to_load(live.pane.family for live in wanted)
            for live in wanted:
                if self._stopping.is_set():
                    return
                live.unavailable = refusal
                self._bring_up(live)
        self._ready.set()

    def _begin_together(self) -> None:
        """Let the first interval of all panes begin now; of events, those meanwhile are kept."""
        readings: dict[str, Reading] = {}
        for live in self._panes.values():
            if live.attached and live.pane.shape is not Shape.EVENTS:
                live.begin_anew()
                self._sample(live, readings)
        # Only now: on a host that starves, all that takes a while.
        self._deadline = time.monotonic() + self.interval_s

    def _begin_to_load(self, families: Iterable[str]) -> None:
        """Load on several threads: most of it is the kernel's verifier, which takes one CPU for each."""
        from concurrent.futures import ThreadPoolExecutor

        from ktop.kernel.loader import load

        pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="loader")
        try:
            for name in dict.fromkeys(families):
                self._loading[name] = pool.submit(load, name, *self._settings(name))
        except RuntimeError:  # no thread to be had: what no other has begun, the sampler's own loads
            pool.shutdown(wait=False, cancel_futures=True)
            self._loading = {
                name: loading for name, loading in self._loading.items() if not loading.cancelled()
            }
        pool.shutdown(wait=False)

    def _settings(self, family: str) -> tuple[dict[str, int], dict[str, int]]:
        """Return the constants and sizes to load ``family`` with."""
        from ktop.kernel import expected

        return {"page_size": self._facts.page_size}, expected.sizes(family)

    def _family(self, name: str) -> Family:
        """Return the family, loaded; LoadError when it cannot be."""
        from ktop.kernel.loader import load

        if name not in self._families:
            loading = self._loading.pop(name, None)
            self._families[name] = loading.result() if loading else load(name, *self._settings(name))
        return self._families[name]

    def _bring_up(self, live: LivePane) -> None:
        """Load the family if no other pane did, attach what the pane needs, take the first Reading."""
        from ktop.kernel.loader import LoadError

        name = live.pane.family
        if live.unavailable is None:
            try:
                live.bring_up(self._family(name))
            except LoadError as error:
                live.unavailable, live.log = str(error), error.log
            except Exception as error:  # noqa: BLE001 - one pane's defect must not take the others with it
                live.unavailable = f"loading failed: {in_words(error)}"
        if live.unavailable is not None:
            live.stand_down()
            self._publish(live.without_figures())
            return
        readings: dict[str, Reading] = {}
        for other in live.sharing:
            # Reading empties ring buffers, so it is for all panes on the family.
            if other.attached:
                self._sample(other, readings)

    def _follow_the_cpus(self) -> None:
        """Read what all CPUs have that there are now, and have perf events on those that are online."""
        from ktop.kernel import cpus

        present = cpus.present()
        for family in self._families.values():
            family.follow_the_cpus(present)
        for live in self._panes.values():
            if live.attached and live.cpus_changed():
                anew = [other for other in live.sharing if other.attached]
                for other in anew:
                    other.stand_down()
                for other in anew:
                    self._bring_up(other)

    def _follow_the_view(self) -> None:
        for name, live in self._panes.items():
            if live.pane.resident or self._everything or live.unavailable:
                continue
            if name in self._visible and not live.attached:
                self._bring_up(live)
            elif name not in self._visible and live.attached:
                live.stand_down()

    def _loop(self) -> None:
        from ktop.live.host import HostSampler

        host = HostSampler()
        while True:
            ends = self._run_time.until if self._run_time is not None else self._deadline
            pause = STORM_DRAIN_S if self._losing else DRAIN_S
            self._wake.wait(min(max(0.0, min(self._deadline, ends) - time.monotonic()), pause))
            self._wake.clear()
            while self._commands:
                self._commands.pop(0)()
            if self._stopping.is_set():
                return
            if self._run_time is not None and time.monotonic() >= self._run_time.until:
                self._time_programs(None)
            if time.monotonic() < self._deadline:
                for family in self._families.values():
                    with contextlib.suppress(OSError):  # the next read says it
                        self._losing |= family.drain()
                continue
            self._tick(host.sample())
            # A host that stood still must not be hit by all the missed ticks at once.
            soonest = time.monotonic() + min(self.interval_s, 0.05)
            self._deadline = max(self._deadline + self.interval_s, soonest)

    def _tick(self, host: Mapping[str, float]) -> None:
        self._facts = facts.renewed(self._facts)
        self._follow_the_cpus()
        if self._run_time is not None:
            self._bpf_ratio = self._run_time.take(self._run_time_ns())
        figures = {**host} if self._bpf_ratio is None else {**host, "bpf_ratio": self._bpf_ratio}
        self._bpf_ratio = None
        self._header = Frame(HOST, time.time(), self.interval_s, {}, figures)
        self._losing = False
        readings: dict[str, Reading] = {}
        for live in self._in_order():
            if live.attached:
                self._sample(live, readings)
        self._publish_header()

    def _publish_header(self) -> None:
        """Publish the header's figures of this tick, once."""
        header, self._header = self._header, None
        if header is not None:
            self._publish(header)

    def _sample(self, live: LivePane, readings: dict[str, Reading]) -> None:
        """Publish the pane's next Frame; ``readings``: this tick's by family, which panes share."""
        family = live.pane.family
        try:
            if family not in readings:
                readings[family] = live.read({name for other in live.sharing for name in other.pane.proc})
            frame = live.sample(readings[family], self._facts)
            live.failed_reads = 0
        except Exception as error:  # noqa: BLE001 - one pane's defect must not take the others with it
            live.failed_reads += 1
            if isinstance(error, (OSError, MemoryError)) and live.failed_reads < FAILED_READS:
                return  # the next Frame speaks of this interval as well
            live.unavailable = f"sampling failed: {in_words(error)}"
            live.stand_down()
            frame = live.without_figures()
        if frame is not None:
            self._losing |= "ring_full" in frame.status.losses
            self._deliver(live.pane, frame)

    def _deliver(self, pane: Pane, frame: Frame) -> None:
        """Publish ``frame``, stacks only when they have names: a tick never waits for those."""
        # Right before the first Frame of the tick, so that the screen is drawn once for both.
        self._publish_header()
        if pane.shape is not Shape.STACKS or not (len(frame) or self._symbols):
            self._publish(frame)
            return
        if self._symbols is None:
            from ktop.kernel.symbols import Symbols, with_addresses

            try:
                self._symbols = Symbols(lambda named: self._do(lambda: self._publish(named)))
            except RuntimeError as error:  # no thread to be had: the next tick tries again
                self._publish(with_addresses(frame, f"stacks have no names: {error}"))
                return
        self._symbols.name(frame)

    def _time_programs(self, run_time: RunTime | None) -> None:
        """Have ``run_time`` measure from now on, nothing for None; end what does."""
        if self._run_time is not None:
            if not self._run_time.measured:  # the interval is longer: it is for the next Frame
                self._bpf_ratio = self._run_time.take(self._run_time_ns())
            self._run_time.close()
        self._run_time = run_time
        if run_time is not None:
            run_time.take(self._run_time_ns())

    def _run_time_ns(self) -> int:
        return sum(family.run_time_ns() for family in self._families.values())
