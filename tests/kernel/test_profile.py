"""Stacks of programs of which is known where they spend their time."""

from __future__ import annotations

import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ktop.frame import Frame, concatenate, take
from ktop.live.sampler import Sampler
from ktop.panes.profile import HERTZ, PANE
from ktop.perf_event import SW_CPU_CLOCK, TYPE_SOFTWARE, PerfEvent
from tests.proc import schedstat, state
from tests.waiting import eventually

FAST = 997
BURNER = """
static volatile unsigned long sink;
static void spin(unsigned n) { while (n--) sink += n; }
static void burn_most(void) { spin(7000); }
static void burn_less(void) { spin(3000); }
int main(void) { for (;;) { burn_most(); burn_less(); } }
"""
"""Both in the same loop: two loops of the same text are not equally fast."""


@pytest.fixture(scope="module")
def burner(tmp_path_factory):
    """A program that is 70 % of its time in burn_most and 30 % in burn_less."""
    compiler = shutil.which("cc") or shutil.which("clang")
    assert compiler, "needs a C compiler, as the build of the BPF objects does"
    directory = tmp_path_factory.mktemp("burner")
    (directory / "burner.c").write_text(BURNER)
    # -O0: even with -fno-omit-frame-pointer gcc leaves them out of functions that call nothing.
    subprocess.run(
        [compiler, "-O0", "-o", directory / "burner", directory / "burner.c"], check=True, timeout=60
    )
    return directory / "burner"


@pytest.fixture
def profile():
    """Return a function that collects named rows until a condition on all of them holds."""
    running = []

    def collect(enough, frequency=FAST):
        event = PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK, frequency, exclude_idle=True, label="test")
        sampler = Sampler([PANE], 0.2, perf_events={"sample": event}, everything=True)
        running.append(sampler)
        frames: queue.Queue[Frame] = queue.Queue()
        sampler.start(frames.put)
        seen = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            frame = frames.get(timeout=20)
            if frame.pane == "profile":
                assert frame.status.unavailable is None
                assert frame.status.lost == 0
                assert frame.status.refused == {}
                seen.append(frame)
                rows = concatenate([frame.rows for frame in seen if len(frame)])
                if rows and enough(rows):
                    sampler.stop()
                    return rows, seen
        raise AssertionError("what was waited for was never sampled")

    yield collect
    for sampler in running:
        sampler.stop()


@pytest.fixture
def run():
    """Return a function that starts a program and ends it after the test."""
    processes = []

    def start(*argv):
        processes.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL))
        return processes[-1].pid

    yield start
    for process in processes:
        process.kill()
        process.wait()


def samples_of(rows, pid):
    return int(rows["samples"][rows["pid"] == pid].sum())


def test_time_is_where_it_is_spent(profile, burner, run):
    pid = run(burner)
    rows, _frames = profile(lambda rows: samples_of(rows, pid) >= 2000)
    mine = take(rows, rows["pid"] == pid)
    assert set(mine["comm"].tolist()) == {b"burner"}
    within = dict.fromkeys(("main", "burn_most", "burn_less", "spin"), 0)
    for samples, stack in zip(mine["samples"].tolist(), mine["user_stack"].tolist(), strict=True):
        for name in set(stack) & set(within):
            within[name] += samples
    total = samples_of(rows, pid)
    assert within["main"] == pytest.approx(total, rel=0.03)
    assert within["spin"] == pytest.approx(total, rel=0.03)
    assert within["burn_most"] / total == pytest.approx(0.7, abs=0.05)
    assert within["burn_less"] / total == pytest.approx(0.3, abs=0.05)
    # Outermost first.
    hottest = mine["user_stack"][np.argmax(mine["samples"])]
    assert hottest[-3:] == ["main", "burn_most", "spin"]


def test_samples_are_cpu_time(observe, burner):
    """Each sample stands for 1 / frequency of CPU time."""
    frequency = 1999
    event = PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK, frequency, exclude_idle=True)
    profile = observe("profile", perf_events={"sample": event})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    profile.begin()
    process = subprocess.Popen([burner])
    counted = 0
    for _ in range(25):  # the ring does not hold it all, and others have samples in it, too
        time.sleep(0.1)
        counted += samples_of(profile.sample().rows, process.pid)
        assert profile.lost == 0
    process.kill()
    process.wait()
    counted += samples_of(profile.sample().rows, process.pid)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # A hypervisor that takes the CPU away merges clock ticks.
    assert counted == pytest.approx(used * frequency, rel=0.05)


def test_the_declared_frequency(observe, burner, run):
    """49 a second on the CPU clock."""
    assert PANE.perf_events["sample"].frequency == HERTZ == 49
    assert PANE.perf_events["sample"].kind == TYPE_SOFTWARE
    profile = observe("profile")
    pid = run(burner)
    os.setpriority(os.PRIO_PROCESS, pid, -20)  # where others use its CPU, chance has a part in so few hits
    before = schedstat(pid)[0]
    profile.begin()
    while schedstat(pid)[0] - before < 2e9:
        time.sleep(0.02)
    rows = profile.sample().rows
    used = (schedstat(pid)[0] - before) / 1e9
    assert samples_of(rows, pid) == pytest.approx(used * 49, rel=0.3)


def test_kernel_functions_have_names(profile, run):
    pid = run("dd", "if=/dev/zero", "of=/dev/null", "bs=1M")

    def in_read(rows):
        mine = take(rows, rows["pid"] == pid)
        return any("vfs_read" in stack for stack in mine["kernel_stack"]) and samples_of(rows, pid) > 200

    rows, _frames = profile(in_read)
    mine = take(rows, rows["pid"] == pid)
    in_kernel = np.array([bool(stack) for stack in mine["kernel_stack"]])
    # From the entry of system calls or interrupts inwards; within the entry code itself the unwinder can
    # fail.  What takes the sample is not in it.
    entries = ("entry_", "asm_", "el0", "ret_from")
    whole = np.array([bool(stack) and stack[0].startswith(entries) for stack in mine["kernel_stack"]])
    assert mine["samples"][whole].sum() >= 0.9 * mine["samples"][in_kernel].sum() > 0
    own = {"perf_swevent_hrtimer", "__perf_event_overflow", "bpf_get_stack_pe"}
    assert not [stack for stack in mine["kernel_stack"] if own & set(stack)]


def test_idle_is_left_out(observe):
    """In BPF too, for not every event can leave it out by itself."""
    event = PerfEvent(TYPE_SOFTWARE, SW_CPU_CLOCK, FAST, exclude_idle=False)
    profile = observe("profile", perf_events={"sample": event})
    profile.begin()
    started = time.monotonic()
    time.sleep(0.5)
    rows = profile.sample().rows
    assert 0 not in rows["pid"]
    assert rows["samples"].sum() <= (time.monotonic() - started + 0.1) * FAST * (os.cpu_count() or 1)


def test_naming_is_silent(profile, burner, run, capfd):
    """Deleted programs and processes that end at once included."""
    copy = burner.with_name("deleted")
    shutil.copy(burner, copy)
    pid = run(copy)
    copy.unlink()
    for _ in range(30):
        subprocess.run(["/bin/true"], check=True)
    profile(lambda rows: samples_of(rows, pid) >= 100)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_a_spinner_is_seen(observe):
    """By the pane's own event; needs neither bcc nor a compiler."""
    wanted = 2_000_000_000
    profile = observe("profile")
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinner:
        try:
            # It stands still while its time and its samples are read: that takes long where CPUs are few.
            stop(spinner.pid)
            os.setpriority(os.PRIO_PROCESS, spinner.pid, -20)  # as above
            profile.begin()
            before = schedstat(spinner.pid)[0]
            spinner.send_signal(signal.SIGCONT)
            while schedstat(spinner.pid)[0] - before < wanted:
                time.sleep(0.05)
            stop(spinner.pid)
            spent = schedstat(spinner.pid)[0] - before
            rows = profile.rows(pid=spinner.pid)
        finally:
            spinner.kill()
    assert set(rows["comm"].tolist()) == {Path(sys.executable).name.encode()[:15]}
    assert rows["samples"].sum() == pytest.approx(HERTZ * spent / 1e9, rel=0.2)
    assert any(len(stack) for stack in rows["user_stack"])


def stop(pid: int) -> None:
    """Stop ``pid``, and wait until no CPU runs it."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state(pid) == "T")
