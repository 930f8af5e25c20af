"""The tools that ktop is compared with, and how any of them is run beside a load."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.programs import snapshot
from tests.bench.pty_app import KTOP, PtyApp

ROOT = Path(__file__).parents[2]
READY_S = 0.6
"""A tool is ready when it has had the same programs for that long."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as it is started."""

    name: str
    command: tuple[str, ...]
    terminal: bool = False
    """Whether it is an application, which needs one."""

    @property
    def line(self) -> str:
        """Return the command as one types it."""
        return shlex.join(self.command).replace(sys.executable, "python")


def ktop(*panes: str, json: bool = False) -> Tool:
    """Return ``ktop run`` of these panes at 1 s."""
    kind = ("--json",) if json else ()
    return Tool("ktop", (sys.executable, "-m", "ktop", "run", *panes, "-i", "1", *kind))


APPLICATION = Tool("ktop", (*KTOP, "--pane", "profile"), terminal=True)
"""All panes at once: the one that only runs while it is looked at is in sight."""


def bpftrace(name: str, program: str) -> Tool:
    """Return a bpftrace one-liner, which prints and clears its maps each second."""
    return Tool(name, ("bpftrace", "-e", program))


LIBBPF = {
    "runqlat": (Tool("runqlat", ("runqlat", "1")),),
    "biotop": (Tool("biolatency", ("biolatency", "1")),),
    "hardirqs": (Tool("hardirqs", ("hardirqs", "1")),),
    "execsnoop": (Tool("execsnoop", ("execsnoop",)), Tool("exitsnoop", ("exitsnoop",))),
}
"""libbpf-tools by the pane that answers the same question; those that can run where kprobes cannot."""

REFUSED = (
    *(Tool(name, (name, "1")) for name in ("tcptop", "cachestat", "biotop", "biosnoop", "llcstat")),
    Tool("biostacks", ("biostacks",)),
)
"""libbpf-tools for the same questions that need kprobes, fentry or a PMU: they are tried."""


def _cache(key: str) -> Tool:
    return bpftrace(
        "cachestat",
        f"tracepoint:filemap:mm_filemap_get_pages {{ @read{key} = sum(args->last_index - args->index + 1); }}"
        f" tracepoint:filemap:mm_filemap_add_to_page_cache {{ @added{key} = count(); }}"
        f" tracepoint:writeback:writeback_dirty_folio {{ @dirtied{key} = count(); }}"
        " interval:s:1 { print(@read); print(@added); print(@dirtied); clear(@read); clear(@added);"
        " clear(@dirtied); }",
    )


HOST_CACHE = _cache("")
"""Counts for the host, which does not say who."""

BPFTRACE = {
    "runqlat": bpftrace(
        "runqlat",
        "tracepoint:sched:sched_wakeup, tracepoint:sched:sched_wakeup_new { @queued[args->pid] = nsecs; }"
        " tracepoint:sched:sched_switch { if (args->prev_state == 0) { @queued[args->prev_pid] = nsecs; }"
        " $ns = @queued[args->next_pid]; if ($ns) { @us = hist((nsecs - $ns) / 1000); }"
        " delete(@queued[args->next_pid]); } interval:s:1 { print(@us); clear(@us); }",
    ),
    "biotop": bpftrace(
        "biolatency",
        "tracepoint:block:block_rq_issue { @begun[args->dev, args->sector] = nsecs; }"
        " tracepoint:block:block_rq_complete /@begun[args->dev, args->sector]/"
        " { @us = hist((nsecs - @begun[args->dev, args->sector]) / 1000);"
        " delete(@begun[args->dev, args->sector]); } interval:s:1 { print(@us); clear(@us); }",
    ),
    "tcptop": bpftrace(
        "tcptop",
        "tracepoint:sock:sock_send_length /args->ret > 0/ { @sent[pid, comm] = sum(args->ret); }"
        " tracepoint:sock:sock_recv_length /args->ret > 0/ { @received[pid, comm] = sum(args->ret); }"
        " interval:s:1 { print(@sent); print(@received); clear(@sent); clear(@received); }",
    ),
    "cachestat": _cache("[pid, comm]"),
    "hardirqs": bpftrace(
        "hardirqs",
        "tracepoint:irq:irq_handler_entry { @begun[tid] = nsecs; @irq[tid] = str(args->name); }"
        " tracepoint:irq:irq_handler_exit /@begun[tid]/ { @ns[@irq[tid]] = hist(nsecs - @begun[tid]);"
        " delete(@begun[tid]); delete(@irq[tid]); } interval:s:1 { print(@ns); clear(@ns); }",
    ),
    "execsnoop": bpftrace(
        "execsnoop",
        'tracepoint:syscalls:sys_enter_execve { printf("%d ", pid); join(args->argv); }'
        ' tracepoint:sched:sched_process_exit /pid == tid/ { printf("%d ended\\n", pid); }',
    ),
    "profile": bpftrace(
        "profile",
        # Printed at its end only: printing each second ends it without a word when processes come and go.
        "profile:hz:49 { @[kstack, ustack, comm] = count(); }",
    ),
}
"""bpftrace's answers by pane, over tracepoints as all else is refused here."""


def missing() -> list[str]:
    """Return the commands that are not installed, with the packages that bring them."""
    wanted = {
        "runqlat": "libbpf-tools",
        "bpftrace": "bpftrace",
        "runqlat-bpfcc": "bpfcc-tools",
        **{name: name for name in ("htop", "stress-ng", "fio", "iperf3")},
    }
    return [f"{name} ({package})" for name, package in wanted.items() if shutil.which(name) is None]


@contextlib.contextmanager
def running(tools: Iterable[Tool]) -> Iterator[tuple[list[int], set[int]]]:
    """Run ``tools`` with their output thrown away; yield their PIDs and the ids of their programs."""
    before = set(snapshot())
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_started(tool)) for tool in tools]
        mine = _programs(before, processes) if processes else set()
        yield [process.pid for process in processes], mine
        for tool, process in zip(tools, processes, strict=True):
            if process.poll() is not None:
                raise RuntimeError(f"{tool.line} ended by itself: {process.returncode}")


def _programs(before: set[int], processes: list[subprocess.Popen[bytes]]) -> set[int]:
    """Wait until the programs in the kernel stay the same, and return those that are new."""
    found: set[int] = set()
    steady = deadline = time.monotonic()
    while time.monotonic() - steady < READY_S or (not found and time.monotonic() - deadline < 10):
        time.sleep(0.05)
        now = set(snapshot()) - before
        if now != found:
            found, steady = now, time.monotonic()
        if all(process.poll() is not None for process in processes):
            break
    return found


@contextlib.contextmanager
def _started(tool: Tool) -> Iterator[subprocess.Popen[bytes]]:
    if tool.terminal:
        with PtyApp(tool.command) as app:
            yield app.process
        return
    process = subprocess.Popen(
        tool.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt, then terminate, then kill ``process``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return
    process.wait()


def refusal(tool: Tool) -> str:
    """Return the first line that ``tool`` complains with when it cannot run here; "" when it can."""
    if shutil.which(tool.command[0]) is None:
        return "not packaged"
    before = set(snapshot())
    process = subprocess.Popen(
        tool.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT
    )
    try:
        _programs(before, [process])
        if process.poll() is None:
            return ""
        said = process.stderr.read().decode(errors="replace").splitlines()
    finally:
        end(process)
        process.stderr.close()
    # bpftrace 0.17 says that always, and needs no raised limit.
    lines = [line.strip() for line in said if line.strip() and "RLIMIT_MEMLOCK" not in line]
    if any(line.startswith("Traceback") for line in lines):
        return lines[-1][:160]
    errors = [
        line
        for line in lines
        if any(word in line.lower() for word in ("fail", "error", "exception", "unable"))
    ]
    return (errors or lines or [f"exit code {process.returncode}"])[0][:160]
