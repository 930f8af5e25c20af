"""Make screenshots/*.svg from the shipped recording, through the application itself.

    python -m tests.demo.screenshots [NAME...]

The same recording gives the same files: the Frames up to one moment are published at once, and no
more come.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from ktop.frame import Frame
from ktop.recording.replay import Replay
from ktop.source import Publish
from ktop.ui.app import KtopApp
from tests.demo.svg import svg

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "ktop" / "demo.ktop"
TARGET = ROOT / "screenshots"
MOMENT_S = 58.0
"""The hogs and the backup are at work, and how it was before is still to be seen."""
TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


@dataclass(frozen=True)
class Shot:
    """One screen: a pane, a size, and the keys that lead there."""

    pane: str
    width: int = 120
    height: int = 40
    keys: tuple[str, ...] = ()
    name: str = ""
    moment_s: float = MOMENT_S

    @property
    def file(self) -> str:
        return f"{self.name or self.pane}-{self.width}x{self.height}"


SHOTS = (
    Shot("runqlat", 80, 24),
    Shot("runqlat"),
    Shot("biotop"),
    Shot("tcptop"),
    Shot("cachestat"),
    Shot("hardirqs"),
    Shot("llcstat"),
    Shot("execsnoop"),
    Shot("profile"),
    Shot("runqlat", 200, 50),
    Shot("biotop", 120, 40, ("down", "enter"), "process"),
    Shot("biotop", 200, 50, ("down", "enter"), "process"),
    Shot("runqlat", 120, 40, ("C",), "cgroups"),
    Shot("runqlat", 120, 40, ("question_mark",), "help"),
)


class Still(Replay):
    """The recording up to one moment, published at once."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(path, speed=float("inf"))
        self.frames: list[Frame] = []
        super().start(self.frames.append)
        self.finished.wait()
        self.frames = [frame for frame in self.frames if frame.ts <= self.frames[0].ts + seconds]

    def start(self, publish: Publish) -> None:
        for frame in self.frames:
            publish(frame)
        self.published = True

    published = False


async def take(shot: Shot) -> str:
    """Return what the screen shows, as SVG."""
    source = Still(RECORDING, shot.moment_s)
    app = KtopApp(source, source.panes, pane=shot.pane, environ=TERMINAL)
    async with app.run_test(size=(shot.width, shot.height)) as pilot:
        await settled(pilot, lambda: source.published and drawn(app))
        for key in shot.keys:
            await pilot.press(key)
            await settled(pilot)
        await settled(pilot)
        strips = app.screen._compositor.render_strips()
        background = app.screen.background_colors[1].rich_color.get_truecolor().hex
        return svg(strips, shot.width, background, f"ktop {shot.name or shot.pane}")


def text(app: App[None]) -> str:
    """Return what is on the screen."""
    strips = app.screen._compositor.render_strips()
    return "".join(segment.text for strip in strips for segment in strip)


def drawn(app: App[None]) -> bool:
    """Return whether the pane shows its first Frame."""
    return "measured –" not in text(app) or "has no figures" in text(app)


async def settled(pilot: Pilot[None], holds: Callable[[], bool] = lambda: True) -> None:
    """Wait until nothing is going on any more: no worker, and twice the same picture."""
    before: object = None
    for _ in range(1000):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        now = text(pilot.app)
        if now == before and holds():
            return
        before = now
        await pilot.pause(0.05)
    raise RuntimeError(f"it never came to rest: {before}")


def main() -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    TARGET.mkdir(exist_ok=True)
    wanted = set(sys.argv[1:])
    for shot in SHOTS:
        if not wanted or wanted & {shot.pane, shot.file}:
            picture = asyncio.run(take(shot))
            (TARGET / f"{shot.file}.svg").write_text(picture, encoding="utf-8")
            print(f"{shot.file}.svg: {len(picture) // 1024} KiB")


if __name__ == "__main__":
    main()
