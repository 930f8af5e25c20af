"""Why a pane may have no figures on a machine and kernel; everywhere else that is a defect."""

from __future__ import annotations


def excuse(pane: str, machine: str, version: tuple[int, int]) -> str | None:
    """Return words that the reason must contain; None where there is no excuse.

    ``machine`` as ``uname -m`` says, ``version`` major and minor of the kernel.
    """
    if pane == "llcstat":
        return "no hardware counters"  # as in most virtual machines
    # 6.4, 2aa6ac03516d: from then on programs can hang on functions of arm64's kernel.
    if pane in {"cachestat", "tcptop"} and machine == "aarch64" and version < (6, 4):
        return "fexit"
    return None
