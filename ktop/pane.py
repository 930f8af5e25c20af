"""What a pane is: a declaration from which table, header, help, sort, filter and JSON follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

import numpy as np

from ktop.frame import Array, Facts, Reading, Rows, Sample
from ktop.perf_event import PerfEvent
from ktop.stats import group, most_frequent

START = "start_ns"
"""The column that tells two processes of the same PID apart: the start of the process, ns since boot."""


class Unit(Enum):
    """The unit of a column, which decides how a value is written and sorted."""

    TEXT = "text"
    """Raw bytes from the kernel; escaped wherever it leaves the process."""
    ARGS = "args"
    """NUL-separated bytes, as in /proc/PID/cmdline; a list of strings in JSON."""
    STACK = "stack"
    """A list of frame names, innermost last; object column."""
    NUMBER = "number"
    """A plain number that is no quantity (PID, port, UID, IRQ)."""
    COUNT = "count"
    BYTES = "bytes"
    US = "us"
    SECONDS = "s"
    RATIO = "ratio"
    """0 to 1; shown in per cent."""
    TIME = "time"
    """Unix seconds; shown as the time of day."""
    ADDRESS = "address"
    """16 bytes (``V16``): IPv6, or IPv4 as ::ffff:a.b.c.d."""
    FLAG = "flag"
    """True or false."""
    BY_CPU = "by_cpu"
    """Two-dimensional, a count for each CPU; shown as one small bar a CPU."""
    HISTOGRAM = "histogram"
    """Two-dimensional, the row's own histogram; shown as one small bar a slot, and not in JSON."""


_QUANTITIES = frozenset({Unit.COUNT, Unit.BYTES, Unit.US, Unit.SECONDS, Unit.RATIO, Unit.FLAG})


class Fold(Enum):
    """How rows become one (per process, over time)."""

    SUM = "sum"
    MAX = "max"
    LAST = "last"
    """The newest value."""
    MOST = "most"
    """The most frequent value, of those that are not None."""
    DERIVED = "derived"
    """Computed anew by the pane's ``derive`` from the folded columns."""
    DERIVED_SUM = "derived sum"
    """The same, of columns that add up: so it adds up, too."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in JSON, its header, and what it means exactly."""

    name: str
    title: str
    unit: Unit
    help: str
    fold: Fold = Fold.SUM
    width: int = 0
    """In cells; 0: what the unit needs."""
    from_width: int = 0
    """Shown in terminals of at least so many columns."""
    ordinary: bytes = b""
    """Text that tells nothing: left out of the table while no row has another."""
    alarm: bool = False
    """Whether anything but 0 (or nothing) tells of a failure, and has the colour of one."""
    explains: str = ""
    """The column of an alarm that this one says more of: it is left out of the table while that is."""
    on_demand: str = ""
    """The one of the pane's ``on_demand`` groups that gives it; rows that have it are counted meanwhile."""
    hidden: bool = False
    """Nowhere to be seen: only what others are computed from."""
    behind: bool = False
    """In JSON and plain text it stands behind the others, the order of which is relied on."""
    host_only: bool = False
    """Known of the host alone (``Frame.host``): in JSON null for every row, and in no table."""
    bounds: Array | None = field(default=None, compare=False)
    """Of a HISTOGRAM, then drawn on the process screen: float64, shape (slots + 1,), microseconds."""
    longest: str = ""
    """Of a HISTOGRAM: the column with the largest of its values, which no percentile is drawn beyond."""

    @property
    def derived(self) -> bool:
        """Whether the pane's ``derive`` gives it."""
        return self.fold in {Fold.DERIVED, Fold.DERIVED_SUM}

    @property
    def adds_up(self) -> bool:
        """Whether it is so much in an interval: 0 where nothing happened, and it can be told per second."""
        return self.fold in {Fold.SUM, Fold.DERIVED_SUM}

    @property
    def is_quantity(self) -> bool:
        """Whether it is so much of something: 0 says nothing, and it can be drawn over time."""
        return self.unit in _QUANTITIES

    @property
    def in_table(self) -> bool:
        """Whether it is a column of the tables on the screen: those cannot show stacks."""
        return not (self.hidden or self.host_only) and self.unit is not Unit.STACK

    @property
    def in_text(self) -> bool:
        """Whether it is a column of plain text, which is for figures: not for the picture of a histogram."""
        return self.in_json and not self.host_only

    @property
    def in_json(self) -> bool:
        """Whether JSON has it in each row; histograms are lines of their own there."""
        return not self.hidden and self.unit is not Unit.HISTOGRAM

    @property
    def is_text(self) -> bool:
        """Whether a cell is text: left-aligned, sorted from A."""
        return self.unit in {Unit.TEXT, Unit.ARGS, Unit.STACK, Unit.ADDRESS}


CGROUP = Column(
    "cgroup",
    "CGROUP",
    Unit.TEXT,
    "Whose the process is, by its cgroup (version 2): the first 12 digits of a container's id, as its tools "
    "print it (of one below a unit, the unit's name before it), else the machine (LXC, machinectl) or the "
    "systemd unit, else the path; / is the root, where kernel threads are, (gone) one that was removed "
    "before its name was read.",
    Fold.LAST,
    from_width=110,
    ordinary=b"/",
)
"""The same in every pane of processes; ``compute`` gives the id (0: not known), which gets its name then."""

COMMAND = Column(
    "comm", "COMMAND", Unit.TEXT, "Name of the process, as its main thread calls itself.", Fold.LAST
)
"""Of panes that have it from the main thread, as those with ``records.process_deltas``."""

STARTED = Column(START, "START", Unit.NUMBER, "Start of the process, ns since boot.", Fold.LAST, hidden=True)


class Shape(Enum):
    """What the rows of a pane are."""

    TABLE = "row"
    """Figures of one interval, by key."""
    EVENTS = "event"
    """Things that happened, in order; a later row of the same key completes an earlier one."""
    STACKS = "stack"
    """Samples by stack: a tree."""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A chart of ``Frame.histograms``: time across, the value up, counts as colour."""

    title: str
    counts: str = ""
    """What the colours count."""
    unit: Unit = Unit.US
    by_cpu: bool = False
    """Also a strip a CPU, from the histograms that carry one."""
    longest: str = ""
    """The column with the largest value of each row: no percentile is drawn beyond the largest of all."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A chart of figures of ``Frame.host`` over time; each group has an axis of its own."""

    title: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class RowHistogram:
    """The histogram of the row under the cursor."""

    title: str
    column: str
    """Of the unit HISTOGRAM, with ``bounds``."""
    label: str = ""
    """The column that names the row beside the title; empty: the first of the pane's ``key``."""


Chart: TypeAlias = Heatmap | Lines | RowHistogram


Compute: TypeAlias = Callable[[Reading, Reading, Facts], Sample]
Derive: TypeAlias = Callable[[dict[str, Array]], dict[str, Array]]
Count: TypeAlias = Callable[[Rows, float, float], dict[str, Array]]


def no_derived(rows: dict[str, Array]) -> dict[str, Array]:
    """Return ``rows``: the pane has no derived columns."""
    return rows


@dataclass(frozen=True, slots=True)
class EventTotals:
    """What events add up to, by the process that caused them or by container or unit."""

    called: str
    """What totals by process are called."""
    process_key: str
    start_key: str
    """The columns that name that process, and tell when it started."""
    who: tuple[str, ...]
    """The columns that tell of it, those two among them."""
    figures: tuple[Column, ...]
    """What there is of each; the first is what they are sorted by."""
    per_cgroup: tuple[Column, ...]
    """What there is besides of each container or unit."""
    count: Count
    """Pure: what one event adds to each of these, for events of which those between two moments (Unix time)
    are recent."""
    derive: Derive
    """As that of a pane."""


@dataclass(frozen=True, slots=True)
class Pane:
    """One question of an operator and how it is answered."""

    name: str
    question: str
    family: str
    """The program family: bpf/FAMILY.bpf.c."""
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns that identify a row from one interval to the next."""
    sort: str
    """The column a new view is sorted by."""
    compute: Compute
    """Pure: two Readings in, a Sample out."""
    derive: Derive = no_derived
    """Pure: adds the columns whose fold is DERIVED."""
    shape: Shape = Shape.TABLE
    chart: Chart | None = None
    groups: tuple[str, ...] = ()
    """The hook groups it cannot do without (all of the family's when empty)."""
    perf_events: Mapping[str, PerfEvent] = field(default_factory=dict)
    proc: tuple[str, ...] = ()
    """Files of /proc that compute needs beside the maps (``meminfo``)."""
    host_row: bool = False
    """Whether ``Frame.host`` is also a row of its own in JSON, with ``pid`` null."""
    resident: bool = True
    """False: runs only while it is looked at or recorded."""
    on_demand: tuple[str, ...] = ()
    """Hook groups that cost too much to be always on: attached when the view asks for them."""
    process_key: str = "pid"
    """The column that names the process; drill-down and per-process totals go by it."""
    start_key: str = START
    """The column that tells when that process started, if there is one."""
    counted: Column | None = None
    """What totals per process have besides: of how many rows each is."""
    event_totals: EventTotals | None = None
    """Of the shape EVENTS: what they add up to, if anything."""
    taken: str = ""
    """The column that tells who takes what others need (CPUs, disks, room in a cache): those stand on the
    screen of a process."""
    pressure: str = ""
    """What the kernel measures pressure of (PSI: cpu, io, memory) that this pane explains."""
    idle: str = "nothing in this interval"
    """What is said where an interval has no rows."""

    @property
    def has_processes(self) -> bool:
        """Whether its rows are of processes."""
        return any(column.name == self.process_key for column in self.columns)

    @property
    def has_cgroups(self) -> bool:
        """Whether its rows tell whose the process is."""
        return CGROUP in self.columns

    @property
    def is_by_process(self) -> bool:
        """Whether each process has one row, and each row one process."""
        return self.has_processes and set(self.key) - {self.start_key} == {self.process_key}

    @property
    def adds_up_per_process(self) -> bool:
        """Whether its rows can be added up: of a process or a parent, or stacks of one name."""
        return (
            self.shape is Shape.STACKS
            or self.event_totals is not None
            or (self.shape is Shape.TABLE and self.has_processes and not self.is_by_process)
        )

    @property
    def adds_up_per_cgroup(self) -> bool:
        """Whether its rows are of processes, and can be added up by whose those are."""
        return self.has_cgroups and (self.shape is not Shape.EVENTS or self.event_totals is not None)

    @property
    def hertz(self) -> int:
        """How many samples it takes in a second of a busy CPU; 0: it does not sample."""
        return max((event.frequency for event in self.perf_events.values()), default=0)

    @property
    def time(self) -> str:
        """The column that tells when an event happened; empty where rows are no events."""
        times = (column.name for column in self.columns if column.unit is Unit.TIME)
        return next(times, "") if self.shape is Shape.EVENTS else ""

    def column(self, name: str) -> Column:
        """Return the column called ``name``; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def fold(pane: Pane, rows: Rows, by: tuple[str, ...]) -> dict[str, Array]:
    """Return one row for each distinct value of the ``by`` columns, by each column's rule.

    Rows must be in the order of time: LAST takes the newest.  Columns that are
    neither in ``by`` nor foldable keep their newest value.
    """
    order, starts = group([rows[name] for name in by])
    ends = np.append(starts[1:], len(order)) - 1
    out: dict[str, Array] = {}
    for column in pane.columns:
        if column.name not in rows or column.derived:
            continue
        values = rows[column.name][order]
        if column.name in by or column.fold is Fold.LAST or not len(order):
            out[column.name] = values[ends] if len(order) else values
        elif column.fold is Fold.SUM:
            out[column.name] = np.add.reduceat(values, starts, axis=0)
        elif column.fold is Fold.MOST:
            out[column.name] = most_frequent(values, starts)
        else:
            out[column.name] = np.fmax.reduceat(values, starts, axis=0)
    return pane.derive(out)
