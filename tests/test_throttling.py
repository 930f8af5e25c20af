"""CPU limits: those of both versions of cgroups, as files say, and as a kernel that has them does."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ktop.process import Process, read
from ktop.throttling import Limit, of, used_up
from tests.waiting import eventually

BUSY = "while True: pass"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return a /proc that says where cgroups are: version 2, and the version 1 of CPUs and of memory."""
    places = {
        "unified": "cgroup2 none rw",
        "cpu": "cgroup none rw,cpu,cpuacct",
        "mem": "cgroup none rw,memory",
    }
    lines = [f"1 2 0:3 / {tmp_path / name} rw shared:1 - {kind}" for name, kind in places.items()]
    lines.insert(0, f"1 2 0:3 /docker/abc {tmp_path / 'mem'} rw - cgroup none rw,cpu")
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text("\n".join(lines))
    return tmp_path


def make(cgroup: Path, **files: str) -> None:
    cgroup.mkdir(parents=True)
    for name, text in files.items():
        (cgroup / name.replace("__", ".")).write_text(text)


STAT = "nr_periods 7\nnr_throttled 3\nthrottled_time 5\n"


def test_limits_are_those_of_the_cgroup_and_of_all_above(host):
    make(host / "unified/pod", cpu__max="50000 100000\n", cpu__stat="usage_usec 1\n" + STAT)
    make(host / "unified/pod/side", cpu__max="max 100000\n", cpu__stat=STAT)
    make(host / "unified/pod/side/in ner", cpu__max="200000 100000\n", cpu__stat=STAT)
    inner, pod = Limit(b"/pod/side/in ner", 2.0, 7, 3), Limit(b"/pod", 0.5, 7, 3)
    assert of(b"0::/pod/side/in ner\n", host) == (inner, pod)
    assert of(b"0::/pod/side\n", host) == (pod,)
    assert of(b"0::/\n", host) == of(b"0::/gone\n", host) == of(b"0::/../pod\n", host) == of(b"", host) == ()


def test_limits_of_version_1_are_those_of_the_cpu_controller(host):
    files = {"cpu__cfs_period_us": "100000\n", "cpu__stat": STAT}
    make(host / "cpu/a", cpu__cfs_quota_us="20000\n", **files)
    make(host / "cpu/free", cpu__cfs_quota_us="-1\n", **files)
    make(host / "mem/b", cpu__cfs_quota_us="20000\n", **files)
    assert of(b"4:memory:/b\n2:cpuacct,cpu:/a\n0::/\n", host) == (Limit(b"/a", 0.2, 7, 3),)
    assert of(b"2:cpu:/free\n", host) == ()


def test_no_limits_where_nothing_says_where_cgroups_are(tmp_path):
    assert of(b"0::/pod\n", tmp_path) == ()


def test_the_limit_that_counts_is_the_one_used_up_most():
    one, two, new = Limit(b"/1", 1.0, 10, 5), Limit(b"/1/2", 2.0, 10, 0), Limit(b"/3", 1.0, 90, 90)
    later = (one._replace(periods=20, used_up=8), two._replace(periods=20, used_up=9), new)
    assert used_up((one, two), later) == Limit(b"/1/2", 2.0, 10, 9)
    assert used_up((one, two), (one, two)) is None
    assert used_up((), (one,)) is used_up((one,), ()) is None


def _limited() -> tuple[Path, dict[str, str]]:
    """Return where a cgroup with a CPU limit can be made on this host, and what gives it 0.2 CPUs."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        place = Path(before.split()[4])
        if after.startswith("cgroup2 ") and "cpu" in (place / "cgroup.subtree_control").read_text().split():
            return place, {"cpu.max": "20000 100000"}
        if after.startswith("cgroup ") and "cpu" in after.split()[-1].split(","):
            return place, {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "20000"}
    pytest.skip("no cgroups that can limit CPUs")


@pytest.fixture
def throttled() -> Iterator[Callable[[], Process]]:
    """Yield what reads a process that has 0.2 CPUs and wants one."""
    place, limits = _limited()
    cgroup = place / "ktop-test-throttled"
    try:
        cgroup.mkdir(exist_ok=True)
        for name, text in limits.items():
            (cgroup / name).write_text(text)
    except OSError as error:
        pytest.skip(f"no cgroup to be made: {error.strerror}")
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: eventually(lambda: _is_removed(cgroup)))
        process = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
        stack.callback(process.kill)
        (cgroup / "cgroup.procs").write_text(str(process.pid))

        def now() -> Process:
            found = read(process.pid)
            assert found is not None
            return found

        yield now


def _is_removed(cgroup: Path) -> bool:
    """Return whether it could be removed: nobody is in it any more."""
    with contextlib.suppress(OSError):
        cgroup.rmdir()
    return not cgroup.exists()


def test_the_kernel_tells_who_wants_more_than_its_limit(throttled):
    before = throttled().limits
    assert [(limit.path, limit.cpus) for limit in before] == [(b"/ktop-test-throttled", 0.2)]
    eventually(lambda: used_up(before, throttled().limits) is not None)
    grown = used_up(before, throttled().limits)
    assert grown is not None
    assert 0 < grown.used_up <= grown.periods
