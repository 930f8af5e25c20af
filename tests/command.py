"""The command as others start it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def ktop(*words: str, prefix: Sequence[str] = (), **options: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "KTOP_DEBUG"}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]  # noqa: PLW1510 - among the options
        [*prefix, sys.executable, "-m", "ktop", *words],
        **{
            "cwd": ROOT,
            "env": environment,
            "capture_output": True,
            "text": True,
            "timeout": 60,
            "check": False,
            "stdin": subprocess.DEVNULL,
            **options,
        },
    )


def failed(result: subprocess.CompletedProcess[str], code: int) -> str:
    """Assert that it ended with one sentence, and return that."""
    assert result.returncode == code, result
    assert result.stdout == ""
    assert result.stderr.startswith("ktop: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr
