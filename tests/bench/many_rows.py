"""ktop on a table of 10,000 rows, all figures new every second; run by ``keys`` in a terminal.

The rows' order never changes (the pane is sorted by a figure that follows
from the PID), so which row is under the cursor follows from the keys pressed.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from ktop import registry
from ktop.cli.application import go_first
from ktop.frame import Array, Frame, Rows
from ktop.pane import Pane, Unit
from ktop.source import HOST, Identity, Publish
from ktop.ui.app import KtopApp

ROWS, UNITS = 10_000, 40


def name(number: int) -> str:
    """Return the name of the row at ``number`` from the top."""
    return f"row-{number:05d}"


def table(pane: Pane, tick: int) -> Rows:
    """Return ROWS rows of ``pane`` at ``tick``."""
    random = np.random.default_rng(tick)
    rows: dict[str, Array] = {}
    for column in pane.columns:
        if column.name == "pid":
            rows["pid"] = np.arange(1, ROWS + 1, dtype=np.int32)
        elif column.name == "comm":
            rows["comm"] = np.array([name(number).encode() for number in range(ROWS)], dtype="S16")
        elif column.unit is Unit.TEXT:
            rows[column.name] = np.array(
                [b"unit-%02d.service" % (n % UNITS) for n in range(ROWS)], dtype="S16"
            )
        elif column.name == pane.sort:
            rows[column.name] = np.arange(ROWS, 0, -1, dtype=np.float64) * 1e3 + tick % 1000
        elif column.unit is Unit.HISTOGRAM and column.bounds is not None:
            rows[column.name] = random.integers(0, 50, (ROWS, len(column.bounds) - 1)).astype(np.float64)
        else:
            rows[column.name] = random.integers(1, 1_000_000, ROWS).astype(np.float64)
    return rows


class Arithmetic:
    """The Source."""

    identity = Identity("bench", "0", 2)
    interval_s = 1.0

    def __init__(self, pane: Pane) -> None:
        """Publish Frames of ``pane``."""
        self._pane = pane
        self._stopping = threading.Event()

    def start(self, publish: Publish) -> None:
        """Publish each second."""
        threading.Thread(target=self._run, args=(publish,), daemon=True).start()

    def _run(self, publish: Publish) -> None:
        tick = 0
        while True:
            rows = table(self._pane, tick)
            publish(Frame(HOST, time.time(), 1.0, {}, {"load1": 1.0}))
            publish(Frame(self._pane.name, time.time(), 1.0, rows))
            tick += 1
            if self._stopping.wait(self.interval_s):
                return

    def stop(self) -> None:
        """Stop."""
        self._stopping.set()

    def look_at(self, panes: tuple[str, ...]) -> None:
        """Change nothing."""

    def demand(self, pane: str, group: str, on: bool) -> None:
        """Change nothing."""

    def set_interval(self, seconds: float) -> None:
        """Change nothing."""

    def measure_cost(self, seconds: float) -> str | None:
        """Change nothing."""
        del seconds
        return None


if __name__ == "__main__":
    go_first()  # as the command line does
    runqlat = registry.get("runqlat")
    KtopApp(Arithmetic(runqlat), [runqlat]).run()
