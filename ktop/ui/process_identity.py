"""Who a process is: from /proc while it runs, else as far as panes have seen it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from ktop.format import NOT_MEASURED, args, clock, number, percent, size, span
from ktop.pane import START
from ktop.process import Process, read
from ktop.text import ELLIPSIS, escape, visible
from ktop.throttling import Limit, used_up
from ktop.ui.palette import Words

FACT_LINES = 3
CPU_NS = 500_000_000
"""What it uses of the CPUs is measured over as long at least: /proc counts in ticks of 10 ms."""
_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting, not interruptible",
    "T": "stopped",
    "t": "traced",
    "Z": "ended",
    "X": "ended",
    "I": "idle",
}


class Found(NamedTuple):
    """What can be found of a process at one moment."""

    process: Process | None
    """Whoever has its PID."""
    begun: dict[str, Any] | None
    """The last exec of it that was seen: what there is of one that ended at once."""
    starter: Process | None
    """Who started that, while it runs."""


class Seen(NamedTuple):
    """What the panes have of a process in its newest row."""

    ts: float = 0.0
    """Of when that is (Unix time); 0: none has a row."""
    comm: bytes = b"?"
    cgroup: bytes | None = None


def find(process: Process | None, begun: dict[str, Any] | None, *, recorded: bool) -> Found:
    """Return ``process`` and ``begun``, and who started it: of now, unless all this was ``recorded``."""
    starter = read(ppid) if (ppid := _known(begun, "ppid")) and not recorded else None
    # Who has that PID now, and began later, never started it.
    did = starter is not None and begun is not None and starter.start_ns <= begun.get(START, 0)
    return Found(process, begun, starter if did else None)


def _known(begun: dict[str, Any] | None, column: str) -> int:
    """Return ``column`` of who was ``begun``, as a PID; 0 where nobody knows: a recording may lack that."""
    value = begun.get(column) if begun is not None else None
    return 0 if value is None or value != value else int(value)  # noqa: PLR0124 - NaN


class Who:
    """What is known of one process; it stays when the process ends."""

    def __init__(self, start_ns: int | None, *, recorded: bool) -> None:
        """Know at most when it started (ns since boot)."""
        self.start_ns = start_ns
        self.process: Process | None = None
        """As it was last read."""
        self.ended: float | None = None
        """When it was found to have ended (Unix time)."""
        self._seen = Seen()
        self._recorded = recorded
        self._read_at = 0.0
        """When ``process`` was read (Unix time)."""
        self._before: Process | None = None
        """An earlier reading, from which on its CPU time is counted."""
        self._cpus: float | None = None
        """How many CPUs it kept busy between the last two of those."""
        self._used_up: Limit | None = None
        """The CPU limit that held it up meanwhile."""
        self._begun: dict[str, Any] | None = None
        self._starter: Process | None = None
        self._sampled = 0.0
        """When a pane last saw it, as far as has been looked at; 0: none did."""

    def take(self, found: Found, seen: Seen, *, at_all: bool) -> None:
        """Take what was ``found``, and what panes have ``seen``; ``at_all``: whether any has the process."""
        _, self._begun, self._starter = found
        self._follow(found.process, seen=at_all)
        self._seen = seen
        self._sampled = max(seen.ts, self._sampled)

    @property
    def comm(self) -> bytes:
        """Return its name: as it was last read, else as the panes have it."""
        return self.process.comm if self.process is not None else self._seen.comm

    def _follow(self, process: Process | None, *, seen: bool) -> None:
        """Keep who it is; the process has ended when it is gone or its PID is another's.

        One that is not there, and was not ``seen`` by any pane either, there never was.
        """
        if self._recorded:
            return
        start_ns = self.process.start_ns if self.process is not None else self.start_ns
        if process is None:
            over = seen or start_ns is not None
        else:
            over = process.state in "ZX" or not (start_ns is None or process.began_at(start_ns))
            if not over:
                self.process, self._read_at = process, time.time()
                self._count_cpus(process)
        if not over:
            self.ended = None  # it could not be read for a moment
        elif self.ended is None:
            self.ended = time.time()

    def _count_cpus(self, process: Process) -> None:
        """Keep what it uses of the CPUs, measured from an earlier reading."""
        if self._before is None:
            self._before = process
        elif process.read_ns - self._before.read_ns >= CPU_NS:
            self._cpus = process.cpus_since(self._before)
            self._used_up = used_up(self._before.limits, process.limits)
            self._before = process

    @property
    def parent(self) -> tuple[int, int | None]:
        """Return the PID of its parent, 0 where nobody knows, and when that started, if that is known."""
        ppid = self.process.ppid if self.process is not None else _known(self._begun, "ppid")
        # Whose parent ended has another one now.
        if self._starter is not None and self._starter.pid == ppid:
            return ppid, self._starter.start_ns
        same = ppid == _known(self._begun, "ppid")
        return ppid, (_known(self._begun, "parent_start_ns") or None) if same else None

    def lines(self, now: float, width: int, *, live: bool) -> list[Words]:
        """Return who it is, as far as it is known.

        ``now``: the moment looked at (Unix time); ``live``: whether that is the present.
        """
        process = self.process
        if process is None:
            facts = [*self._as_begun(), *self._as_seen()]
            why = wrap(self._why_unknown(live=live), width)
            return [*([(line, "muted")] for line in why), *_lines(facts, width)]
        age = now - process.started
        parent = f"{process.ppid} {visible(process.parent)}" if process.ppid else "none"
        facts = [
            (
                "command",
                args(process.argv) if process.argv else f"[{visible(process.comm)}], a kernel thread",
            ),
            ("user", f"{escape(process.user)} ({process.uid})"),
            ("parent", parent),
            ("cgroup", escape(process.cgroup)),
        ]
        if process.container:
            facts.append(("container", process.container))
        if self._used_up is not None and self.ended is None and live:
            path, cpus, periods, times = self._used_up
            limit = f"the {number(round(cpus, 3))} CPUs that {escape(path)} may use"
            facts.append(("throttled", f"in {times} of {periods} periods, by {limit}"))
        ago = f", {span(age)} ago" if age > 0 else ""
        facts.append(("started", clock(process.started) + ago))
        if self.ended is not None:
            facts.append(("ended", f"by {clock(self.ended)}"))
        return [*_lines(facts, width), *self._state(process, width, live=live)]

    def _why_unknown(self, *, live: bool) -> str:
        """Return why nobody can say who the process is."""
        if self._recorded:
            unknown = "user and memory" if self._begun is not None else "command line, user and memory"
            return f"A recording keeps what the panes saw of it, not its {unknown}."
        if self.ended is None:
            return "There is no process of this PID, and no pane has seen one."
        # Of what came after a moment that is held nothing has been looked at.
        seen = "last seen" if live else "still there"
        last = f" It was {seen} at {clock(self._sampled)}." if self._sampled else ""
        return "It ended before it could be looked at." + last

    def _as_begun(self) -> list[tuple[str, str]]:
        """Return who it was when it was started, as far as that was seen."""
        begun = self._begun
        if begun is None:
            return []
        comm = begun.get("parent_comm")
        if comm is None and self._starter is not None:
            comm = self._starter.comm
        name = visible(comm) if comm is not None else ""
        command = args(begun["argv"]) if begun["argv"] else NOT_MEASURED
        parent = f"{_known(begun, 'ppid') or NOT_MEASURED} {name}".rstrip()
        return [("command", command), ("parent", parent)]

    def _as_seen(self) -> list[tuple[str, str]]:
        """Return whose it is, as far as the panes know."""
        return [("cgroup", escape(self._seen.cgroup))] if self._seen.cgroup else []

    def _state(self, process: Process, width: int, *, live: bool) -> list[Words]:
        """Return what changes all the time, with the moment that it is of: not the one looked at."""
        now = self.ended is None and live
        memory = NOT_MEASURED if process.rss_bytes is None else size(process.rss_bytes)
        swapped = f" and {size(process.swap_bytes)} swapped" if process.swap_bytes else ""
        facts = (
            ("threads", number(process.threads)),
            ("memory", memory + swapped),
            ("cpu", self._busy(process)),
            ("state", _STATES.get(process.state, process.state)),
        )
        when = (
            [("now       ", "muted")] if now else [("last seen ", "muted"), (clock(self._read_at) + "  ", "")]
        )
        return _flowing(when, facts, width)

    def _busy(self, process: Process) -> str:
        """Return what it uses of the CPUs; until it was read twice, on average."""
        if self._cpus is not None:
            return f"{percent(self._cpus)} of one"
        whole = process.age_ns >= CPU_NS
        return f"{percent(process.cpus())} of one so far" if whole else NOT_MEASURED


def _lines(facts: Sequence[tuple[str, str]], width: int) -> list[Words]:
    return [line for name, value in facts for line in _fact(name, value, width)]


def _flowing(head: Words, facts: Sequence[tuple[str, str]], width: int) -> list[Words]:
    """Return ``head`` and behind it ``facts``, in as many lines as that takes."""
    lines = [[*head]]
    gap, room = "", width - sum(len(text) for text, _ in head)
    for name, value in facts:
        if len(f"{gap}{name} {value}") > room:
            lines.append([(" " * 10, "")])
            gap, room = "", width - 10
        lines[-1] += [(f"{gap}{name} ", "muted"), (value, "")]
        room -= len(f"{gap}{name} {value}")
        gap = "  "
    return [*lines]


def _fact(name: str, value: str, width: int) -> list[Words]:
    """Return ``name`` in its column and ``value`` beside it, in FACT_LINES lines at most."""
    lines = wrap(value, max(width - 10, 20), max_lines=FACT_LINES, placeholder=" " + ELLIPSIS) or [""]
    names = [f"{name:<10}", *[" " * 10] * (len(lines) - 1)]
    return [[(left, "muted"), (line, "")] for left, line in zip(names, lines, strict=True)]
