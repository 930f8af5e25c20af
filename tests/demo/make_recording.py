"""Make ktop/demo.ktop: real workloads on this host's kernel, as ``ktop record`` would see them.

    sudo python -m tests.demo.make_recording [FILE]

Nothing is made up and no figure is changed.  What is left out: rows of processes that are neither of
the workload nor the kernel's own, so that no stranger's process is in the package.  Figures of the host
(header, heatmaps, interrupts, the cache's totals) stay as measured, with everything else that ran.
Host name and the local part of the kernel's version are replaced.

It needs root, cgroups of version 2, a C compiler, bindfs, iproute2, 2 CPUs and half a gigabyte of memory,
and takes two minutes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ktop import registry
from ktop.cli import batch
from ktop.frame import Frame, take
from ktop.live.sampler import Sampler
from ktop.recording.file import Writer, blocks, describe
from tests.demo.compact import compact
from tests.demo.stage import DATA, NEAR, POSTGRES, REMOTE, WWW, Troupe, programs, slow_disk, thin_line, units

SECONDS = 90
HOST_NAME = "demo-host"
TARGET = Path(__file__).parents[2] / "ktop" / "demo.ktop"
RECORD = "--record"
EXECS, STACKS = "execsnoop", "profile"
KTHREADD = 2
LAST_CPU = (os.cpu_count() or 1) - 1
IPV4 = "::ffff:127.0.0.1"

CRON = (
    "/usr/bin/find|/srv/demo/data|-name|*.tmp|-delete",
    "/bin/sh|-c|date; test -s /srv/demo/data/backup.done",
    "/usr/bin/sort|--buffer-size=4M|/srv/demo/data/words|-o|/srv/demo/data/words.sorted",
    "/usr/local/bin/send-report|--to|ops",
    "/usr/bin/gzip|--keep|--force|/srv/demo/data/words",
    "/usr/bin/timeout|--signal|KILL|0.4|/bin/sleep|5",
    "/usr/bin/du|--summarize|/srv/demo/data",
)
"""What cron starts: the second fails, the fourth does not exist, the sixth is killed."""


def setting(troupe: Troupe) -> None:
    """Start what runs all the time: a database, a server with its clients, a chatty client, cron."""
    table = str(DATA / "table")
    troupe.start("postgres", table, str(DATA / "wal.1"), user=POSTGRES)
    troupe.start("postgres", table, str(DATA / "wal.2"), user=POSTGRES)
    troupe.start("postgres", table, user=POSTGRES)
    troupe.start("api-server", "8080", "180", "6000", "120000", cpu=LAST_CPU, user=WWW)
    troupe.start("session-cache", "6379", "32", "8", "500", cpu=0, user=WWW)
    troupe.start("walsender", "5432", user=POSTGRES)
    time.sleep(0.5)  # the servers listen
    troupe.start("frontend", IPV4, "8080", "180", "6000", "12000", "4", cpu=0, user=WWW)
    troupe.start("chatty-client", "::1", "6379", "32", "8", "700", "1", cpu=0, user=WWW)
    troupe.start("chatty-client", IPV4, "6379", "32", "8", "1500", "1", cpu=0, user=WWW)
    troupe.start("replica", f"::ffff:{NEAR}", "5432", inside=["ip", "netns", "exec", REMOTE])
    troupe.start("cron", *CRON)


def hogs(troupe: Troupe) -> None:
    """Let three processes that never sleep, and come first, share the CPU of the server."""
    for _ in range(3):
        troupe.start("hog", cpu=LAST_CPU, nice=-10)


SCENES: tuple[tuple[float, Callable[[Troupe], None]], ...] = (
    (14, hogs),
    (22, lambda troupe: troupe.start("report", str(DATA / "journal.csv"), user=POSTGRES)),
    (32, lambda troupe: troupe.start("backup", str(DATA / "archive"))),
    (64, lambda troupe: troupe.end("hog")),
    (72, lambda troupe: troupe.end("backup")),
)
"""Seconds after the beginning, and what happens then."""


def record(path: Path, names: Sequence[str]) -> None:
    """Record the panes ``names``, failed execs too."""
    panes = registry.panes(names)
    sampler = Sampler(panes, 1.0, everything=True, hurry=False)
    writer = Writer(path, sampler.identity, 1.0, names)
    if EXECS in names:
        sampler.demand(EXECS, "failed", on=True)
    batch.record(sampler, panes, writer, count=SECONDS)
    writer.close()


class Kin:
    """The PIDs that belong in the recording, collected while they live."""

    def __init__(self) -> None:
        self.workload: set[int] = set()
        self.kernel: set[int] = {0, KTHREADD}

    def look(self, pids: Sequence[int]) -> None:
        """Take note of ``pids``, of what they started, and of the kernel's threads."""
        self.workload.update(pids)
        for pid, parent in sorted(_parents()):
            if parent in self.workload:
                self.workload.add(pid)
            elif parent == KTHREADD:
                self.kernel.add(pid)

    def trace(self, frame: Frame) -> None:
        """Take note of those that came and went between two looks."""
        for pid, parent in zip(frame.rows["pid"].tolist(), frame.rows["ppid"].tolist(), strict=True):
            if parent in self.workload:
                self.workload.add(pid)


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (entry / "stat").read_bytes()
            yield int(entry.name), int(text[text.rindex(b")") + 2 :].split()[1])


def perform(paths: tuple[Path, Path]) -> Kin:
    """Play the scenes while others record them in ``paths``: all panes but one, and the stacks.

    Apart, for ktop's own cost is in the recording, and is to be that without bcc.
    """
    kin, scenes = Kin(), list(SCENES)
    with programs(), thin_line(), units() as slices, contextlib.ExitStack() as undo:
        disks, troupe = Troupe(slices), Troupe(slices)
        undo.callback(disks.end)
        undo.enter_context(slow_disk(disks))
        undo.callback(troupe.end)
        setting(troupe)
        most = [name for name in registry.names() if name != STACKS]
        recorders = [_recorder(paths[0], most), _recorder(paths[1], [STACKS])]
        began = time.monotonic()
        while any(recorder.poll() is None for recorder in recorders):
            while scenes and time.monotonic() - began >= scenes[0][0]:
                scenes.pop(0)[1](troupe)
            kin.look([*disks.pids, *troupe.pids])
            time.sleep(0.2)
        if any(recorder.returncode for recorder in recorders):
            raise SystemExit("nothing was recorded")
    return kin


def _recorder(path: Path, names: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.demo.make_recording", RECORD, str(path), *names]
    return subprocess.Popen(command)


def clean(raw: tuple[Path, Path], target: Path, kin: Kin, keys: Mapping[str, str]) -> Counter[str]:
    """Write what belongs in the package; returns the names of the processes in it, to be looked over.

    ``keys``: the column that names the process, by pane.
    """
    summaries = [describe(path) for path in raw]
    frames = [
        frame
        for path, summary in zip(raw, summaries, strict=True)
        for block in blocks(path, summary.end)
        for frame in block.frames()
        if path == raw[0] or frame.pane == STACKS
    ]
    frames.sort(key=lambda frame: frame.ts)
    for frame in frames:
        if frame.pane == EXECS and len(frame):
            kin.trace(frame)
    kept = [_without_strangers(frame, keys.get(frame.pane, ""), kin) for frame in frames]
    identity = summaries[0].identity
    kernel = identity.kernel.split("-", maxsplit=1)[0]
    writer = Writer(target, replace(identity, hostname=HOST_NAME, kernel=kernel), 1.0, registry.names())
    for frame in kept:
        writer.write([frame])
    writer.close()
    return Counter(name for frame in kept for name in _names(frame))


def _without_strangers(frame: Frame, key: str, kin: Kin) -> Frame:
    if key not in frame.rows:
        return frame
    wanted = list(kin.workload if frame.pane == EXECS else kin.workload | kin.kernel)
    return replace(frame, rows=take(frame.rows, np.isin(frame.rows[key], wanted)))


def _names(frame: Frame) -> list[str]:
    return [bytes(name).decode("utf-8", "replace") for name in frame.rows.get("comm", ())]


def main() -> None:
    if RECORD in sys.argv:
        record(Path(sys.argv[2]), sys.argv[3:])
        return
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    keys = {pane.name: pane.process_key for pane in registry.panes()}
    with tempfile.TemporaryDirectory() as name:
        most, stacks, cleaned, packed = (Path(name, part) for part in ("most", "stacks", "cleaned", "packed"))
        kin = perform((most, stacks))
        names = clean((most, stacks), cleaned, kin, keys)
        compact(cleaned, packed)
        target.write_bytes(packed.read_bytes())
    print(f"{target}: {target.stat().st_size} bytes, {describe(target).seconds:.0f} s")
    print("processes in it, by rows:", ", ".join(f"{name} {count}" for name, count in names.most_common()))


if __name__ == "__main__":
    main()
