"""Layers hold when modules are really imported, too: import-linter (bin/test) reads only our own source."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import ktop

TERMINAL = {"textual", "rich"}
HEAVY = {"bcc", "msgpack", "psutil", "zstandard"}
"""Loaded by what uses them, when it does: none is paid for before the first paint."""


def modules() -> list[str]:
    return [
        module.name
        for module in pkgutil.walk_packages(ktop.__path__, "ktop.")
        if module.name != "ktop.__main__"  # runs on import
    ]


def loaded_by(names: list[str]) -> set[str]:
    """Return the names of all modules that a fresh interpreter holds after importing ``names``."""
    code = (
        "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_nothing_but_the_ui_loads_the_terminal():
    headless = [name for name in modules() if not name.startswith("ktop.ui")]
    assert headless
    assert not loaded_by(headless) & TERMINAL


def test_importing_loads_nothing_heavy():
    assert not loaded_by(modules()) & HEAVY


def test_panes_and_ui_load_without_the_kernel():
    independent = [name for name in modules() if name.startswith(("ktop.panes", "ktop.ui"))]
    assert independent
    kernel = {name for name in loaded_by(independent) if name.startswith("ktop.kernel")}
    assert not kernel


@pytest.mark.parametrize("name", ["ktop.frame", "ktop.pane", "ktop.stats", "ktop.source"])
def test_contracts_load_nothing_of_the_rest(name: str):
    contracts = {"ktop", "ktop.frame", "ktop.pane", "ktop.perf_event", "ktop.stats", "ktop.source"}
    assert {loaded for loaded in loaded_by([name]) if loaded.split(".")[0] == "ktop"} <= contracts
