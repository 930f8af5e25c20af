"""The path from perf event to row, with software events: page faults and the CPU clock exist everywhere."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ktop.frame import Frame, Reading
from ktop.kernel import cpus, perf
from ktop.live.sampler import Sampler
from ktop.panes.llcstat import PANE
from ktop.perf_event import SW_CPU_CLOCK, SW_PAGE_FAULTS, TYPE_SOFTWARE, PerfEvent
from ktop.stats import ratio
from tests.excuses import EMULATED
from tests.proc import schedstat, state
from tests.waiting import eventually

SW_PAGE_FAULTS_MIN = 5
PAGE_FAULTS = {
    "references": PerfEvent(TYPE_SOFTWARE, SW_PAGE_FAULTS),
    "misses": PerfEvent(TYPE_SOFTWARE, SW_PAGE_FAULTS_MIN),
    "flush": PANE.perf_events["flush"],
}
CPU_CLOCK = {
    "references": PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK),
    "misses": PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK),
    "flush": PANE.perf_events["flush"],
}
PAGES = 20_000
TOLERANCE = 0.02 if EMULATED else 0.002
"""Emulated, up to 1 % of the faults were seen in one of the two sources only, at times; why is not known."""
SPIN = "print(1, flush=True)\nwhile True: pass"


def faults(pid: int) -> int:
    """Return minor and major page faults of a process, its threads together (proc(5))."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    fields = stat[stat.rindex(b")") + 2 :].split()
    return int(fields[7]) + int(fields[9])


def total(rows, pid, column="references"):
    return int(rows[column][rows["pid"] == pid].sum())


def touch(pages: int) -> None:
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for page in range(pages):
        memory[page * mmap.PAGESIZE] = 1


@pytest.fixture
def toucher():
    """A child that touches PAGES pages, in two threads, when it is told to, and then waits."""
    go, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        threads = [threading.Thread(target=touch, args=(PAGES // 2,)) for _ in range(2)]
        os.read(go[0], 1)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.write(done[1], b"x")
        os.read(go[0], 1)
        os._exit(0)

    def work() -> None:
        os.write(go[1], b"x")
        os.read(done[0], 1)

    yield child, work
    os.write(go[1], b"x")
    os.waitpid(child, 0)
    for fd in (*go, *done):
        os.close(fd)


def test_counts_are_the_processs_own(observe, toucher):
    child, work = toucher
    llcstat = observe("llcstat", perf_events=PAGE_FAULTS)
    llcstat.begin()
    before = faults(child)
    work()
    wait_until_alone(child)
    happened = faults(child) - before
    # The last figures of a thread that ends come when it gives way, or with the flush.
    rows = llcstat.sample_when(lambda rows: total(rows, child, "misses") >= happened * (1 - TOLERANCE)).rows
    assert happened >= PAGES * 0.95  # 6.1 emulated was seen to count 1 % less
    assert total(rows, child) == pytest.approx(happened, rel=TOLERANCE)
    assert total(rows, child, "misses") == pytest.approx(happened, rel=TOLERANCE)
    assert rows["hit_ratio"][rows["pid"] == child] == pytest.approx(0, abs=TOLERANCE)
    assert llcstat.lost == 0
    assert 0 not in rows["pid"]


def wait_until_alone(pid: int) -> None:
    """Wait for the end of all threads of ``pid`` but one, and until that sleeps."""
    tasks = Path(f"/proc/{pid}/task")
    eventually(lambda: len(list(tasks.iterdir())) == 1 and state(pid) == "S", every=0.001)


def test_short_lived_processes_count(observe):
    """They end without having been switched from, or first when they were ending: their end is read."""
    llcstat = observe("llcstat", perf_events=PAGE_FAULTS)
    llcstat.begin()
    happened = {}
    for _ in range(200):
        pid = os.posix_spawn("/bin/true", ["true"], os.environ)
        usage = os.wait4(pid, 0)[2]
        happened[pid] = usage.ru_minflt + usage.ru_majflt
    rows = llcstat.sample().rows
    assert min(happened.values()) > 10
    assert happened.keys() <= set(rows["pid"].tolist())
    # The kernel's own faults are the process's too, but not the event's.  The exit hook comes before a
    # task lets go of its memory (6.16), which can fault once or twice more.
    missed = np.array([faults - total(rows, pid) for pid, faults in happened.items()])
    assert missed.mean() == pytest.approx(0, abs=2.5)
    assert abs(missed).max() <= 5
    assert llcstat.lost == 0


def test_a_task_that_never_gives_way_is_charged_too(observe):
    """By the flush, ten times a second; here it hardly ever gives way."""
    llcstat = observe("llcstat", perf_events=CPU_CLOCK)
    spinner = subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE)
    assert spinner.stdout
    try:
        os.sched_setaffinity(spinner.pid, {max(os.sched_getaffinity(0))})
        # Not in real time: that can keep a disk's or RCU's worker, and with it the machine, from its CPU.
        os.setpriority(os.PRIO_PROCESS, spinner.pid, -20)
        spinner.stdout.readline()
        time.sleep(0.3)
        begun = schedstat(spinner.pid)[0]
        llcstat.begin()
        before = schedstat(spinner.pid)[0]
        time.sleep(0.6)
        used, charged = schedstat(spinner.pid)[0] - before, 0
        assert used > 0.2e9
        # A tenth of a second has not been charged yet, or more where the CPU was taken away.
        deadline = time.monotonic() + 20
        while charged < used and time.monotonic() < deadline:
            time.sleep(0.05)
            charged += total(llcstat.sample().rows, spinner.pid)
        assert used <= charged <= schedstat(spinner.pid)[0] - begun + 0.3e9
    finally:
        spinner.kill()
        spinner.wait()
        spinner.stdout.close()


def test_nothing_is_counted_twice(observe, monkeypatch):
    """All processes and what nobody is charged with make the host's total: the time of all CPUs."""
    llcstat = observe("llcstat", perf_events=CPU_CLOCK)
    # An idle CPU is read when it wakes up: none is.  What keeps them busy gives way to the reading.
    busy = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import os; os.sched_setaffinity(0, {{{cpu}}}); os.nice(19)\n{SPIN}",
            ],
            stdout=subprocess.PIPE,
        )
        for cpu in cpus.online()
    ]
    try:
        for spinner in busy:
            spinner.stdout.readline()
        time.sleep(0.3)
        monkeypatch.setattr(llcstat, "reading", partial(undisturbed, llcstat, llcstat.reading))
        sample, passed, reading = llcstat.prompt_sample(1)
    finally:
        for spinner in busy:
            spinner.kill()
            spinner.wait()
            spinner.stdout.close()
    host = sample.host["references"]
    assert sample.unattributed_ratio is not None
    assert host == pytest.approx(passed * len(busy), rel=0.3)
    charged = host * (1 - sample.unattributed_ratio)
    found = float(sample.rows["references"].sum())
    # The host and its processes are not read at one moment.
    assert found == pytest.approx(charged, abs=(0.02 * passed + reading) * len(busy))


def undisturbed(llcstat, read: Callable[[], Reading]) -> Reading:
    """Read until nothing was charged to who keeps a CPU, as ten times a second, while that was read."""
    counted = llcstat.family._arrays["cpus"]

    def alone() -> Reading | None:
        before = counted.read()["all"]["references"].tolist()
        found = read()
        return found if counted.read()["all"]["references"].tolist() == before else None

    return eventually(alone, "something was charged in every reading", every=0)


def test_reopened_events_begin_anew(observe):
    """Their counters start at 0 again; that is no negative number."""
    llcstat = observe("llcstat", perf_events=PAGE_FAULTS)
    time.sleep(0.2)
    llcstat.family.hooks.detach()
    assert llcstat.family.hooks.attach(["switch", "flush", "exit"], PAGE_FAULTS) == {}
    time.sleep(0.2)  # what was counted before a CPU's first switch is nobody's
    llcstat.begin()
    before = faults(os.getpid())
    touch(2000)
    time.sleep(0.05)
    rows = llcstat.rows(pid=os.getpid())
    happened = faults(os.getpid()) - before
    assert 2000 <= rows["references"].sum() <= happened + 10
    assert np.all((rows["hit_ratio"] >= 0) & (rows["hit_ratio"] <= 1))
    assert rows["hit_ratio"] == pytest.approx(np.maximum(1 - ratio(rows["misses"], rows["references"]), 0))


def has_pmu() -> bool:
    try:
        fds = perf.open_everywhere(PANE.perf_events["references"])
    except OSError:
        return False
    for fd in fds.values():
        os.close(fd)
    return True


@pytest.mark.skipif(has_pmu(), reason="this machine has hardware counters")
def test_without_counters_it_says_so_and_costs_nothing():
    sampler = Sampler([PANE])
    frames: list[Frame] = []
    sampler.start(frames.append)
    try:
        assert sampler.wait_ready(20)
        status = sampler.statuses()["llcstat"]
        assert status.unavailable
        for words in ("no hardware counters", "virtual machine", "ENOENT", "pmu=on"):
            assert words in status.unavailable
        assert status.hooks == {}
    finally:
        sampler.stop()
    assert [len(frame) for frame in frames if frame.pane == "llcstat"] == [0]
