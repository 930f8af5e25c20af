"""What a machine and kernel may be excused from; everywhere else it is a defect."""

from __future__ import annotations

from pathlib import Path

EMULATED = "ktop_told=" in Path("/proc/cmdline").read_text(encoding="ascii")
"""Whether this is a guest of ``bin/test --kernels``, where everything takes its time."""


def excuse(pane: str, machine: str, version: tuple[int, int]) -> str | None:
    """Return words that the reason for having no figures must contain; None where there is no excuse.

    ``machine`` as ``uname -m`` says, ``version`` major and minor of the kernel.
    """
    if pane == "llcstat":
        return "no hardware counters"  # as in most virtual machines
    # 6.4, 2aa6ac03516d: from then on programs can hang on functions of arm64's kernel.
    if pane in {"cachestat", "tcptop"} and machine == "aarch64" and version < (6, 4):
        return "fexit"
    return None
