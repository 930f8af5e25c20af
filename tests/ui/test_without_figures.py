"""The application on a host that refuses every pane: each says why, and no key ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ktop import registry
from ktop.frame import Frame
from ktop.kernel.cgroups import Cgroups
from ktop.live.live_pane import LivePane
from ktop.pane import Pane
from tests.ui.driven import running
from tests.ui.synthetic import Synthetic, _host

REASON = "The kernel does not permit it"
PANES = registry.panes()
KEYS = ("I", "less_than_sign", "j", "p", "x", "F", "enter", "escape", "c", "escape", "slash", "1", "enter")


class Refused(Synthetic):
    """Has the Frames that the sampler makes of panes that cannot be had."""

    def frames(self, tick: int) -> list[Frame]:
        header = _host(1e9 + tick, tick)
        return [header, *(replace(without_figures(pane), ts=header.ts) for pane in PANES)]


def without_figures(pane: Pane) -> Frame:
    live = LivePane(pane, {}, Cgroups())
    live.unavailable = REASON
    return live.without_figures()


async def test_where_nothing_was_measured_there_is_nothing_to_go_into():
    async with running(pane="llcstat") as k:
        await k.press("C", "enter")
        assert k.app.view.filter is None
        assert k.screen is k.main


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.name)
async def test_every_pane_says_why_whatever_is_pressed(pane):
    async with running(Refused(), panes=PANES, pane=pane.name, ticks=1) as k:
        assert REASON in k.text
        for key in KEYS:
            await k.press(key)
        await k.tick()
        assert REASON in k.text
        assert k.app.failure is None
