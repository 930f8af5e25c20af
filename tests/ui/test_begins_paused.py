"""A recording that begins at a moment: what comes up to then is drawn, what comes later is not."""

from __future__ import annotations

from ktop.ui.process_screen import ProcessScreen
from tests.ui.driven import running
from tests.ui.synthetic import START, Synthetic

AT = START + 40


async def test_what_leads_to_the_moment_is_drawn_when_it_comes():
    async with running(Synthetic(recorded=True), at=AT, ticks=30) as k:
        assert "paused" in k.text
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
