"""Execs made by arithmetic, in the columns of the real pane: a loop, a build, and their children."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ktop import registry
from ktop.frame import Array, Frame
from tests.ui.synthetic import PANES, START, Synthetic

EXECSNOOP = registry.get("execsnoop")
STARTED = [EXECSNOOP if pane.name == EXECSNOOP.name else pane for pane in PANES]
LOOP, BUILD = 700, 800
LOOP_BEGAN, BUILD_BEGAN = 70_000_000_000, 80_000_000_000


def rows_of(tick: int) -> dict[str, Array]:
    """Return the rows of one tick: of a loop three of ``true``, of a build one that runs on and one more."""
    first = 10_000 + 10 * tick
    pids = np.arange(first, first + 5)
    argv = np.empty(5, dtype=object)
    argv[:] = [b"/bin/true\x00%d\0" % pid for pid in pids]
    began = START + tick - np.array([0.9, 0.7, 0.5, 0.3, 0.1])
    return {
        "ts": began,
        "pid": pids,
        "ppid": np.array([LOOP, BUILD, LOOP, BUILD, LOOP]),
        "parent_comm": np.array([b"loop.sh", b"ninja", b"loop.sh", b"ninja", b"loop.sh"], dtype="S16"),
        "comm": np.array([b"true", b"ld" if tick % 2 else b"cc1", b"true", b"cc1", b"true"], dtype="S16"),
        "uid": np.zeros(5, dtype=np.uint32),
        "argv": argv,
        "truncated": np.zeros(5, dtype=bool),
        "exit_code": np.array([0.0, np.nan, 0.0, 1.0, 0.0]),
        "duration_s": np.array([0.001, np.nan, 0.002, 0.25, 0.003]),
        "error": np.full(5, None),
        "cgroup": np.array([b"cron.service", b"ci.service", b"cron.service", b"ci.service", b"cron.service"]),
        "start_ns": (pids * 1e9).astype(np.uint64),
        "exec_ns": (began * 1e9).astype(np.uint64),
        "parent_start_ns": np.array(
            [LOOP_BEGAN, BUILD_BEGAN, LOOP_BEGAN, BUILD_BEGAN, LOOP_BEGAN], dtype=np.uint64
        ),
    }


class Started(Synthetic):
    """Has these rows of execs."""

    def frames(self, tick: int) -> list[Frame]:
        return [
            replace(frame, rows=self.rows(tick)) if frame.pane == EXECSNOOP.name else frame
            for frame in super().frames(tick)
        ]

    def rows(self, tick: int) -> dict[str, Array]:
        """Return the execs of one tick."""
        return rows_of(tick)
