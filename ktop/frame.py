"""What flows from the kernel to the screen: Reading -> Sample -> Frame.

A Reading is what one family's maps held at one moment.  A pane's ``compute``
turns two of them into a Sample, and the sampler dates it and adds the status:
that is a Frame, the only thing any consumer (screen, history, JSON, recording)
ever sees.  All of them are immutable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

TICK_S = 0.1
"""Frames of one tick are dated within this of each other, family by family."""

Array: TypeAlias = NDArray[Any]

Rows: TypeAlias = Mapping[str, Array]
"""Columns by name, all of the same length; two-dimensional ones hold a histogram a row.

Text from the kernel is ``S`` (raw bytes, unescaped) or, where the length is
unbounded, ``object`` holding ``bytes``.  A figure that was not measured is NaN
in a float column and None in an object column, never 0.
"""


Losses: TypeAlias = Mapping[str, int]
"""How many events are missing, by why: the kinds of ``ktop.losses`` of which there are any."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What compute may know of the host; the clock may have been set since the last Sample."""

    page_size: int = 4096
    boot_ns: int = 0
    """CLOCK_REALTIME minus CLOCK_BOOTTIME in ns: turns the kernel's boot-time stamps into dates."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything one family's maps held at one moment.

    ``maps`` goes by the name in the C file.  Arrays by CPU: structured, shape
    (cpus,), longer where CPUs came (``ktop.records.by_cpu``).  Keyed maps:
    structured with the fields ``key`` and ``value``, shape (entries,).
    Iterators: structured, a record a task.  Those only ever grow, so the
    difference of two Readings loses nothing.  Ring buffers: the records (their
    fixed part) that came since the last Reading, in order.
    """

    time_ns: int
    """CLOCK_MONOTONIC."""
    maps: Mapping[str, Array]
    tails: Mapping[str, list[bytes]] = field(default_factory=dict)
    """Of a ring buffer, what follows the fixed part of each record."""
    proc: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Files of /proc that the pane asked for by name, as numbers by key (``meminfo`` in bytes)."""
    losses: Losses = field(default_factory=dict)
    """Totals since start."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by range: ``counts[..., i]`` lie in ``bounds[i] <= x < bounds[i + 1]``."""

    bounds: Array
    """float64, shape (slots + 1,), in the unit of the histogram."""
    counts: Array
    """Shape (slots,)."""
    cpu: int | None = None
    """The CPU they were counted on; None for all."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What ``compute`` makes of two Readings."""

    rows: Rows
    """Without the derived columns; cgroups as ids, stacks as addresses: names come after ``compute``."""
    host: Mapping[str, float] = field(default_factory=dict)
    """The host's own figures, by column name; those are not the sum of the rows."""
    histograms: tuple[Histogram, ...] = ()
    unattributed_ratio: float | None = None
    """Share (0 to 1) of the pane's main quantity that no process could be charged with."""
    losses: Losses = field(default_factory=dict)
    """What only the two Readings together show to be missing; ``Reading.losses`` are not among them."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is to be known about the figures beside them."""

    hooks: Mapping[str, str] = field(default_factory=dict)
    """The variant that is live, by hook group."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why a variant was not taken, by program name."""
    unavailable: str | None = None
    """Why the pane has no figures, and what to do; None while it has."""
    losses: Losses = field(default_factory=dict)
    """Of this interval."""
    unattributed_ratio: float | None = None

    @property
    def lost(self) -> int:
        """Events lost in this interval, for whatever reason."""
        return sum(self.losses.values())


@dataclass(frozen=True, slots=True)
class Frame:
    """One sample of one pane."""

    pane: str
    ts: float
    """Unix time in seconds at the end of the interval."""
    interval_s: float
    """As measured on the monotonic clock."""
    rows: Rows
    host: Mapping[str, float] = field(default_factory=dict)
    histograms: tuple[Histogram, ...] = ()
    status: Status = field(default_factory=Status)
    dropped: int = 0
    """Rows this Frame once had and the history no longer keeps; 0 as sampled."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return length(self.rows)


def length(rows: Rows) -> int:
    """Return the number of rows in ``rows``."""
    return len(next(iter(rows.values()))) if rows else 0


def largest(frame: Frame, column: str) -> float:
    """Return the largest value of ``column`` in ``frame``, 0 where none was measured.

    Infinity, for it is not known, where there is no such column or rows are not all there.
    """
    values = frame.rows.get(column)
    return np.inf if values is None or frame.dropped else float(np.fmax.reduce(values, initial=0.0))


def take(rows: Rows, index: Array | slice) -> dict[str, Array]:
    """Return the rows that ``index`` (a mask, positions or a slice) selects."""
    return {name: column[index] for name, column in rows.items()}


def concatenate(tables: Sequence[Rows]) -> dict[str, Array]:
    """Return the rows of all ``tables``, one below the other, in the columns that all of them have."""
    if not tables:
        return {}
    common = set(tables[0]).intersection(*tables)
    return {name: np.concatenate([rows[name] for rows in tables]) for name in tables[0] if name in common}
