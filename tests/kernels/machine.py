"""The machines that QEMU emulates, by Debian's name of the architecture."""

from __future__ import annotations

import platform
from dataclasses import dataclass

WORD = "ktop."
"""What words for guest_run.py begin with on the kernel's command line."""
# panic=-1: at once, and QEMU's -no-reboot makes that the end.
COMMAND_LINE = "panic=-1 random.trust_cpu=on mitigations=off net.ifnames=0"


@dataclass(frozen=True)
class Machine:
    """One architecture's emulator, and what the guest calls its serial lines."""

    processor: str
    """As ``uname -m`` says."""
    emulator: str
    package: str
    """Debian's, that brings the emulator."""
    options: tuple[str, ...]
    console: str
    told: str
    """Where guest_run.py tells what it found."""
    told_device: tuple[str, ...]
    """What makes it, from the character device ``told``."""

    def command_line(self, words: tuple[str, ...]) -> str:
        """Return the kernel's command line; ``words`` are for guest_run.py."""
        own = (f"console={self.console}", COMMAND_LINE, f"ktop_told={self.told}")
        return " ".join([*own, *(WORD + word for word in words)])


# No KVM is needed, and none used: a host's own would make results depend on its CPU.
# One thread for all processors: with one each, a processor can go on with its translation of an instruction
# that another has patched meanwhile, as each switch of a tracepoint does.  5.10 then takes the same int3 for
# ever, 7.2 dies of it (both seen with QEMU 7.2).
ACCELERATOR = ("-accel", "tcg,thread=single")
MACHINES = {
    "amd64": Machine(
        "x86_64",
        "qemu-system-x86_64",
        "qemu-system-x86",
        # -cpu max crashes 6.12 under QEMU 7.2.
        (*ACCELERATOR, "-cpu", "Haswell"),
        "ttyS0",
        "ttyS1",
        ("-device", "isa-serial,chardev=told,index=1"),
    ),
    "arm64": Machine(
        "aarch64",
        "qemu-system-aarch64",
        "qemu-system-arm",
        # Its counter of cycles is emulated by a timer: samples come late, or in storms.
        (*ACCELERATOR, "-machine", "virt", "-cpu", "neoverse-n1,pmu=off"),
        "ttyAMA0",
        "ttyS0",  # the board has one line of its own
        ("-device", "pci-serial,chardev=told"),
    ),
}
NATIVE = next((name for name, each in MACHINES.items() if each.processor == platform.machine()), "amd64")
"""The architecture whose programs run here."""
