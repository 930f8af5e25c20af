"""What this host allows: the reasons behind exit code 77 and `ktop doctor`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ktop.frame import Facts
from ktop.kernel import libbpf

BTF = Path("/sys/kernel/btf/vmlinux")
_STATS_RUN_TIME = 0
_CAP_PERFMON, _CAP_BPF, _CAP_SYS_ADMIN = 38, 39, 21


@dataclass(frozen=True, slots=True)
class Check:
    """One thing ktop needs or can use."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    """The command or step that mends it; empty when all is well or nothing does."""
    needed: bool = False
    """Whether ktop cannot run live without it."""


def for_compute() -> Facts:
    """Return the facts that panes compute with."""
    boot = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Facts(libbpf_cpus(), os.sysconf("SC_PAGE_SIZE"), boot)


def libbpf_cpus() -> int:
    """Return the number of possible CPUs, which per-CPU arrays are long; 1 without libbpf."""
    try:
        return int(libbpf.library().libbpf_num_possible_cpus())
    except OSError:
        return os.cpu_count() or 1


def capabilities() -> int:
    """Return the effective capabilities of this process as a bit mask."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def refusal() -> str | None:
    """Return why this host does not allow BPF at all and what to do; None when it may."""
    for check in checks_needed():
        if not check.ok:
            return f"{check.detail}; {check.remedy}" if check.remedy else check.detail
    return None


def checks_needed() -> list[Check]:
    """Return the checks without which nothing live is possible, cheapest first."""
    held = capabilities()
    allowed = held >> _CAP_SYS_ADMIN & 1 or (held >> _CAP_BPF & 1 and held >> _CAP_PERFMON & 1)
    try:
        libbpf.library()
        missing = ""
    except OSError as error:
        missing = str(error)
    return [
        Check(
            "privileges",
            bool(allowed),
            "may load BPF programs"
            if allowed
            else "not allowed to load BPF programs (needs CAP_BPF and CAP_PERFMON)",
            "" if allowed else "run it as root: sudo ktop",
            needed=True,
        ),
        Check(
            "kernel types (BTF)",
            BTF.exists(),
            str(BTF)
            if BTF.exists()
            else f"{BTF} is missing: the kernel was built without CONFIG_DEBUG_INFO_BTF",
            "" if BTF.exists() else "use a distribution kernel, 5.10 or later",
            needed=True,
        ),
        Check(
            "libbpf",
            not missing,
            missing or libbpf.library().libbpf_version_string().decode(),
            "apt install libbpf1" if missing else "",
            needed=True,
        ),
    ]


@contextlib.contextmanager
def runtime_statistics() -> Iterator[None]:
    """Have the kernel count run_time_ns and run_cnt of BPF programs (5.8, d46edd671a14).

    Held by a file descriptor: it ends with the block or the process, whichever is first.
    """
    fd = libbpf.library().bpf_enable_stats(_STATS_RUN_TIME)
    try:
        yield
    finally:
        os.close(fd)
