"""A recording that begins at a moment: what comes up to then is drawn, what comes later is not."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ktop.cli import application
from ktop.cli import main as cli
from ktop.recording.file import Writer
from ktop.registry import get
from ktop.source import Identity
from ktop.ui.app import KtopApp
from ktop.ui.process_screen import ProcessScreen
from tests.rows import frame_of
from tests.ui.driven import Driven, running
from tests.ui.synthetic import START, Synthetic

AT = START + 40


async def test_what_leads_to_the_moment_is_drawn_when_it_comes():
    async with running(Synthetic(recorded=True), at=AT, ticks=30) as k:
        assert "reading …" in k.text
        await k.press("[", "space")
        assert k.app.view.at == AT, "not before it is there"
        expected = k.main.history.latest("runqlat", AT)
        assert expected is not None
        assert expected.ts == START + 29
        await k.tick(30)
        expected = k.main.history.latest("runqlat", AT)
        assert expected is not None
        assert expected.ts == AT
        await k.until(lambda: k.table.row_count == len(expected))
        assert "-00:19 · paused" in k.text
        await k.press("right_square_bracket")
        assert k.app.view.at == AT + 1
        await k.press("space")
        assert k.app.view.live


async def test_before_the_first_sample_it_waits_for_one():
    async with running(Synthetic(recorded=True), at=AT, ticks=0) as k:
        await k.until(lambda: "waiting for the first sample" in k.text)


async def test_the_process_is_folded_up_to_the_moment():
    async with running(Synthetic(recorded=True), at=AT, pid=438, ticks=60) as k:
        await k.until(lambda: k.shows(ProcessScreen) and "all figures over the last 40" in k.text)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of two minutes: as many rows in each interval as seconds have passed."""
    path = tmp_path / "a.ktop"
    writer = Writer(path, Identity("h", "k", 2), 1.0, ["runqlat"])
    writer.write([replace(frame_of(get("runqlat"), second), ts=START + second) for second in range(121)])
    writer.close()
    return path


def test_the_command_line_has_it_begin_at_the_moment(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What led there is there at once: as it was recorded, it would take 100 s."""
    at = START + 100
    looked_at: list[KtopApp] = []

    async def look(app: KtopApp, source: Any) -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            k = Driven(app, source, pilot)
            await k.until(lambda: k.main.pane_view is not None and k.table.row_count == 100)
            assert k.app.view.at == at
            assert k.main.history.latest("runqlat", at).ts == at
            await k.until(lambda: "paused" in k.text)
            assert "14:15:00" in k.text
            await k.press("space")
            assert k.app.view.live
            app.exit()

    def run(app: KtopApp) -> None:
        looked_at.append(app)
        try:
            asyncio.run(look(app, app.source))
        finally:
            app.source.stop()

    monkeypatch.setattr(KtopApp, "run", run)
    monkeypatch.setattr(application, "_must_have_terminal", lambda: None)
    monkeypatch.setattr(application, "prepare", lambda _environ: None)  # of the whole test run
    monkeypatch.setattr(gc, "disable", lambda: None)  # it would stay as the application has it
    monkeypatch.setenv("KTOP_DEBUG", "1")  # what fails in there is not made a sentence
    monkeypatch.setenv("XDG_CONFIG_HOME", str(recording.parent))
    assert cli.main(["replay", str(recording), "--at", "14:15"]) == 0, capsys.readouterr().err
    assert looked_at
