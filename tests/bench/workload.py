"""Question 2: how much other people's work slows down, beside libbpf-tools and bpftrace.

sudo .venv/bin/python -m tests.bench.workload
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import dataclass

from tests.bench import loads, mounts
from tests.bench.figures import Goal, Section, Spread, ratios, spread
from tests.bench.peers import APPLICATION, BPFTRACE, LIBBPF, Tool, running
from tests.bench.programs import measured

LOADS = {
    "context switches": loads.switches,
    "pipe": loads.pipes,
    "direct 4 KiB reads": loads.reads,
    "TCP, 64 bytes": loads.messages,
    "fork+exec": loads.execs,
}
ALONE = "nothing"
SCENES: dict[str, tuple[Tool, ...]] = {
    ALONE: (),
    "ktop": (APPLICATION,),
    "runqlat": LIBBPF["runqlat"],
    "libbpf-tools": tuple(tool for tools in LIBBPF.values() for tool in tools),
    "bpftrace": tuple(BPFTRACE.values()),
}
EVENTS_ONLY = ("context switches", "pipe", "TCP, 64 bytes")
"""Loads that are nothing but events that somebody watches."""
HARDLY = 1.02


@dataclass(slots=True)
class Rates:
    """Operations a second by load and scene, one value a round."""

    found: dict[tuple[str, str], list[float]]

    def slower(self, load: str, scene: str) -> Spread:
        """Return how many times slower ``load`` ran than alone, of the same round each."""
        return ratios(self.found[load, ALONE], self.found[load, scene])

    def noise(self, load: str) -> float:
        """Return how far apart, in per cent, two rounds of the load alone were in the middle."""
        alone = self.found[load, ALONE]
        middle = statistics.median(alone)
        return 100 * statistics.median(abs(rate - middle) for rate in alone) / middle


def rounds(number: int, seconds: float) -> Rates:
    """Run every load in every scene, interleaved."""
    rates = Rates({})
    for _ in range(number):
        for scene, tools in SCENES.items():
            with running(tools):
                for name, load in LOADS.items():
                    rates.found.setdefault((name, scene), []).append(load(seconds))
    return rates


def explained(seconds: float) -> dict[str, float]:
    """Return what share of all CPU time ktop's programs ran for, by load, in per cent."""
    shares = {}
    with running(SCENES["ktop"]) as (_, programs):
        for name, load in LOADS.items():
            begun = time.monotonic()
            with measured(programs) as costs:
                load(seconds)
            passed = (time.monotonic() - begun) * 1e9 * (os.cpu_count() or 1)
            shares[name] = 100 * sum(cost.total_ns for cost in costs) / passed
    return shares


def goals(rates: Rates, shares: dict[str, float]) -> list[Goal]:
    """Hold the issue's goals against what was found."""
    mine, theirs = (rates.slower("context switches", scene).median for scene in ("ktop", "runqlat"))
    found = [
        Goal(
            "context switches: all of ktop costs less than runqlat alone",
            f"{mine:.2f} and {theirs:.2f} times slower",
            mine < theirs,
            "every switch and wake-up is counted for its process too",
        )
    ]
    for load in LOADS:
        if load not in EVENTS_ONLY:
            slower = rates.slower(load, "ktop")
            found.append(
                Goal(
                    f"{load}: less than 2 % slower",
                    f"{100 * slower.median - 100:+.1f} % ({100 * slower.low - 100:+.1f} to "
                    f"{100 * slower.high - 100:+.1f})",
                    slower.median < HARDLY,
                    _why(rates, shares, load),
                )
            )
    return found


def _why(rates: Rates, shares: dict[str, float], load: str) -> str:
    """Return how much of an operation is ktop's programs, and how far measurements of it can be trusted."""
    each_us = 1e6 / statistics.median(rates.found[load, ALONE])
    own_us = 1e4 * shares[load] * (os.cpu_count() or 1) / statistics.median(rates.found[load, "ktop"])
    return (
        f"one takes {each_us:.0f} µs here, {own_us:.1f} µs of them in ktop's programs; rounds without a tool "
        f"differ by {rates.noise(load):.1f} % among themselves"
    )


def run(*, quick: bool = False) -> Section:
    """Measure everything."""
    mounts.prepare()
    number, seconds = (2, 1.0) if quick else (9, 2.0)
    rates = rounds(number, seconds)
    shares = explained(seconds)
    section = Section(
        "workload",
        "2. Slowdown of the workload",
        f"How many times slower each load runs than alone: medians (least to most) of {number} rounds of "
        f"{seconds:g} s, the scenes in turn within a round, each compared with the load alone in its own "
        "round. *ktop* is the application in a pseudo-terminal of 200x50, all panes live and profile in "
        "sight; *runqlat* is that libbpf-tool alone; *libbpf-tools* and *bpftrace* are those for the same "
        "questions that can run here, all at once.",
    )
    section.raw = {f"{load} | {scene}": values for (load, scene), values in rates.found.items()}
    section.commands = [f"{name}: {loads.command(load, seconds)}" for name, load in LOADS.items()]
    section.commands += [
        f"    {scene}: {tool.line}"
        for scene, tools in SCENES.items()
        if scene != "bpftrace"
        for tool in tools
    ]
    section.commands.append(f"    bpftrace: the {len(BPFTRACE)} programs of question 1, one process each")
    rows = [
        (
            load,
            spread(rates.found[load, ALONE]).text(0),
            *(rates.slower(load, scene).text(2) for scene in SCENES if scene != ALONE),
            f"{shares[load]:.1f} %",
        )
        for load in LOADS
    ]
    scenes = [f"with {scene}" for scene in SCENES if scene != ALONE]
    section.table(("load", "alone, a second", *scenes, "ktop's programs"), rows)
    section.note(
        "The last column is a figure without the host's noise: the share of all CPU time that the kernel "
        "counts for ktop's programs under that load, its own clock included, in a run apart. The calls into "
        "programs, their cache misses and ktop's reading are not in it."
    )
    section.goals = goals(rates, shares)
    for load in LOADS:
        medians = {scene: f"{rates.slower(load, scene).median:.2f}" for scene in SCENES if scene != ALONE}
        mine = medians.pop("ktop")
        others = ", ".join(
            f"{'all ' * (scene != 'runqlat')}{scene} {slower}" for scene, slower in medians.items()
        )
        section.short.append((f"times slower, {load}", mine, others))
    return section


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv).text())
