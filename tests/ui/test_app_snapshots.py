"""Pictures of the application: what it looks like may only change on purpose.

After a change that is meant: ``pytest tests/ui/test_app_snapshots.py --snapshot-update``,
and look at the pictures before they are committed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import pytest
from textual.pilot import Pilot

from ktop.ui.app import KtopApp
from ktop.ui.main_screen import MainScreen
from ktop.ui.process_screen import ProcessScreen
from tests.ui.driven import XTERM, until
from tests.ui.started import STARTED, Started
from tests.ui.synthetic import PANES, Synthetic

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 50)


def sized(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def scene(source: Synthetic, keys: Iterable[str], ticks: int) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Return what brings the application to the moment of the picture."""

    def drawn(app: KtopApp) -> bool:
        screen = app.screen
        if isinstance(screen, ProcessScreen):
            return "all figures" in text(screen)
        # "measured –" stands there before the first Frame is drawn.
        return not isinstance(screen, MainScreen) or any(
            sign in text(screen) for sign in ("measured 1.00 s", "has no figures")
        )

    def text(screen: MainScreen | ProcessScreen) -> str:
        return "\n".join(line.text for line in screen._compositor.render_strips())

    async def go(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, KtopApp)
        await until(pilot, lambda: source.started)
        source.tick(ticks)
        await until(pilot, lambda: drawn(app))
        for key in keys:
            if key == "tick":
                source.tick(20)
            else:
                await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: drawn(app))
        await pilot.pause()

    return go


def shown(snap_compare, size, *keys, pane="runqlat", environ=XTERM, theme=None, hostile=False):  # noqa: PLR0913 - what a picture may be of
    source = Synthetic(recorded=True, hostile=hostile)
    app = KtopApp(source, PANES, pane=pane, environ=environ, theme=theme)
    assert snap_compare(app, terminal_size=size, run_before=scene(source, keys, 90))


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=sized)
def test_latency(snap_compare, size):
    shown(snap_compare, size)


@pytest.mark.parametrize("pane", [pane.name for pane in PANES[1:]])
def test_panes(snap_compare, pane):
    shown(snap_compare, MIDDLE, pane=pane)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=sized)
@pytest.mark.parametrize("keys", ["", "p"], ids=["each", "per_parent"])
def test_execs(snap_compare, keys, size):
    source = Started(recorded=True)
    app = KtopApp(source, STARTED, pane="execsnoop", environ=XTERM)
    assert snap_compare(app, terminal_size=size, run_before=scene(source, keys, 90))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=sized)
def test_process(snap_compare, size):
    shown(snap_compare, size, "enter")


def test_paused_filtered_and_looking_back(snap_compare):
    keys = ("slash", *"comm:*s*", "enter", "space", "tick", "left_square_bracket", "left_square_bracket")
    shown(snap_compare, MIDDLE, *keys)


def test_a_filter_that_makes_no_sense(snap_compare):
    shown(snap_compare, SMALL, "slash", *"p99>soon")


def test_help(snap_compare):
    shown(snap_compare, SMALL, "question_mark")


def test_sort_picker(snap_compare):
    shown(snap_compare, SMALL, "S")


def test_hostile_names(snap_compare):
    shown(snap_compare, SMALL, hostile=True)


def test_before_the_first_sample(snap_compare):
    source = Synthetic()

    async def started(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: source.started)
        await pilot.pause()

    assert snap_compare(KtopApp(source, PANES, environ=XTERM), terminal_size=SMALL, run_before=started)


def test_sixteen_colours(snap_compare):
    shown(snap_compare, SMALL, environ={"TERM": "linux"})


def test_no_colour(snap_compare):
    shown(snap_compare, SMALL, environ={"TERM": "xterm-256color", "NO_COLOR": "1"})


def test_light(snap_compare):
    shown(snap_compare, MIDDLE, theme="ktop-light")
