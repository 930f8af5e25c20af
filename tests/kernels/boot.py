"""Boots a kernel in QEMU, and returns what the guest tells before it goes off."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kernels.kernel import Kernel
from tests.kernels.machine import MACHINES

BARE = (
    "-smp",
    "2",
    "-m",
    "1024",
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-monitor",
    "none",
    "-nic",
    "none",
)


@dataclass
class Boot:
    """What came of booting one kernel."""

    version: str
    release: str = ""
    """As ``uname -r`` says; empty where it was not even to be had."""
    records: list[dict[str, Any]] = field(default_factory=list)
    """What guest_run.py told, in order."""
    console: str = ""
    seconds: float = 0
    failure: str | None = None
    """Why it did not run to its end."""


def boot(kernel: Kernel, disks: Sequence[Path], place: Path, words: Sequence[str], timeout: float) -> Boot:
    """Boot, and wait until it goes off, ``timeout`` seconds at most; ``words`` go to guest_run.py."""
    place.mkdir(parents=True, exist_ok=True)
    console, told = place / "console", place / "told"
    for path in (console, told):
        path.unlink(missing_ok=True)
    machine = MACHINES[kernel.architecture]
    # However this process ends, QEMU ends with it.
    command: list[str | Path] = ["setpriv", "--pdeathsig", "KILL", machine.emulator]
    command += [*machine.options, *BARE]
    command += ["-kernel", kernel.image, "-initrd", kernel.initramfs]
    command += ["-append", machine.command_line(tuple(words))]
    for disk in disks:
        # A snapshot: what the guest writes is nowhere afterwards.
        command += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe"]
    command += ["-serial", f"file:{console}"]
    command += ["-chardev", f"file,id=told,path={told}", *machine.told_device]
    began = time.monotonic()
    result = Boot(kernel.version, kernel.release)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        said = process.communicate(timeout=timeout)[0].decode(errors="replace").strip()
        if process.returncode:
            result.failure = f"QEMU ended with {process.returncode}: {said}"
    except subprocess.TimeoutExpired:
        result.failure = f"not done after {timeout:.0f} s"
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    result.seconds = time.monotonic() - began
    result.console = console.read_text(errors="replace") if console.exists() else ""
    result.records = _records(told)
    if result.failure is None:
        result.failure = _how_it_ended(result.records)
    return result


def _how_it_ended(records: list[dict[str, Any]]) -> str | None:
    """Return why the tests did not run to their end; None where they did."""
    codes = [record["code"] for record in records if record["kind"] == "end"]
    if not codes:
        return "the guest went off before its tests had ended"
    # 0 and 1: all tests ran.  Others are no test's failure, so nothing else would tell.
    return None if codes[-1] in {0, 1} else f"pytest ended with {codes[-1]}"


def _records(path: Path) -> list[dict[str, Any]]:
    records = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        try:
            records.append(json.loads(line))
        except ValueError:  # cut short, where the guest was stopped
            continue
    return records
