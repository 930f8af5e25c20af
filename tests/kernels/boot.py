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

QEMU = "qemu-system-x86_64"
PACKAGE = "qemu-system-x86"
# No KVM is needed, and none used: a host's own would make results depend on its CPU.
# -cpu max crashes 6.12 under QEMU 7.2.
MACHINE = ("-accel", "tcg,thread=multi", "-cpu", "Haswell", "-smp", "2", "-m", "1024")
BARE = (
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
# panic=-1: at once, and -no-reboot makes that the end.
COMMAND_LINE = "console=ttyS0 panic=-1 random.trust_cpu=on mitigations=off net.ifnames=0"
WORD = "ktop."
"""What guest_run.py's words begin with on the command line."""


@dataclass
class Boot:
    """What came of booting one kernel."""

    kernel: Kernel
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
    command: list[str | Path] = [QEMU, *MACHINE, *BARE]
    command += ["-kernel", kernel.image, "-initrd", kernel.initramfs]
    command += ["-append", " ".join([COMMAND_LINE, *(WORD + word for word in words)])]
    for disk in disks:
        # A snapshot: what the guest writes is nowhere afterwards.
        command += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe"]
    command += ["-serial", f"file:{console}", "-serial", f"file:{told}"]
    began = time.monotonic()
    result = Boot(kernel)
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
    if result.failure is None and not any(record["kind"] == "end" for record in result.records):
        result.failure = "the guest went off before its tests had ended"
    return result


def _records(path: Path) -> list[dict[str, Any]]:
    records = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        try:
            records.append(json.loads(line))
        except ValueError:  # cut short, where the guest was stopped
            continue
    return records
