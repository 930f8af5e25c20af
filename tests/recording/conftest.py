"""Where a recording is, and which panes there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ktop import registry
from tests.recording.waits import PANE


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry knows the pane of these tests alone."""
    monkeypatch.setattr(registry, "names", lambda: ("waits",))
    monkeypatch.setattr(registry, "get", {"waits": PANE}.__getitem__)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.ktop"
