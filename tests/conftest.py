"""What every test relies on: the same terminal everywhere, and BPF where it is asked for."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests import kernel_objects

# Before textual is imported, which reads them once: the caller's terminal decides nothing here.
for _name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "LINES"):
    os.environ.pop(_name, None)
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TZ"] = "UTC"
time.tzset()
# What nohup starts, or a shell's job in the background, ignores some of these, and so would all that tests
# start: ktop leaves it at that.
_DEFAULTS: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
for _number, _handler in _DEFAULTS.items():
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# Tests assert no times.  The guests of tests/kernels have no hypothesis.
with contextlib.suppress(ImportError):
    from hypothesis import settings

    settings.register_profile(
        "ktop", settings.get_profile(settings.get_current_profile_name()), deadline=None
    )
    settings.load_profile("ktop")

KERNEL_TESTS = Path(__file__).parent / "kernel"


def why_no_bpf() -> str | None:
    """Return why this host does not let us use BPF, or None: ask for the ids of all programs."""
    if os.geteuid() != 0:
        return "BPF needs root: sudo bin/test"
    try:
        kernel_objects.ids()
    except OSError as error:
        return f"this host refuses BPF: {error}"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lives in tests/kernel, and skip it where BPF is refused (but never root's CI)."""
    for item in items:
        if item.path.is_relative_to(KERNEL_TESTS):
            item.add_marker("kernel")
    reason = why_no_bpf()
    if reason is None or (os.environ.get("CI") == "true" and os.geteuid() == 0):
        return
    for item in items:
        if item.get_closest_marker("kernel"):
            item.add_marker(pytest.mark.skip(reason=reason))
