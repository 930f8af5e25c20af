"""The application: how it opens, its panes, and what stands above them."""

from __future__ import annotations

import pytest

from ktop.ui.app import KtopApp
from ktop.ui.pane_view import PaneView
from ktop.ui.process_screen import ProcessScreen
from ktop.ui.tabs import PaneTabs
from tests.ui.driven import NAMES, XTERM, plain, running
from tests.ui.synthetic import PANES, Synthetic

# -- opening -----------------------------------------------------------------


async def test_nothing_is_started_before_the_first_paint():
    source = Synthetic()
    painted: list[bool] = []
    app = KtopApp(source, PANES, environ=XTERM)
    start = source.start

    def started(publish):
        painted.append(
            "runqlat" in "".join(s.text for line in app.screen._compositor.render_strips() for s in line)
        )
        start(publish)

    source.start = started  # type: ignore[method-assign]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    assert painted == [True]


async def test_the_pane_asked_for_comes_first_and_alone():
    async with running(pane="cachestat") as k:
        assert k.view.pane.name == "cachestat"
        assert k.source.looked_at == ("cachestat",)
        assert len(k.main.query(PaneView)) == 1


async def test_an_unknown_pane_is_a_key_error():
    with pytest.raises(KeyError):
        KtopApp(Synthetic(), PANES, pane="nonsense")


async def test_the_header_tells_of_the_host():
    async with running() as k:
        for what in ("db-07.example", "6.18.0-amd64", "12d 04:00", "load", "pressure", "every 1 s"):
            assert what in k.text


async def test_a_recording_says_so():
    async with running(Synthetic(recorded=True)) as k:
        assert "recording" in k.text


async def test_that_sampling_ended_is_said_on_every_screen():
    async with running() as k:
        k.source.fail("sampling ended: of a test")
        await k.until(lambda: " no more figures   sampling ended: of a test" in k.text)
        await k.press("enter")
        await k.until(lambda: k.shows(ProcessScreen) and "sampling ended: of a test" in k.text)


@pytest.mark.parametrize("size", [(40, 10), (80, 24)])
async def test_a_replay_that_fails_says_why_on_every_screen(size):
    async with running(Synthetic(recorded=True), size=size) as k:
        assert "ended" not in k.text
        k.source.fail("the file \x1b[31mis cut")
        await k.until(lambda: "replay ended" in k.text.split("\n")[2])
        assert "the file \\x1b[31mis" in k.text
        tabs = k.text.split("\n")[3]
        assert "runqlat" in tabs
        await k.press("space", "left_square_bracket")
        assert "replay ended" in k.text
        await k.press("enter")
        await k.until(lambda: k.shows(ProcessScreen))
        await k.until(lambda: "replay ended" in k.text)


# -- panes -------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, len(PANES) + 1))
async def test_every_pane_shows_by_its_digit(number):
    async with running() as k:
        await k.press(str(number))
        assert k.view.pane is PANES[number - 1]
        assert PANES[number - 1].question in k.text
        assert k.source.looked_at == (PANES[number - 1].name,)


async def test_tab_goes_round_both_ways():
    async with running() as k:
        await k.press("tab")
        assert k.view.pane is PANES[1]
        await k.press("shift+tab", "shift+tab")
        assert k.view.pane is PANES[-1]


async def test_a_click_on_a_tab_shows_its_pane():
    async with running() as k:
        tabs = k.main.query_one(PaneTabs)
        place = plain(tabs).index("cachestat")
        await k.pilot.click(PaneTabs, offset=(place, 0))
        assert k.view.pane.name == "cachestat"


async def test_a_pane_out_of_sight_draws_nothing_and_is_up_to_date_when_it_returns():
    async with running() as k:
        hidden = k.view
        await k.press("2")
        drawn: list[int] = []
        hidden.draw = lambda: drawn.append(1)  # type: ignore[method-assign]
        await k.tick(5)
        assert not drawn
        del hidden.draw
        await k.press("1")
        assert k.table.row_count == len(k.main.history.latest("runqlat"))  # type: ignore[arg-type]


async def test_an_unavailable_pane_says_why_and_shows_no_zero():
    async with running(pane="llcstat") as k:
        assert "hardware performance counters" in k.text
        row = k.table.cursor_row()
        assert row is not None
        assert "–" in k.text
        assert "llcstat" in plain(k.main.query_one(PaneTabs))
        assert 4 in k.main.query_one(PaneTabs)._dim


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("current", [0, 3, 6])
async def test_the_current_tab_is_in_sight_at_any_width(width, current):
    async with running(size=(width, 24)) as k:
        await k.press(str(current + 1))
        assert NAMES[current] in plain(k.main.query_one(PaneTabs))[:width]


async def test_keys_still_waiting_when_it_leaves_are_not_a_failure():
    app = KtopApp(Synthetic(), PANES, environ=XTERM)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.call_later(app.run_action, "pane(3)", app.screen)
        app.exit(return_code=3)
    assert (app.failure, app.return_code) == (None, 3)
