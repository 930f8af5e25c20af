"""Programs that are started: by whom, with which arguments, and how they end."""

from __future__ import annotations

import errno

import numpy as np

from ktop.frame import Array, Facts, Reading, Rows, Sample
from ktop.pane import CGROUP, STARTED, Column, EventTotals, Fold, Pane, Shape, Unit
from ktop.records import identity
from ktop.stats import match, ratio

EXEC, FAILED, REPLACED, EXIT = range(4)
"""``enum kind`` in bpf/exec.bpf.c."""


def compute(_previous: Reading, current: Reading, facts: Facts) -> Sample:
    """Return the execs since the last Reading, and the ends of earlier ones, in order.

    The end of an exec that is in the same Reading is in its row; any other has
    a row of its own with the same key, what began it and ``argv`` None.
    """
    events = current.maps["events"]
    kind = events["kind"]
    begins = np.flatnonzero((kind == EXEC) | (kind == FAILED))
    ends = np.flatnonzero((kind == EXIT) | (kind == REPLACED))
    place = match(identity(events[begins], "exec_ns"), identity(events[ends], "exec_ns"))
    end = np.full(len(events), -1)
    end[begins[place[place >= 0]]] = ends[place >= 0]
    unmatched = ends[place < 0]
    end[unmatched] = unmatched
    rows = np.sort(np.concatenate([begins, unmatched]))

    begun, ended = events[rows], events[end[rows]]
    caller = begun["caller"]
    finished = end[rows] >= 0
    lasted = ended["end_ns"].astype(np.int64) - ended["exec_ns"].astype(np.int64)
    return Sample(
        {
            "ts": (begun["exec_ns"].astype(np.int64) + facts.boot_ns) / 1e9,
            "pid": begun["pid"],
            "ppid": caller["ppid"],
            "parent_comm": caller["parent_comm"],
            "comm": caller["comm"],
            "uid": caller["uid"],
            "argv": _arguments(begun, [current.tails["events"][row] for row in rows]),
            "truncated": begun["truncated"].astype(bool),
            "exit_code": np.where(finished & (ended["kind"] == EXIT), exit_code(ended["code"]), np.nan),
            "duration_s": np.where(finished, lasted / 1e9, np.nan),
            "error": _errors(begun),
            "cgroup": caller["cgroup"],
            "start_ns": begun["start_ns"],
            "parent_start_ns": caller["parent_start_ns"],
            "exec_ns": begun["exec_ns"],
        }
    )


def exit_code(status: Array) -> Array:
    """Return what a wait(2) status says, float64: the exit status, or minus the signal's number."""
    signal = status & 0x7F
    return np.where(signal > 0, -signal, status >> 8 & 0xFF).astype(np.float64)


def _arguments(begun: Array, tails: list[bytes]) -> Array:
    """Return the arguments, None where they could not be read and for ends: object, shape (rows,)."""
    known = ((begun["kind"] == EXEC) | (begun["kind"] == FAILED)) & (begun["unread"] == 0)
    out = np.empty(len(begun), dtype=object)
    for row in np.flatnonzero(known):
        out[row] = tails[row]
    return out


def _errors(begun: Array) -> Array:
    """Return the errno of failed execs by name, None of all others: object, shape (rows,)."""
    out = np.empty(len(begun), dtype=object)
    for row in np.flatnonzero(begun["kind"] == FAILED):
        code = -int(begun["code"][row])
        out[row] = errno.errorcode.get(code, str(code)).encode()
    return out


def count(rows: Rows, since: float, until: float) -> dict[str, Array]:
    """Return what each exec adds to the totals; ``failed`` only where any did: they need not be collected."""
    failed = np.array(list(map(bool, rows["error"].tolist())), dtype=bool)
    execs = ~failed
    recent = (rows["ts"] > since) & (rows["ts"] <= until)  # the clock can have been set back meanwhile
    ended = execs & ~np.isnan(rows["duration_s"])
    mostly = rows["comm"].astype(object)
    mostly[failed] = None  # it is the name of whoever tried
    counted = {
        "execs": execs.astype(np.int64),
        "execs_per_s": (execs & recent) / (until - since),
        "ended": ended.astype(np.int64),
        "total_s": np.where(ended, rows["duration_s"], 0.0),
        "mostly": mostly,
        "mostly_by": rows["parent_comm"],
        "latest": rows["argv"],
    }
    return {**counted, "failed": failed.astype(np.int64)} if failed.any() else counted


def derive_totals(rows: dict[str, Array]) -> dict[str, Array]:
    """Add the mean; where none has ended yet there is no sum either."""
    rows["avg_s"] = ratio(rows["total_s"], rows["ended"])
    rows["total_s"] = np.where(rows["ended"] > 0, rows["total_s"], np.nan)
    return rows


TOTALS = EventTotals(
    called="per parent",
    process_key="ppid",
    start_key="parent_start_ns",
    who=("ppid", "parent_comm", "parent_start_ns"),
    figures=(
        Column(
            "execs",
            "EXECS",
            Unit.COUNT,
            "Execs that succeeded, among those kept: since when these are stands above the table. Several "
            "of one process count each; what forks and executes nothing does not count.",
        ),
        Column(
            "execs_per_s",
            "EXECS/S",
            Unit.COUNT,
            "How many a second, in the last 10 s (the interval, if that is longer; the time of those kept, "
            "if that is shorter).",
        ),
        Column(
            "failed",
            "FAILED",
            Unit.COUNT,
            "Execs that failed, where any did while they were collected (x).",
            alarm=True,
        ),
        Column("avg_s", "AVG", Unit.SECONDS, "How long those lasted that ended: the mean.", Fold.DERIVED),
        Column("total_s", "TOTAL", Unit.SECONDS, "The same added up; many can run at once."),
        Column("mostly", "MOSTLY", Unit.TEXT, "The command most of them were.", Fold.MOST),
        Column(
            "latest",
            "LATEST",
            Unit.ARGS,
            "The arguments of the newest; of one that failed the path.",
            Fold.LAST,
            from_width=90,
        ),
        Column("ended", "ENDED", Unit.COUNT, "Those that have ended.", hidden=True),
    ),
    per_cgroup=(
        Column("mostly_by", "MOSTLY BY", Unit.TEXT, "What the parent of most of them is called.", Fold.MOST),
    ),
    count=count,
    derive=derive_totals,
)

PANE = Pane(
    name="execsnoop",
    question="What is being started, by whom, and how does it end?",
    family="exec",
    columns=(
        Column(
            "ts", "TIME", Unit.TIME, "When the program was started (exec succeeded or failed).", Fold.LAST
        ),
        Column("pid", "PID", Unit.NUMBER, "Process that runs the program.", Fold.LAST),
        Column("ppid", "PPID", Unit.NUMBER, "Its parent at that time.", Fold.LAST, from_width=80),
        Column(
            "parent_comm",
            "PARENT",
            Unit.TEXT,
            "Name of its parent at that time, as its main thread called itself. Where one program takes "
            "another's place (a shell's exec), the parent is the same before and after.",
            Fold.LAST,
            from_width=80,
            behind=True,
        ),
        Column("comm", "COMMAND", Unit.TEXT, "Name of the process just after exec.", Fold.LAST),
        Column(
            "uid",
            "UID",
            Unit.NUMBER,
            "Real user ID, as in the host's user namespace.",
            Fold.LAST,
            from_width=100,
        ),
        Column(
            "argv",
            "ARGUMENTS",
            Unit.ARGS,
            "All arguments, the program's own name first; of a script with its interpreter before it. "
            "Of a failed exec only the path.",
            Fold.LAST,
        ),
        Column(
            "truncated",
            "CUT",
            Unit.FLAG,
            "Whether the arguments are longer than the 4,096 bytes that are kept.",
            Fold.MAX,
            from_width=140,
            alarm=True,
        ),
        Column(
            "exit_code",
            "EXIT",
            Unit.NUMBER,
            "Exit status, or minus the number of the signal that ended it (-9: killed). "
            "Not known while it runs, nor where another exec in the same process took its place.",
            Fold.LAST,
            alarm=True,
        ),
        Column(
            "duration_s",
            "LASTED",
            Unit.SECONDS,
            "From exec to when the process (its last thread) begins to end, or to its next exec; giving "
            "a lot of memory back can take seconds more.",
            Fold.LAST,
        ),
        Column(
            "error",
            "ERROR",
            Unit.TEXT,
            "Why exec failed. Failed execs are collected only on demand, for that slows every system call; "
            "meanwhile their number, in the last interval and among the events kept, stands above the table. "
            "A search through PATH fails once a directory.",
            Fold.LAST,
            alarm=True,
            on_demand="failed",
        ),
        CGROUP,
        STARTED,
        Column("exec_ns", "EXEC", Unit.NUMBER, "Time of exec, ns since boot.", Fold.LAST, hidden=True),
        Column(
            "parent_start_ns",
            "PARENT'S START",
            Unit.NUMBER,
            "Start of its parent, ns since boot.",
            Fold.LAST,
            hidden=True,
        ),
    ),
    key=("pid", "start_ns", "exec_ns"),
    sort="ts",
    compute=compute,
    shape=Shape.EVENTS,
    groups=("exec", "exit"),
    on_demand=("failed",),
    event_totals=TOTALS,
)
