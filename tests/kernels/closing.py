"""The closing line: how many tests passed, failed and were skipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET


@dataclass(frozen=True)
class Counts:
    """Of tests."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        """Return the closing line."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def of_suite(path: Path, status: int) -> Counts:
    """Return what pytest wrote (``--junitxml``) of the suite that ended with ``status``.

    Where that is not 0 for another reason, a check or no report at all, it is one failure.
    """
    counts = Counts()
    try:
        for suite in ET.parse(path).getroot().iter("testsuite"):
            tests, failures, errors, skipped = (
                int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
            )
            counts += Counts(tests - failures - errors - skipped, failures + errors, skipped)
    except (OSError, ET.ParseError):
        counts = Counts(failed=1)
    if status and not counts.failed:
        counts += Counts(failed=1)
    return counts
