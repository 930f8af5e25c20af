"""What of this host lets ktop run or hinders it: the reasons behind exit code 77 and `ktop doctor`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ktop.kernel import cgroups, libbpf
from ktop.kernel.facts import kernel_version, sees_all_processes

SYS = Path("/sys/kernel")
BTF = SYS / "btf/vmlinux"
_COMMAND_LINE = "GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot"
"""Where Debian has the kernel's parameters."""
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
            "" if allowed else "run it as root, with sudo",
            needed=True,
        ),
        _types(),
        Check(
            "libbpf",
            not missing,
            missing or libbpf.library().libbpf_version_string().decode(),
            "apt install libbpf1" if "No such file" in missing else "",  # else files or memory are short
            needed=True,
        ),
    ]


def _types() -> Check:
    """Return whether the kernel tells its types, which programs are fitted to."""
    detail, remedy = str(BTF), ""
    if not SYS.exists():
        detail, remedy = f"{BTF} is not to be seen: /sys is not mounted", "mount -t sysfs sysfs /sys"
    elif not BTF.exists():
        detail = f"{BTF} is missing: the kernel was built without CONFIG_DEBUG_INFO_BTF"
        remedy = "apt install linux-image-$(dpkg --print-architecture), and reboot into it"
    return Check("kernel types (BTF)", not remedy, detail, remedy, needed=True)


def gather() -> list[Check]:
    """Return everything `ktop doctor` reports of the host: what is needed, then what is of use."""
    of_use = (processes, _cgroups, _lockdown, _memlock, _tracefs, _pmu, _statistics, _bcc, _pressure)
    return [*checks_needed(), *(check() for check in of_use)]


def capabilities() -> int:
    """Return the effective capabilities of this process as a bit mask."""
    # Bytes: its first line is the comm, which may hold anything.
    for line in Path("/proc/self/status").read_bytes().split(b"\n"):
        if line.startswith(b"CapEff:"):
            return int(line.split()[1], 16)
    return 0


def processes() -> Check:
    """Return whether the tables can have the processes of the whole host."""
    if sees_all_processes():
        return Check("processes", True, "all of this host")
    return Check(
        "processes",
        False,
        "only those of this PID namespace; of others there are figures once they have ended, "
        "and then of their whole life",
        "run ktop in the host's (docker run --pid=host; hostPID: true)",
    )


def _cgroups() -> Check:
    """Return whether rows can say whose a process is."""
    place = cgroups.mount()
    if not place:
        return Check(
            "cgroups",
            False,
            "version 2 is not mounted: rows do not say whose a process is",
            f"boot with systemd.unified_cgroup_hierarchy=1 ({_COMMAND_LINE})",
        )
    name = os.fsdecode(place)
    if not cgroups.may_ask():
        detail = "their names may not be asked for (CAP_DAC_READ_SEARCH): rows do not say whose a process is"
        return Check("cgroups", False, detail, "run it as root, with sudo")
    return Check("cgroups", True, f"version 2, at {name}")


def _lockdown() -> Check:
    try:
        modes = Path("/sys/kernel/security/lockdown").read_text(encoding="ascii")
        mode = modes.partition("[")[2].partition("]")[0] or "unknown"
    except OSError:
        return Check("lockdown", True, "not reported by this kernel")
    if mode != "confidentiality":
        return Check("lockdown", True, mode)
    remedy = f"boot without lockdown=confidentiality ({_COMMAND_LINE})"
    return Check("lockdown", False, f"{mode}: BPF may not read kernel memory", remedy)


def _memlock() -> Check:
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    size = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft >> 10} KiB"
    # 5.11, 3ac1f01b43b6: BPF memory is charged to the memory cgroup instead.
    charged = kernel_version() < (5, 11)
    enough = not charged or soft == resource.RLIM_INFINITY or soft >= 64 << 20
    detail = f"RLIMIT_MEMLOCK is {size}" + ("" if charged else "; not used for BPF since Linux 5.11")
    return Check("locked memory", enough, detail, "" if enough else "ulimit -l unlimited")


def _tracefs() -> Check:
    mounted = any(
        Path(place, "events").exists() for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
    )
    return Check("tracefs", True, "mounted" if mounted else "not mounted; no pane needs it")


def _pmu() -> Check:
    from ktop.kernel import cpus, perf
    from ktop.perf_event import HW_CACHE_REFERENCES, TYPE_HARDWARE, PerfEvent

    event = PerfEvent(TYPE_HARDWARE, HW_CACHE_REFERENCES, label="cache-references")
    try:
        os.close(perf.open_on_cpu(event, cpus.online()[0]))
    except OSError as error:
        why, remedy = perf.refusal(event, error.errno or 0)
        return Check("hardware counters", False, f"{why}; llcstat needs them", remedy)
    return Check("hardware counters", True, "cache-references can be counted")


def _statistics() -> Check:
    from ktop.kernel.run_time import runtime_statistics

    try:
        with runtime_statistics():
            pass
    except OSError as error:
        return Check(
            "BPF statistics", False, f"cannot be switched on ({error.strerror})", "Linux 5.8, and root"
        )
    return Check("BPF statistics", True, "can be switched on by a key for a moment")


def _bcc() -> Check:
    from importlib.util import find_spec

    found = find_spec("bcc") is not None
    detail = "names the addresses of stacks" if found else "missing: stacks are shown as addresses"
    return Check("bcc", found, detail, "" if found else "apt install python3-bpfcc")


def _pressure() -> Check:
    try:
        Path("/proc/pressure/cpu").read_text(encoding="ascii")
    except OSError as error:
        return Check(
            "pressure",
            False,
            f"no pressure figures in the header ({error.strerror})",
            f"boot with psi=1 ({_COMMAND_LINE})",
        )
    return Check("pressure", True, "/proc/pressure")
