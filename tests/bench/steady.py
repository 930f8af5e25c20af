"""Question 4: CPU and memory at one figure a second, each pane of ktop in sight in turn, beside the others.

sudo .venv/bin/python -m tests.bench.steady
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ktop import registry
from tests.bench import crowd, mounts
from tests.bench.figures import Goal, Section, Spread, ratios, spread
from tests.bench.peers import BPFTRACE, LIBBPF, Tool, ktop, running
from tests.bench.pty_app import KTOP, PtyApp, cpu_s, memory_mib

PROCESSES, CONNECTIONS = 8_000, 10_000
SETTLE_S = 4.0
FULL_S = 240.0
"""Until the heatmap is full and the first minutes of the history are packed."""
HTOP, ALL = "htop", "ktop run, all panes"
FULL = f"ktop, runqlat in sight since {FULL_S / 60:g} minutes"
BUSY_PANES = ("runqlat", "tcptop")
"""The panes with most rows when there are many processes and connections."""
_HEAD = ("", "CPU %", "MiB", "KiB/s")
CPU_GOAL, MEMORY_GOAL = 1.0, 75.0


@dataclass(frozen=True, slots=True)
class Running:
    """What a scene has started."""

    pids: list[int]
    sent: Callable[[], int] | None = None
    """How many bytes its terminal got so far; None without a terminal."""


Scene = Callable[[], AbstractContextManager[Running]]
"""Starts something."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one scene used."""

    cpu: float
    """Per cent of one core."""
    mib: float
    """Resident, added up over its processes."""
    kib: float | None
    """Sent to the terminal each second; None without one."""


@contextlib.contextmanager
def _in_terminal(*command: str, mark: bytes) -> Iterator[Running]:
    with PtyApp(command) as app:
        app.wait_for(mark)
        yield Running([app.process.pid], lambda: app.sent)
        if app.process.poll() is not None:
            raise RuntimeError(f"it ended: {app.output[-2000:].decode(errors='replace')}")


@contextlib.contextmanager
def _side_by_side(tools: tuple[Tool, ...]) -> Iterator[Running]:
    with running(tools) as (pids, _):
        yield Running(pids)


def _pane(name: str) -> Scene:
    return lambda: _in_terminal(*KTOP, "--pane", name, mark=b"quit")


def scenes(panes: tuple[str, ...]) -> dict[str, Scene]:
    """Return what is measured: ktop with each of ``panes`` in sight, without a screen, and the others."""
    libbpf = tuple(tool for tools in LIBBPF.values() for tool in tools)
    return {
        **{f"ktop, {name} in sight": _pane(name) for name in panes},
        ALL: lambda: _side_by_side((ktop(*registry.names()),)),
        HTOP: lambda: _in_terminal("htop", "-d", "10", mark=b"Load average"),
        "libbpf-tools side by side": lambda: _side_by_side(libbpf),
        "bpftrace side by side": lambda: _side_by_side(tuple(BPFTRACE.values())),
    }


def use(scene: Scene, seconds: float, settle: float = SETTLE_S) -> Use:
    """Measure one scene once, after it has settled."""
    with scene() as what:
        time.sleep(settle)
        sent = what.sent() if what.sent is not None else 0
        begun, used = time.monotonic(), sum(map(cpu_s, what.pids))
        time.sleep(seconds)
        took = time.monotonic() - begun
        cpu = 100 * (sum(map(cpu_s, what.pids)) - used) / took
        kib = (what.sent() - sent) / took / 1024 if what.sent is not None else None
        return Use(cpu, sum(memory_mib(pid, "VmRSS") for pid in what.pids), kib)


def measure(chosen: dict[str, Scene], rounds: int, seconds: float) -> dict[str, list[Use]]:
    """Measure the scenes in turn."""
    found: dict[str, list[Use]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, scene in chosen.items():
            found[name].append(use(scene, seconds))
    return found


def rows(found: dict[str, list[Use]]) -> list[tuple[str, ...]]:
    """Return the lines of a table."""
    lines = []
    for name, uses in found.items():
        sent = [one.kib for one in uses if one.kib is not None]
        figures = ([one.cpu for one in uses], 2), ([one.mib for one in uses], 0), (sent, 1)
        texts = (spread(values).text(digits) if values else "\u2013" for values, digits in figures)
        lines.append((name, *texts))
    return lines


def cpu(found: dict[str, list[Use]], name: str) -> Spread:
    """Return the CPU of one scene."""
    return spread([one.cpu for one in found[name]])


def run(*, quick: bool = False) -> Section:
    """Measure everything."""
    mounts.prepare()
    rounds, seconds = (1, 3.0) if quick else (2, 6.0)
    processes, connections = (1000, 1000) if quick else (PROCESSES, CONNECTIONS)
    idle = measure(scenes(registry.names()), rounds, seconds)
    idle[FULL] = [use(_pane("runqlat"), 5 * seconds, SETTLE_S if quick else FULL_S)]
    with crowd.sleepers(processes), crowd.connections(connections) as helpers:
        crowd.talk(helpers)
        busy = measure(scenes(BUSY_PANES), rounds, seconds)
    section = Section(
        "steady",
        "4. Steady state",
        f"User-space CPU (per cent of one core) and resident memory at one figure a second over {seconds:g} "
        f"s, {rounds} rounds in turn. ktop and htop in a pseudo-terminal of 200x50, the rest writing to "
        "/dev/null; of several processes the sums. KiB/s is what the terminal gets. "
        "What programs cost those who run into them is question 2.",
        ["ktop --pane NAME", "htop -d 10", ktop(*registry.names()).line, "the tools of question 2"],
    )
    section.raw = {
        title: {name: [(one.cpu, one.mib, one.kib) for one in uses] for name, uses in found.items()}
        for title, found in (("idle", idle), ("crowd", busy))
    }
    section.note("The host as it is:")
    section.table(_HEAD, rows(idle))
    section.note(f"With {processes:,} sleeping processes and {connections:,} open loopback connections more:")
    section.table(_HEAD, rows(busy))
    section.goals = goals(idle, busy, processes)
    section.short = [
        quote("the host as it is", idle),
        quote(f"{processes:,} processes and {connections:,} connections more", busy),
    ]
    return section


def quote(where: str, found: dict[str, list[Use]]) -> tuple[str, str, str]:
    """Return what is worth quoting of one table: ktop's dearest pane, and the others."""
    shown = max((name for name in found if " in sight" in name), key=lambda name: cpu(found, name).median)

    def text(name: str) -> str:
        return f"{cpu(found, name).median:.2f} %, {spread([one.mib for one in found[name]]).median:.0f} MiB"

    others = ", ".join(f"{name} {text(name)}" for name in (HTOP, *(name for name in found if "side" in name)))
    return f"CPU and memory, {where}", f"{text(shown)} ({shown.removeprefix('ktop, ')})", others


def goals(idle: dict[str, list[Use]], busy: dict[str, list[Use]], processes: int) -> list[Goal]:
    """Hold the goals against what was found."""
    shown = [name for name in idle if " in sight" in name]
    dearest = max(shown, key=lambda name: cpu(idle, name).median)
    largest = max(
        (name for name in shown if "profile" not in name), key=lambda name: max(one.mib for one in idle[name])
    )
    memory = max(one.mib for one in idle[largest])
    crowded = max(
        (name for name in busy if name.endswith("in sight")), key=lambda name: cpu(busy, name).median
    )
    share = ratios([one.cpu for one in busy[crowded]], [one.cpu for one in busy[HTOP]])
    return [
        Goal(
            f"with {processes:,} processes ktop uses less CPU than htop",
            f"{cpu(busy, crowded).median:.2f} and {cpu(busy, HTOP).median:.2f} %, {share.text(2)} times",
            share.median < 1,
        ),
        Goal(
            f"idle host: at most {CPU_GOAL:g} % of a core, whichever pane is in sight",
            f"at most {cpu(idle, dearest).median:.2f} % ({dearest})",
            cpu(idle, dearest).median <= CPU_GOAL,
            "profile samples, names and draws stacks only while it is looked at"
            if "profile" in dearest
            else "reading the kernel takes a third of it, drawing 200x50 cells anew the rest",
        ),
        Goal(
            f"at most {MEMORY_GOAL:g} MiB resident without bcc",
            f"{memory:.0f} MiB ({largest})",
            memory <= MEMORY_GOAL,
        ),
    ]


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv).text())
