"""Runs in the guest: which variants each pane ends on, then the tests of the real kernel.

``python3 -m tests.kernels.guest_run FILE`` writes one JSON object a line to
FILE; which tests, where not all, stands on the kernel's command line (``machine.WORD``).
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.kernels import guest_panes
from tests.kernels.machine import WORD

SECONDS_A_TEST = 120
NATIVE_FIXTURES = {"variants", "absent", "burner", "namer", "profile"}
"""They need a compiler or bcc: both are larger than all else in the guest."""


class Told:
    """Where records go."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._began = time.monotonic()

    def __call__(self, kind: str, **values: Any) -> None:
        """Write one record."""
        record = {"kind": kind, "s": round(time.monotonic() - self._began, 1), **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        text = " ".join(f"{name}={value}" for name, value in values.items() if name != "why")
        print(f"{record['s']:7.1f} {kind} {text}", flush=True)


class Reporter:
    """A pytest plugin: one record a test, and no test for ever."""

    def __init__(self, tell: Told) -> None:
        self._tell = tell

    def pytest_configure(self, config: pytest.Config) -> None:
        """What pyproject.toml says, which the guest's pytest does not read."""
        config.addinivalue_line("markers", "kernel: needs a host that allows BPF, and root")
        config.addinivalue_line("markers", "native: too fast or too long for an emulated machine")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what cannot run here."""
        left = [item for item in items if is_native(item)]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Any:
        """Prepare a test, but not for ever."""
        with _not_for_ever():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Any:
        """Run a test, but not for ever."""
        with _not_for_ever():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Any:
        """Clean up after a test, but not for ever."""
        with _not_for_ever():
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell how a test went: its call, or the part of it that went wrong."""
        if report.when != "call" and report.outcome == "passed":
            return
        why = ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            why = report.longrepr[2]
        elif report.outcome == "failed":
            why = report.longreprtext
        pane = Path(report.location[0]).stem.removeprefix("test_")
        self._tell(
            "test",
            file=pane,
            name=report.location[2],
            outcome=report.outcome,
            took=round(report.duration, 1),
            why=why,
        )


def is_native(item: pytest.Item) -> bool:
    """Return whether a test needs the reference host, or one like it."""
    fixtures = set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("native") is not None or bool(fixtures & NATIVE_FIXTURES)


@contextlib.contextmanager
def _not_for_ever() -> Iterator[None]:
    """Stop what hangs; not what then tells of it, which would end the whole run."""
    signal.signal(signal.SIGALRM, _give_up)
    # Again and again: what cleans up may hang as well.
    signal.setitimer(signal.ITIMER_REAL, SECONDS_A_TEST, 10)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _give_up(_number: int, _frame: object) -> None:
    raise TimeoutError(f"no end after {SECONDS_A_TEST} s")


def main() -> int:
    """Return 0 when all passed."""
    words = Path("/proc/cmdline").read_text().split()
    chosen = [word.removeprefix(WORD) for word in words if word.startswith(WORD)]
    with Path(sys.argv[1]).open("w") as file:
        tell = Told(file)
        tell("start", release=platform.release(), version=platform.version(), cpus=os.cpu_count())
        failed = guest_panes.visit(tell)
        options = [
            "-c",
            "/dev/null",
            "--rootdir=.",
            "--import-mode=importlib",
            "-q",
            "-p",
            "no:cacheprovider",
        ]
        code = pytest.main([*options, *(chosen or ["tests/kernel"])], plugins=[Reporter(tell)])
        tell("end", code=int(code), failed=failed)
    return int(code) or failed


if __name__ == "__main__":
    sys.exit(main())
