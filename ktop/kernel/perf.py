"""perf_event_open(2) for the events that programs are attached to or count with."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import time

from ktop.kernel import cpus
from ktop.kernel.reasons import explain
from ktop.perf_event import TYPE_HARDWARE, PerfEvent

_SYSCALL = {"x86_64": 298, "aarch64": 241}
_ATTR_SIZE = 112  # PERF_ATTR_SIZE_VER5, 4.1
_FLAG_EXCLUDE_IDLE, _FLAG_FREQ = 1 << 7, 1 << 10
_FD_CLOEXEC = 8
_SHORTEST_SUSPENSION_S = 0.5
_LONGEST_CHANGE_S = 2.0
"""That a CPU takes to come or go: meanwhile /sys calls it online, and it has no events any more, or yet."""


class EventRefusedError(OSError):
    """The host has no such perf event for us; ``strerror`` is in words for the operator."""


def open_on_cpu(event: PerfEvent, cpu: int) -> int:
    """Return a file descriptor of ``event`` for all tasks on one CPU; OSError with the kernel's errno."""
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"perf_event_open on {platform.machine()} is not known")
    flags = (_FLAG_FREQ if event.frequency else 0) | (_FLAG_EXCLUDE_IDLE if event.exclude_idle else 0)
    attr = bytearray(_ATTR_SIZE)
    #                      type        size        config        period or Hz, sample_type, read_format, flags
    struct.pack_into("<IIQQQQQ", attr, 0, event.kind, _ATTR_SIZE, event.config, event.frequency, 0, 0, flags)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = (ctypes.c_char * _ATTR_SIZE).from_buffer(attr)
    fd = libc.syscall(
        ctypes.c_long(number), ctypes.byref(buffer), ctypes.c_int(-1), ctypes.c_int(cpu), ctypes.c_int(-1),
        ctypes.c_ulong(_FD_CLOEXEC),
    )  # fmt: skip
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(fd)


class Watch:
    """Whether perf events need to be opened anew: they end with their CPU, and do not come back with it.

    CPUs go and come singly (hotplug), and all but the first when the host is suspended.
    """

    def __init__(self) -> None:
        """Everything is compared with now."""
        self._cpus, self._suspended_s = _known_cpus(), _suspended_s()

    def changed(self) -> bool:
        """Return whether CPUs came or went since the last time this was asked."""
        online, suspended_s = _known_cpus(), _suspended_s()
        changed = online != self._cpus or suspended_s - self._suspended_s > _SHORTEST_SUSPENSION_S
        self._cpus, self._suspended_s = online, suspended_s
        return changed


def _known_cpus() -> list[int]:
    """Return the CPUs that are online, none where /sys does not tell (who opens events says so)."""
    try:
        return cpus.online()
    except OSError:
        return []


def _suspended_s() -> float:
    """Return how long the host has been suspended since it booted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def refusal(event: PerfEvent, code: int) -> tuple[str, str]:
    """Return why the kernel refused ``event`` with this errno, and what mends it (empty when not known)."""
    label = event.label or "perf event"
    said = f"({label}: {errno.errorcode.get(code, code)})"
    if event.kind == TYPE_HARDWARE and code in {errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP}:
        return (
            f"this machine has no hardware counters (PMU), like most virtual machines {said}",
            "run ktop on bare metal, or give the machine a virtual PMU (QEMU and KVM: -cpu host,pmu=on)",
        )
    # perf_event_paranoid answers EACCES, where BPF would mean the verifier.
    if code in {errno.EACCES, errno.EPERM}:
        if os.geteuid():
            return (
                f"this user may not watch the whole host with perf events {said}",
                "run it as root, with sudo",
            )
        return f"perf events are refused even to root: by lockdown, a container, a security module {said}", ""
    return explain(code, label), ""


def open_everywhere(event: PerfEvent) -> dict[int, int]:
    """Open ``event`` on every CPU that is online: descriptors by CPU; EventRefusedError when refused."""
    try:
        return _open_on_all(event)
    except OSError as error:
        words = "; ".join(filter(None, refusal(event, error.errno or 0)))
        raise EventRefusedError(error.errno, words) from error


def _open_on_all(event: PerfEvent) -> dict[int, int]:
    """Open ``event`` on every CPU that is online: descriptors by CPU; OSError with the kernel's errno."""
    opened: dict[int, int] = {}
    until = time.monotonic() + _LONGEST_CHANGE_S
    try:
        while left := [cpu for cpu in cpus.online() if cpu not in opened]:
            for cpu in left:
                try:
                    opened[cpu] = open_on_cpu(event, cpu)
                except OSError as error:
                    if error.errno != errno.ENODEV or not opened or time.monotonic() > until:
                        raise
                    time.sleep(0.01)
    except OSError:
        for fd in opened.values():
            os.close(fd)
        raise
    return opened
