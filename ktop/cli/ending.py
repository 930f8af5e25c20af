"""How a command ends: its exit codes, and the sentence where it fails."""

from __future__ import annotations

OK, FAILED, USAGE, NO_BPF = 0, 1, 2, 77


class Failure(Exception):  # noqa: N818 - it is how a command ends, not a defect
    """A command ends with this sentence on stderr and this exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
