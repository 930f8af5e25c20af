"""The line below a pane: what is lost, and why, before what can be read elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from ktop.frame import Status
from ktop.ui.palette import palette
from ktop.ui.status_line import StatusLine
from tests.ui.one_widget import OneWidget

HOOKS = {"wakeup": "tp_btf/sched_wakeup", "switch": "tp_btf/sched_switch"}
LOSSES = {"not_run": 3, "ring_full": 40}


async def drawn(
    width: int, status: Status, interval_s: float | None = 1.0, own: Mapping[str, float] | None = None
) -> str:
    app = OneWidget(StatusLine())
    async with app.run_test(size=(width, 1)):
        app.view.show(status, interval_s, own or {})
        (parts,) = app.view.draw(palette(app), width, 1)
        text = "".join(text for text, _ in parts)
        assert len(text) == width
        return text


async def test_nothing_lost_is_said_with_the_hooks():
    text = await drawn(100, Status(HOOKS))
    assert "measured 1.00 s  lost 0  tp_btf sched_wakeup sched_switch" in text


@pytest.mark.parametrize("losses", [LOSSES, {**LOSSES, "missed": 1}])
async def test_the_reason_of_a_loss_goes_before_the_hooks(losses):
    wide, narrow, narrowest = [await drawn(width, Status(HOOKS, losses=losses)) for width in (140, 90, 56)]
    assert f"lost {sum(losses.values())} (ring full 40, not run 3" in wide
    assert "sched_switch" in wide
    assert "(ring full 40" in narrow
    assert "sched_switch" not in narrow
    assert f"lost {sum(losses.values())} " in narrowest
    assert "(" not in narrowest


@pytest.mark.parametrize("width", range(30, 101))
async def test_no_label_is_without_its_figure(width):
    own = {"self_cpu_ratio": 0.0116, "self_rss_bytes": 44.9 * 2**20}
    text = await drawn(width, Status(HOOKS, losses=LOSSES, unattributed_ratio=0.0312), own=own)
    assert text.startswith("measured 1.00 s  lost 43 ")
    assert ("unattributed" in text) == ("unattributed 3.12% " in text)
    assert ("ktop" in text) == text.endswith("ktop 1.16% 44.9M") == (width >= 44)
    assert width < 64 or "unattributed" in text
    assert "…" not in text


@pytest.mark.parametrize("interval_s", [None, math.nan])
async def test_where_nothing_was_measured_nothing_is_known_of_losses(interval_s):
    assert "measured –  lost –  " in await drawn(100, Status(HOOKS, losses=LOSSES), interval_s)


async def test_a_cost_that_a_recording_has_not_measured_is_no_number():
    own = {"self_cpu_ratio": math.nan, "self_rss_bytes": math.nan, "bpf_ratio": math.nan}
    assert (await drawn(100, Status(), own=own)).endswith("ktop – –  BPF –")
    assert (await drawn(100, Status(), own={"self_cpu_ratio": 0.01})).endswith("ktop 1.00% –")
