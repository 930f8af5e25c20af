"""Frames of a pane that only these tests know, and recordings of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ktop.frame import Facts, Frame, Histogram, Reading, Sample, Status
from ktop.pane import Column, Fold, Pane, Unit
from ktop.recording.file import Writer, blocks
from ktop.source import HOST, Identity

IDENTITY = Identity("db1", "6.18.0", 2)
BOUNDS = np.array([0.0, 1.0, np.inf])


def compute(previous: Reading, current: Reading, facts: Facts) -> Sample:
    raise AssertionError


COLUMNS = (
    Column("pid", "PID", Unit.NUMBER, "Who.", Fold.LAST),
    Column("comm", "COMMAND", Unit.TEXT, "Name.", Fold.LAST),
    Column("waits", "WAITS", Unit.COUNT, "How often."),
    Column("slots", "", Unit.HISTOGRAM, "How long.", hidden=True, bounds=BOUNDS),
    Column("half", "HALF", Unit.COUNT, "Half.", Fold.DERIVED),
)
PANE = Pane(
    "waits", "?", "x", COLUMNS, ("pid",), "waits", compute, lambda rows: rows | {"half": rows["waits"] / 2}
)


def frame(ts: float, count: int = 3) -> Frame:
    rows = {
        "pid": np.arange(count, dtype=np.int32),
        "comm": np.full(count, b"postgres"),
        "waits": np.full(count, 10, dtype=np.uint64),
        "slots": np.ones((count, 2), dtype=np.uint64),
        "half": np.full(count, 5.0),
    }
    histogram = Histogram(BOUNDS, np.array([count, 0], dtype=np.uint64))
    return Frame("waits", ts, 1.0, rows, {"a": 1.0}, (histogram,), Status({"switch": "tp_btf"}))


def write(path: Path, *stamps: float, identity: Identity = IDENTITY) -> None:
    writer = Writer(path, identity, 1.0, ["waits"])
    for ts in stamps:
        writer.write([frame(ts), Frame(HOST, ts, 1.0, {}, {"load1": ts})])
    writer.close()


def stamps(path: Path) -> list[float]:
    return [each.ts for block in blocks(path) for each in block.frames() if each.pane == "waits"]
