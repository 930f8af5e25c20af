"""The live Source: every pane comes up, ticks, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from ktop import registry
from ktop.frame import Frame, length
from ktop.kernel import cpus, facts
from ktop.kernel.family import Family
from ktop.kernel.hooks import Hooks
from ktop.kernel.loader import load
from ktop.kernel.run_time import SHORTEST_NS, RunTime
from ktop.live.live_pane import LivePane
from ktop.live.sampler import FAILED_READS, Sampler
from ktop.perf_event import PerfEvent
from ktop.process import read
from ktop.source import HOST
from tests.excuses import excuse
from tests.waiting import eventually


def frames_of(sampler: Sampler, wanted: set[str], timeout: float = 100) -> dict[str, Frame]:
    """Start, and return the first Frame with figures (or the reason for none) of each wanted pane."""
    arrived: queue.Queue[Frame] = queue.Queue()
    sampler.start(arrived.put)
    found: dict[str, Frame] = {}
    deadline = time.monotonic() + timeout
    while wanted - found.keys():
        frame = arrived.get(timeout=max(0.01, deadline - time.monotonic()))
        found[frame.pane] = frame
    return found


@pytest.fixture
def sampler():
    made: list[Sampler] = []

    def make(*args, **kwargs):
        made.append(Sampler(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        assert not any(thread is one._thread for thread in threading.enumerate())


def test_every_pane_is_live_or_says_why(sampler):
    panes = registry.panes()
    names = {pane.name for pane in panes}
    found = frames_of(sampler(panes, 0.2, everything=True), names | {HOST})
    for pane in panes:
        frame = found[pane.name]
        if frame.status.unavailable:
            words = excuse(pane.name, platform.machine(), facts.kernel_version())
            assert words, frame.status.unavailable
            assert words in frame.status.unavailable
            continue
        assert frame.status.hooks, pane.name
        assert frame.interval_s > 0
        lengths = {len(column) for column in frame.rows.values()}
        assert len(lengths) == 1, pane.name
        assert set(frame.rows) == {column.name for column in pane.columns}, pane.name
    assert found[HOST].host["memory_total_bytes"] > 0


def defect(_previous, _current, _facts):
    raise ValueError("a defect")


def test_without_hurry_the_first_interval_is_a_whole_one_for_all(sampler, monkeypatch):
    """However long loading takes."""
    loaded = []

    def slow(name, *arguments):
        time.sleep(3.0 if name == "block" else 0.5)
        family = real(name, *arguments)
        loaded.append(time.time())
        return family

    from ktop.kernel.loader import load as real

    monkeypatch.setattr("ktop.kernel.loader.load", slow)
    panes = [registry.get("runqlat"), registry.get("biotop")]
    found = frames_of(sampler(panes, 0.4, hurry=False), {"runqlat", "biotop"})
    assert all(frame.interval_s >= 0.4 for frame in found.values())
    assert all(frame.ts - frame.interval_s >= max(loaded) for frame in found.values())


def test_without_hurry_the_first_interval_is_a_whole_one_however_long_reading_takes(sampler, monkeypatch):
    read, reads = LivePane.read, dict.fromkeys(("runqlat", "biotop"), 0)

    def slow(live, proc):
        reading = read(live, proc)
        reads[live.pane.name] += 1
        if reads[live.pane.name] == 2:  # with the first it came up, with this its interval begins
            time.sleep(0.3)
        return reading

    monkeypatch.setattr(LivePane, "read", slow)
    panes = [registry.get(name) for name in reads]
    found = frames_of(sampler(panes, 0.4, hurry=False), set(reads))
    assert all(frame.interval_s >= 0.4 for frame in found.values())


def test_a_pane_that_fails_does_not_take_the_others(sampler):
    runqlat = registry.get("runqlat")

    broken = replace(runqlat, name="broken", compute=defect)
    absent = replace(runqlat, name="absent", family="no_such_family")
    found = frames_of(sampler([broken, absent, runqlat], 0.2), {"broken", "absent", "runqlat"})
    assert "a defect" in found["broken"].status.unavailable
    assert "no_such_family" in found["absent"].status.unavailable
    assert found["runqlat"].status.unavailable is None


def test_kernel_and_proc_agree_on_when_a_process_started(sampler):
    """By that the process screen knows whether a PID is still that of the same process."""
    arrived: queue.Queue[Frame] = queue.Queue()
    sampler([registry.get("runqlat")], 0.2).start(arrived.put)
    me = read(os.getpid())
    assert me is not None
    deadline = time.monotonic() + 30
    mine: list[int] = []
    while not mine:
        rows = arrived.get(timeout=max(0.01, deadline - time.monotonic())).rows
        mine = rows["start_ns"][rows["pid"] == me.pid].tolist() if "start_ns" in rows else []
    assert me.began_at(mine[0])


def test_panes_on_one_family_share_a_reading(sampler):
    """Ring buffers are emptied by reading: a second pane must not take the first one's events."""
    runqlat = registry.get("runqlat")
    twin = replace(runqlat, name="twin")
    one = sampler([runqlat, twin], 0.2)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    seen: dict[str, dict[float, int]] = {"runqlat": {}, "twin": {}}
    deadline = time.monotonic() + 30
    while min(len(by_interval) for by_interval in seen.values()) < 5 and time.monotonic() < deadline:
        frame = arrived.get(timeout=10)
        if frame.pane in seen:
            seen[frame.pane][frame.interval_s] = length(frame.rows)
    shared = seen["runqlat"].keys() & seen["twin"].keys()
    assert len(shared) >= 3
    assert all(seen["runqlat"][interval] == seen["twin"][interval] for interval in shared)


def test_a_pane_nobody_looks_at_is_detached(sampler):
    shy = replace(registry.get("runqlat"), resident=False)
    one = sampler([shy], 0.2)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    assert one.wait_ready(30)
    assert one.statuses()["runqlat"].hooks == {}
    one.look_at(("runqlat",))
    next_of(arrived, "runqlat")
    assert one.statuses()["runqlat"].hooks
    one.look_at(())
    eventually(lambda: not one.statuses()["runqlat"].hooks)


def test_panes_on_one_family_leave_each_other_their_hooks(sampler):
    """Each has its own, whichever comes and goes, and what one has on demand no other has for nothing."""
    from dataclasses import replace

    execsnoop = registry.get("execsnoop")
    twin = replace(execsnoop, name="twin", on_demand=(), resident=False)
    broken = replace(twin, name="broken", compute=defect)
    one = sampler([execsnoop, twin, broken], 0.2)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    assert one.wait_ready(30)

    def hooks() -> set[str]:
        return set(one.statuses()["execsnoop"].hooks)

    def settled(wanted: set[str]) -> bool:
        eventually(lambda: hooks() == wanted)
        next_of(arrived, "execsnoop")  # what was asked for before is done
        next_of(arrived, "execsnoop")
        return hooks() == wanted

    (on_demand,) = execsnoop.on_demand
    own = hooks()
    assert own
    assert on_demand not in own
    one.look_at(("twin",))
    next_of(arrived, "twin")
    assert settled(own)
    one.demand("execsnoop", on_demand, True)
    assert settled({*own, on_demand})
    one.look_at(("twin", "broken"))
    assert next_of(arrived, "broken").status.unavailable
    assert settled({*own, on_demand})
    one.look_at(())
    assert settled({*own, on_demand})
    one.demand("execsnoop", on_demand, False)
    assert settled(own)
    assert next_of(arrived, "execsnoop").status.unavailable is None


def headers(arrived: queue.Queue[Frame], wanted: Callable[[Frame], bool]) -> list[Frame]:
    """Return the HOST Frames up to the first that is ``wanted``."""
    found: list[Frame] = []
    deadline = time.monotonic() + 30
    while not found or not wanted(found[-1]):
        frame = arrived.get(timeout=10)
        assert time.monotonic() < deadline
        if frame.pane == HOST:
            found.append(frame)
    return found


def test_a_share_is_not_of_a_moment(monkeypatch):
    clock = [0]
    monkeypatch.setattr(time, "monotonic_ns", lambda: clock[0])
    with contextlib.closing(RunTime(10.0)) as run_time:
        assert run_time.take(1000) is None
        clock[0] += SHORTEST_NS - 1
        assert run_time.take(1000) is None, "no program had the time to run"
        assert not run_time.measured
        clock[0] += 1
        assert run_time.take(2000) == 1000 / SHORTEST_NS
        assert run_time.measured


def test_the_time_counts_from_the_first_look():
    """On a host that suffers that may be late."""
    with contextlib.closing(RunTime(0.01)) as run_time:
        time.sleep(0.01)
        late = time.monotonic()
        run_time.take(1000)
        assert run_time.until >= late + 0.01


def test_cost_is_measured_on_demand_and_no_longer(sampler):
    one = sampler([registry.get("runqlat")], 0.2)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    assert one.measure_cost(4.0) is None  # long, for a machine that stands still at times
    first = headers(arrived, lambda frame: "bpf_ratio" in frame.host)[-1]
    found = headers(arrived, lambda frame: "bpf_ratio" not in frame.host)
    while_on = [first, *found[:-1]]
    ratios = [frame.host["bpf_ratio"] for frame in while_on]
    assert all(0 < ratio < 1 for ratio in ratios), ratios
    assert len(while_on) > 1, "nothing was sampled meanwhile"


def test_cost_is_told_where_the_interval_is_longer(sampler):
    one = sampler([registry.get("runqlat")], 1.0, hurry=False)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    assert one.wait_ready(30)
    assert one.measure_cost(0.01) is None
    found = headers(arrived, lambda frame: "bpf_ratio" in frame.host)
    found += headers(arrived, lambda frame: True)
    assert "bpf_ratio" not in found[-1].host


def test_a_defect_while_loading_takes_one_pane_only(sampler, monkeypatch):
    """Whatever it is: the others are sampled, and this one says it."""
    from ktop.kernel.prepare import prepare as real

    def prepare(handle, choice, constants, sizes):
        if "start" in choice.variants:  # biotop's
            raise ZeroDivisionError("of a test")
        real(handle, choice, constants, sizes)

    monkeypatch.setattr("ktop.kernel.loader.prepare", prepare)
    found = frames_of(sampler([registry.get("biotop"), registry.get("runqlat")], 0.2), {"biotop", "runqlat"})
    assert found["biotop"].status.unavailable == "loading failed: ZeroDivisionError: of a test"
    assert found["runqlat"].status.unavailable is None


def test_what_ends_the_thread_becomes_the_state_of_every_pane(sampler, monkeypatch):
    """Whoever waits for Frames learns of it, and nothing is left on the hooks."""

    def sample(_host):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("ktop.live.host.HostSampler.sample", sample)
    panes = [registry.get("runqlat"), replace(registry.get("biotop"), family="no_such_family")]
    one = sampler(panes, 0.2)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    reasons = [arrived.get(timeout=30).status.unavailable for _ in panes]
    last = arrived.get(timeout=30)
    assert (last.pane, last.status.unavailable) == (HOST, one.failure)
    assert "no_such_family" in reasons[0]
    assert reasons[1] == one.failure
    assert one.failure.startswith("sampling ended: EMFILE")
    assert "ulimit -n" in one.failure
    assert one.wait_ready(30)
    assert one.statuses()["runqlat"].hooks == {}


def test_an_end_before_all_is_loaded_is_told_too(sampler, monkeypatch):
    def fail():
        raise RuntimeError("no facts")

    monkeypatch.setattr("ktop.kernel.checks.refusal", fail)
    one = sampler([registry.get("runqlat")], 0.2)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    assert arrived.get(timeout=30).status.unavailable == "sampling ended: RuntimeError: no facts"
    assert one.wait_ready(30)


class FewThreads:
    """Stands in for Thread.start where a cgroup allows no more than ``left``, as clone does: EAGAIN."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            if thread.name.startswith(("loader", "symbols")):
                if not self.left:
                    raise RuntimeError("can't start new thread")
                self.left -= 1
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)


@pytest.mark.parametrize("left", [0, 1])
def test_without_threads_panes_are_loaded_one_by_one(sampler, monkeypatch, left):
    loaded = []

    def noted(name, *settings):
        loaded.append(name)
        return load(name, *settings)

    monkeypatch.setattr("ktop.kernel.loader.load", noted)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    FewThreads(monkeypatch, left)
    names = ("runqlat", "hardirqs", "biotop")
    found = frames_of(sampler([registry.get(name) for name in names], 0.2), set(names))
    assert {found[name].status.unavailable for name in names} == {None}
    assert sorted(loaded) == ["block", "irq", "sched"], "each once"


@pytest.mark.native
def test_without_a_thread_for_names_stacks_are_addresses(sampler, monkeypatch):
    threads = FewThreads(monkeypatch, 0)
    arrived: queue.Queue[Frame] = queue.Queue()
    sampler([registry.get("profile")], 0.2, everything=True).start(arrived.put)
    while not length((frame := next_of(arrived, "profile")).rows):
        pass
    assert frame.status.unavailable is None
    assert frame.status.refused["symbols"] == "stacks have no names: can't start new thread"
    stacks = [*frame.rows["user_stack"], *frame.rows["kernel_stack"]]
    assert all(address.startswith("0x") for stack in stacks for address in stack or ())
    threads.left = 1
    eventually(lambda: "symbols" not in next_of(arrived, "profile").status.refused, every=0)


def test_a_pane_with_one_hook_refused_leaves_nothing_on_the_others(sampler, monkeypatch):
    def attach(hooks, variant):
        if variant.startswith("switch__"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return real(hooks, variant)

    real = Hooks._attach_parts
    monkeypatch.setattr(Hooks, "_attach_parts", attach)
    one = sampler([registry.get("runqlat")], 0.2)
    assert "EPERM" in frames_of(one, {"runqlat"})["runqlat"].status.unavailable
    assert one.statuses()["runqlat"].hooks == {}


class FailingReads:
    """Stands in for Family.read: the next ``left`` fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.failed: list[float] = []
        """When."""
        real = Family.read

        def read(family):
            if self.left > 0:
                self.left -= 1
                self.failed.append(time.monotonic())
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            return real(family)

        monkeypatch.setattr(Family, "read", read)


def next_of(arrived: queue.Queue[Frame], pane: str) -> Frame:
    while (frame := arrived.get(timeout=30)).pane != pane:
        pass
    return frame


def test_a_read_that_fails_is_made_up_for(sampler, monkeypatch):
    """Memory may be short for a moment: the next Frame speaks of the whole time."""
    reads = FailingReads(monkeypatch)
    arrived: queue.Queue[Frame] = queue.Queue()
    sampler([registry.get("runqlat")], 0.2).start(arrived.put)
    next_of(arrived, "runqlat")
    reads.left = FAILED_READS - 1
    while reads.left:
        time.sleep(0.01)
    while (frame := next_of(arrived, "runqlat")).interval_s < reads.failed[-1] - reads.failed[0]:
        assert frame.status.unavailable is None
    assert frame.status.unavailable is None
    assert len(reads.failed) == FAILED_READS - 1


def test_a_pane_that_cannot_be_read_any_more_is_detached(sampler, monkeypatch):
    reads = FailingReads(monkeypatch)
    one = sampler([registry.get("runqlat")], 0.2)
    arrived: queue.Queue[Frame] = queue.Queue()
    one.start(arrived.put)
    next_of(arrived, "runqlat")
    reads.left = 2 * FAILED_READS
    while (frame := next_of(arrived, "runqlat")).status.unavailable is None:
        pass
    assert frame.status.unavailable == "sampling failed: OSError: [Errno 12] Cannot allocate memory"
    assert one.statuses()["runqlat"].hooks == {}
    assert len(reads.failed) == FAILED_READS


def test_a_cpu_that_comes_online_is_sampled_too(sampler, monkeypatch):
    """Perf events are of one CPU each, and those of a CPU that goes do not come back with it."""
    all_of_them = online = cpus.online()
    if len(online) < 2:
        pytest.skip("one CPU")
    monkeypatch.setattr(cpus, "online", lambda: online)
    online = all_of_them[:-1]
    arrived: queue.Queue[Frame] = queue.Queue()
    spin = f"import os; os.sched_setaffinity(0, [{all_of_them[-1]}]); print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) as spinner:
        try:
            assert spinner.stdout is not None
            spinner.stdout.readline()  # it has moved
            sampler([registry.get("profile")], 0.2, everything=True).start(arrived.put)
            for _ in range(3):
                assert spinner.pid not in next_of(arrived, "profile").rows["pid"]
            online = all_of_them
            eventually(lambda: spinner.pid in next_of(arrived, "profile").rows["pid"], every=0)
        finally:
            spinner.kill()


def test_a_cpu_that_is_added_is_read_too(sampler, monkeypatch):
    """Of those that are not there nothing is read: in guests hundreds can be possible."""
    present = cpus.present()
    if present < 2:
        pytest.skip("one CPU")
    monkeypatch.setattr(cpus, "present", lambda: 1)
    arrived: queue.Queue[Frame] = queue.Queue()
    sampler([registry.get("runqlat"), registry.get("hardirqs")], 0.2).start(arrived.put)
    for _ in range(3):
        frame = next_of(arrived, "hardirqs")
        assert frame.status.unavailable is None
        assert frame.rows["cpus"].shape[1] == 1
    assert {each.cpu for each in next_of(arrived, "runqlat").histograms} <= {None, 0}
    monkeypatch.setattr(cpus, "present", lambda: present)
    eventually(lambda: next_of(arrived, "hardirqs").rows["cpus"].shape[1] == present, every=0)
    eventually(lambda: any(each.cpu for each in next_of(arrived, "runqlat").histograms), every=0)


def test_perf_events_can_be_replaced(sampler):
    """Where the hardware has no such event, the reason names it."""
    absent = PerfEvent(kind=0, config=0xFFFF, label="no such event")
    needs_it = replace(
        registry.get("runqlat"),
        perf_events=dict.fromkeys(("switch__tp_btf_state", "switch__tp_btf"), absent),
    )
    found = frames_of(sampler([needs_it], 0.2), {"runqlat"})
    assert "no such event" in found["runqlat"].status.unavailable
