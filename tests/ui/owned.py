"""Frames made by arithmetic in which rows say whose their process is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ktop.frame import Frame
from ktop.pane import CGROUP
from tests.ui.synthetic import PANES, Synthetic

NAMES = np.array([b"backup@globex.service", b"web, 1 [a].scope", b"/"])
WITH_OWNERS = {"runqlat", "biotop", "profile"}
OWNED = [
    replace(pane, columns=(*pane.columns, CGROUP)) if pane.name in WITH_OWNERS else pane for pane in PANES
]


class Owned(Synthetic):
    """Whose a process is follows from its PID."""

    def frames(self, tick: int) -> list[Frame]:
        return [
            replace(frame, rows={**frame.rows, "cgroup": NAMES[frame.rows["pid"] % len(NAMES)]})
            if frame.pane in WITH_OWNERS
            else frame
            for frame in super().frames(tick)
        ]
