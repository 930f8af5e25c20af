"""Block I/O against fio, /proc/PID/io, /proc/diskstats and known counts."""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktop.kernel import checks

BLOCK = 4096
READS, SECTORS_READ, READING_MS, DISCARDS = 0, 2, 3, 11
BLKDISCARD = 0x1277
ATTEMPTS = 12
"""Workloads are repeated until a count is exact: at times the reference host runs no tracepoint program
in interrupts for some milliseconds (/proc/interrupts counts them, irq_handler_entry does not)."""


def hangs_on_a_function() -> bool:
    """Return whether the start of a request is told by a function: up to 5.16, then it is inlined."""
    types = checks.BTF.read_bytes() if checks.BTF.exists() else b""
    return b"\0blk_account_io_start\0" in types and b"\0btf_trace_block_io_start\0" not in types


@pytest.fixture(
    autouse=True, params=["every hook", "without fentry"] if hangs_on_a_function() else ["every hook"]
)
def hooks(request):
    """All tests a second time where a host that refuses fentry has other programs to count by."""
    if request.param == "without fentry":
        request.getfixturevalue("without_fentry")


@pytest.fixture
def scratch():
    """A directory on a file system that stands on a disk."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        if os.major(Path(name).stat().st_dev) == 0:
            pytest.skip("/var/tmp is on no disk")
        yield Path(name)


def write_file(path: Path, size: int) -> Path:
    """Make a file whose blocks are all on the disk, and in no cache."""
    with path.open("wb") as file:
        file.write(os.urandom(1 << 16) * (size >> 16))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path


def transfer(path: Path, count: int, *, write: bool = False, sync: bool = False, direct: bool = True) -> None:
    """Read or write ``count`` blocks, one by one."""
    fd = os.open(path, os.O_RDWR | (os.O_DIRECT if direct else 0))
    with mmap.mmap(-1, BLOCK) as block:
        for number in range(count):
            (os.pwritev if write else os.preadv)(fd, [block], number * BLOCK)
            if sync:
                os.fdatasync(fd)
    os.close(fd)


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a process of its own; return its PID when it has ended."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    return pid


@pytest.fixture
def loop(scratch, attach_loop):
    """Return a loop device of 32 MiB."""
    return attach_loop(write_file(scratch / "image", 32 << 20))


@pytest.fixture
def scheduled(loop):
    """The same with an I/O scheduler between submission and issue."""
    scheduler = Path(f"/sys/block/{loop.name}/queue/scheduler")
    before = scheduler.read_text()
    if "mq-deadline" not in before:
        pytest.skip(f"loop devices have no scheduler mq-deadline here: {before.strip()}")
    scheduler.write_text("mq-deadline")
    yield loop
    scheduler.write_text(before.partition("[")[2].partition("]")[0] or "none")


@pytest.fixture
def uncounted(loop):
    """The same that keeps no statistics any more."""
    transfer(loop, 2048)
    statistics = Path(f"/sys/block/{loop.name}/queue/iostats")
    statistics.write_text("0")
    yield loop
    statistics.write_text("1")


@pytest.fixture
def cut_loop(scratch, attach_loop):
    """Return a loop device of 1 MiB, and lose the second half of the file below it."""
    image = write_file(scratch / "image", 1 << 20)
    device = attach_loop(image, "--direct-io=on")
    if Path(f"/sys/block/{device.name}/loop/dio").read_text().strip() != "1":
        pytest.skip("no direct I/O here, without which a loop device reads zeroes there")
    os.truncate(image, 512 << 10)
    return device


def total(rows, pid: int, column: str) -> int:
    return int(rows[column][rows["pid"] == pid].sum())


def diskstats() -> dict[str, np.ndarray]:
    """Return figures by disk, at READS and so on: Documentation/admin-guide/iostats.rst."""
    lines = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    return {line[2]: np.array([int(number) for number in line[3:15]]) for line in lines}


def fio(path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Run fio with its job in fio's own process; return its PID and what it says of the job."""
    if shutil.which("fio") is None:
        pytest.skip("apt install fio")
    command = ["fio", "--name=job", f"--filename={path}", "--thread", "--output-format=json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    report = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    return process.pid, json.loads(report)["jobs"][0]


@pytest.mark.parametrize("direction", ["read", "write"])
def test_fio_counts_the_same(observe, scratch, direction):
    """Requests and bytes are exact; device time is below completion latency, which holds it."""
    path = write_file(scratch / "data", 8 << 20)
    options = (f"--rw={direction}", "--bs=4k", "--size=8m", "--direct=1", "--ioengine=psync", "--overwrite=1")
    other = "write" if direction == "read" else "read"
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        pid, job = fio(path, *options)
        rows = biotop.sample().rows
        assert job[direction]["total_ios"] == 2048
        exact = total(rows, pid, f"{direction}_ops") == 2048 and not total(rows, pid, f"{other}_ops")
        latency, mine = job[direction]["clat_ns"], rows["pid"] == pid
        # What else there is to latency is fio's wait for a CPU: on a busy machine most of it.
        if exact and rows["avg_us"][mine].item() > latency["mean"] / 3000:
            break
    else:
        pytest.fail("never exact")
    assert total(rows, pid, f"{direction}_bytes") == job[direction]["io_bytes"] == 8 << 20
    assert total(rows, pid, f"{other}_bytes") == 0
    assert rows["comm"][mine] == [b"fio"]
    assert rows["avg_us"][mine].item() < latency["mean"] / 1000
    assert rows["avg_us"][mine].item() <= rows["max_us"][mine].item() <= latency["max"] / 1000
    assert rows["slots"][mine].sum() == 2048


def test_deep_queues_count_the_same(observe, scratch):
    """Many requests in flight, completed in another process's time."""
    path = write_file(scratch / "data", 8 << 20)
    options = ("--rw=randread", "--bs=4k", "--size=8m", "--direct=1", "--ioengine=libaio", "--iodepth=32")
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        before = diskstats()
        pid, job = fio(path, *options)
        sample = biotop.sample()
        after = diskstats()
        exact = total(sample.rows, pid, "read_bytes") == job["read"]["io_bytes"] == 8 << 20
        if exact:
            break
    else:
        pytest.fail("never exact")
    # Neighbours in the queue are merged: fewer requests than fio made.
    assert 1024 < total(sample.rows, pid, "read_ops") <= job["read"]["total_ios"]
    for disk in set(sample.rows["disk"].tolist()):
        rows = sample.rows["disk"] == disk
        grew = after[disk.decode()] - before[disk.decode()]
        # Others use the disk, and the two sources are read one after the other.
        assert sample.rows["read_ops"][rows].sum() == pytest.approx(grew[READS], rel=0.02, abs=50)
        size = grew[SECTORS_READ] * 512
        assert sample.rows["read_bytes"][rows].sum() == pytest.approx(size, rel=0.02, abs=4 << 20)


def test_cold_reads_are_what_proc_says(observe, scratch):
    """Readahead makes few large requests; the bytes are those of /proc/PID/io."""
    biotop = observe("biotop")
    said = scratch / "said"

    def read() -> None:
        path.read_bytes()
        io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        said.write_text(io["read_bytes"])

    for attempt in range(ATTEMPTS):
        path = write_file(scratch / f"{attempt}", 4 << 20)
        biotop.begin()
        pid = in_child(read)
        rows = biotop.sample().rows
        if total(rows, pid, "read_bytes") == int(said.read_text()):
            break
    else:
        pytest.fail("never exact")
    assert total(rows, pid, "read_bytes") >= 4 << 20
    assert total(rows, pid, "read_ops") < 1024


def test_fsync_is_charged_to_its_caller(observe, scratch):
    path = write_file(scratch / "data", 4 << 20)
    biotop = observe("biotop")

    def work() -> None:
        transfer(path, 1024, write=True, direct=False)
        fd = os.open(path, os.O_RDWR)
        os.fsync(fd)

    for _ in range(ATTEMPTS):
        biotop.begin()
        pid = in_child(work)
        rows = biotop.sample().rows
        own, writeback = (total(rows, who, "write_bytes") for who in (pid, 0))
        assert total(rows, pid, "read_ops") == 0
        # The flusher may have been there first for some, or all if somebody else called sync(2).
        if own + writeback >= 4 << 20 and own > 2 << 20:
            break
    else:
        pytest.fail("never whole, or never its own")


def test_writeback_is_nobodys(observe, scratch):
    """Pages that the kernel writes on its own are in one row that says so, not in a kworker's."""
    path = write_file(scratch / "data", 4 << 20)
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        pid = in_child(lambda: transfer(path, 1024, write=True, direct=False))
        os.sync()
        sample = biotop.sample()
        rows = sample.rows
        assert total(rows, pid, "write_bytes") < 1 << 20
        writeback = (rows["pid"] == 0) & (rows["comm"] == b"(writeback)")
        if rows["write_bytes"][writeback].sum() >= 3 << 20:
            break
    else:
        pytest.fail("writes are missing")
    size = rows["read_bytes"] + rows["write_bytes"]
    assert sample.unattributed_ratio == pytest.approx(size[rows["pid"] == 0].sum() / size.sum())
    assert not any(name.startswith(b"kworker") for name in rows["comm"].tolist())


def test_flushes_are_no_writes(observe, scratch):
    """A write and a flush each time; the file system may write its own books in between."""
    path = write_file(scratch / "data", 1 << 20)
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        pid = in_child(lambda: transfer(path, 200, write=True, sync=True))
        sample = biotop.sample()
        if total(sample.rows, pid, "write_ops") >= 200:
            break
    else:
        pytest.fail("writes are missing")
    # Every write moved a block: none is a flush, which moves nothing.
    writes = total(sample.rows, pid, "write_ops")
    assert 200 <= writes <= total(sample.rows, pid, "write_bytes") / BLOCK
    disk = sample.rows["disk"][sample.rows["pid"] == pid].item().decode()
    if Path(f"/sys/block/{disk}/queue/write_cache").read_text().strip() == "write back":
        assert sample.host["flush_ops"] >= 100  # one flush may serve several that wait


def test_discards_are_no_writes(observe, loop):
    """Of blocks that were written: the file below gets a hole."""
    if not int(Path(f"/sys/block/{loop.name}/queue/discard_max_bytes").read_text()):
        pytest.skip("the file system below the loop device cannot make holes")
    biotop = observe("biotop")
    child = in_child(lambda: transfer(loop, 256, write=True))
    assert total(biotop.sample().rows, child, "write_ops") > 0

    def discard() -> None:
        fd = os.open(loop, os.O_RDWR)
        for number in range(256):
            fcntl.ioctl(fd, BLKDISCARD, struct.pack("QQ", number * BLOCK, BLOCK))

    for _ in range(ATTEMPTS):
        biotop.begin()
        before = diskstats()[loop.name][DISCARDS]
        pid = in_child(discard)
        sample = biotop.sample()
        assert diskstats()[loop.name][DISCARDS] - before == 256
        assert total(sample.rows, pid, "write_ops") == total(sample.rows, pid, "write_bytes") == 0
        if sample.host["discard_ops"] >= 256:
            break
    else:
        pytest.fail("discards are missing")


def test_a_request_completed_in_parts_is_one(observe, cut_loop):
    """What the file below a loop device still has of it, then an error for the rest."""

    def read() -> None:
        fd = os.open(cut_loop, os.O_RDONLY | os.O_DIRECT)
        with mmap.mmap(-1, 16 * BLOCK) as blocks:
            for _ in range(20):
                with contextlib.suppress(OSError):
                    os.preadv(fd, [blocks], (512 << 10) - 8 * BLOCK)

    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        before = diskstats()[cut_loop.name]
        pid = in_child(read)
        rows = biotop.sample().rows
        grew = diskstats()[cut_loop.name] - before
        found = [total(rows, pid, name) for name in ("read_ops", "read_bytes")]
        if found == [grew[READS], grew[SECTORS_READ] * 512] == [20, 20 * 16 * BLOCK]:
            break
    else:
        pytest.fail("never exact")
    assert rows["slots"][rows["pid"] == pid].sum() == 20


def test_requests_merged_into_another_are_over(observe, scheduled):
    """Neighbours that were submitted in disorder; a place that a merged one kept would be told as a miss."""
    options = ("--rw=randread", "--bs=4k", "--size=128k", "--loops=100", "--direct=1", "--ioengine=libaio")
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        before = diskstats()[scheduled.name]
        pid, job = fio(
            scheduled, *options, "--iodepth=32", "--iodepth_batch=32", "--iodepth_batch_complete_min=32"
        )
        rows = biotop.sample().rows
        grew = diskstats()[scheduled.name] - before
        exact = total(rows, pid, "read_ops") == grew[READS] < job["read"]["total_ios"] == 3200
        if exact and not biotop.lost:
            break
    else:
        pytest.fail("never exact, or always one that was missed")
    assert total(rows, pid, "read_bytes") == grew[SECTORS_READ] * 512 == 3200 * BLOCK


def test_time_is_from_the_issue_on(observe, scratch, scheduled):
    """A loop device takes 128 requests; the kernel's own time of the others begins before that."""
    queue = Path(f"/sys/block/{scheduled.name}/queue")
    stamps = queue / "wbt_lat_usec"
    if not stamps.exists() or stamps.read_text().strip() == "0":
        pytest.skip("a queue without writeback throttling stamps no issues")
    (queue / "nr_requests").write_text("1024")
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        before = diskstats()[scheduled.name]
        # Submitted faster than the device takes them, which waits for the disk below.
        with (scratch / "image").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        options = ("--rw=randread", "--bs=4k", "--size=32m", "--io_size=4m", "--direct=1")
        pid, _job = fio(scheduled, *options, "--ioengine=libaio", "--iodepth=1024", "--iodepth_batch=1024")
        rows = biotop.sample().rows
        spent_ms, queued_ms = (total(rows, pid, name) / 1000 for name in ("total_us", "queue_us"))
        grew = diskstats()[scheduled.name] - before
        if 0 < spent_ms < grew[READING_MS] * 0.8 and total(rows, pid, "read_ops") == grew[READS]:
            break
    else:
        pytest.fail("it is as long as from submission on, or never exact")
    # The kernel's own figure is from submission on: time in the queue and time in the device.
    assert spent_ms + queued_ms == pytest.approx(grew[READING_MS], rel=0.02, abs=5)
    mine = rows["pid"] == pid
    assert rows["queued_us"][mine].item() == pytest.approx(queued_ms * 1000 / rows["read_ops"][mine].item())


def test_times_that_a_disk_does_not_keep_are_unknown(observe, uncounted):
    """Where a request keeps none, that of its place's last use may still stand."""
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        pid, job = fio(uncounted, "--rw=read", "--bs=4k", "--size=4m", "--direct=1", "--ioengine=psync")
        rows = biotop.sample().rows
        if total(rows, pid, "read_ops") == job["read"]["total_ios"] == 1024:
            break
    else:
        pytest.fail("never exact")
    mine = rows["pid"] == pid
    assert np.isnan(rows["queued_us"][mine].item())
    assert not rows["avg_us"][mine].item() > job["read"]["clat_ns"]["mean"] / 1000  # or unknown too


def test_processes_at_once_are_kept_apart(observe, scratch):
    # Not the same file: neighbouring requests of two processes may be merged into one.
    paths = {count: write_file(scratch / f"{count}", 4 << 20) for count in (300, 500)}
    biotop = observe("biotop")
    for _ in range(ATTEMPTS):
        biotop.begin()
        expected = {}
        for count, path in paths.items():
            pid = os.fork()
            if pid == 0:
                transfer(path, count)
                os._exit(0)
            expected[pid] = count
        for pid in expected:
            os.waitpid(pid, 0)
        rows = biotop.sample().rows
        found = {pid: total(rows, pid, "read_ops") for pid in expected}
        assert all(found[pid] <= count for pid, count in expected.items())
        if found == expected:
            break
    else:
        pytest.fail("never exact")
    assert {pid: total(rows, pid, "read_bytes") // BLOCK for pid in expected} == expected


def test_what_a_full_map_drops_is_counted(observe, scratch):
    """More processes than the map has room for: their I/O is in the host's histogram, and lost."""
    path = write_file(scratch / "data", 1 << 20)
    biotop = observe("biotop", sizes={"issuers": 8})
    biotop.begin()
    pids = [in_child(lambda: transfer(path, 5)) for _ in range(60)]
    sample = biotop.sample()
    counted = sum(int(sample.rows["slots"][sample.rows["pid"] == pid].sum()) for pid in pids)
    assert counted < 150
    # What others did in the meantime may be lost as well; a few completions may not have been seen.
    assert sample.losses["dropped"] >= 280 - counted
    assert sample.histograms[0].counts.sum() >= 280


def test_a_completion_that_was_missed_is_counted(observe, scratch):
    """A request that is used again, though nobody saw it end, is one that was lost."""
    path = write_file(scratch / "data", 1 << 20)
    biotop = observe("biotop")
    biotop.family.hooks.detach(("complete",))
    biotop.begin()
    in_child(lambda: transfer(path, 256))
    biotop.family.hooks.attach(("complete",), {})
    # The disk has some tags; when they were all used once, each is used again.
    pids = [in_child(lambda: transfer(path, 256)) for _ in range(4)]
    rows = biotop.sample().rows
    assert biotop.lost > 0
    assert sum(total(rows, pid, "read_ops") for pid in pids) > 900


def test_failed_reads_are_errors(observe, cut_loop):
    """Of a disk whose end is gone; of older kernels it reads as zeros."""
    biotop = observe("biotop")
    failed = mmap.mmap(-1, 1)

    def read() -> None:
        fd = os.open(cut_loop, os.O_RDONLY | os.O_DIRECT)
        with mmap.mmap(-1, BLOCK) as memory:
            for place in range(64):
                try:
                    os.preadv(fd, [memory], place * (1 << 14))
                except OSError:
                    failed[0] += 1

    for _ in range(ATTEMPTS):
        failed[0] = 0
        pid = in_child(read)
        rows = biotop.sample().rows
        if total(rows, pid, "read_ops") == 64 and total(rows, pid, "errors") == failed[0]:
            break
    else:
        pytest.fail("never exact")
    if not failed[0]:
        pytest.skip("no read failed here")


def test_requests_without_a_place_are_counted(observe, scratch):
    path = write_file(scratch / "data", 1 << 20)
    biotop = observe("biotop", sizes={"_in_flight": 1})
    biotop.begin()
    pid = in_child(lambda: transfer(path, 100))
    rows = biotop.sample().rows
    assert biotop.lost >= 100 - total(rows, pid, "read_ops") > 0


def test_maximum_is_of_the_interval(observe, scratch):
    """A row that goes on has the maximum of its last interval only."""
    path = write_file(scratch / "data", 4 << 20)
    biotop = observe("biotop")
    transfer(path, 500)
    first = biotop.rows(pid=os.getpid())
    assert first["max_us"].item() >= first["p99_us"].item()
    for _ in range(20):  # until a calmer interval than the first comes
        transfer(path, 1)
        rows = biotop.rows(pid=os.getpid())
        if not len(rows["pid"]):
            continue  # not seen
        assert rows["read_ops"].item() == 1
        assert rows["longest_us"].item() == rows["max_us"].item() == rows["total_us"].item()
        if rows["max_us"].item() < first["max_us"].item():
            return
    pytest.fail("twenty intervals in a row had the maximum of the first, or nothing")
