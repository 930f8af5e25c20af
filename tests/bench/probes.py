"""Question 1: ns per event of each pane's programs, beside libbpf-tools and bpftrace.

sudo .venv/bin/python -m tests.bench.probes
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from tests.bench import loads, mounts
from tests.bench.figures import Goal, Section, Spread, spread
from tests.bench.peers import BPFTRACE, HOST_CACHE, LIBBPF, REFUSED, Tool, ktop, refusal, running
from tests.bench.programs import Cost, measured, nothing_at

GOAL = 0.4
QUOTED = ("runqlat", "biotop", "tcptop", "hardirqs")
FEWEST_RUNS = 20
"""A program that ran less often is not the event's."""

Hooks = tuple[str, ...]
"""What an event runs through: of each hook the beginning of the name of the program on it."""


@dataclass(frozen=True, slots=True)
class Match:
    """One pane's programs beside those that answer the same question."""

    pane: str
    event: str
    load: loads.Load
    empty: str
    """The tracepoint for the program that does nothing."""
    ours: Hooks
    libbpf: Hooks = ()
    bpftrace: Hooks = ()
    reason: str = ""
    """Why the goal is missed where it is."""


MATCHES = (
    Match(
        "runqlat",
        "one wake-up and one switch",
        loads.switches,
        "sched_switch",
        ("wakeup__", "switch__"),
        ("sched_wakeup", "sched_switch"),
        ("sched_wakeup", "sched_switch"),
    ),
    Match(
        "biotop",
        "start and end of one I/O",
        loads.deep_reads,
        "block_rq_complete",
        ("start__", "complete__"),
        ("block_rq_issue", "block_rq_comple"),
        ("block_rq_issue", "block_rq_comple"),
        "every I/O is charged to who began it (PID, disk, bytes, histogram), found by its bio's owner; "
        "biolatency keeps one histogram for the host",
    ),
    Match(
        "tcptop",
        "one send and one receive",
        loads.stream,
        "sock_send_length",
        ("send__", "receive__"),
        bpftrace=("sock_send_lengt", "sock_recv_lengt"),
    ),
    Match(
        "cachestat",
        "one read, one page added, one dirtied",
        loads.cached,
        "mm_filemap_get_pages",
        ("access__", "add__", "dirty__"),
        bpftrace=("mm_filemap_get_", "mm_filemap_add_", "writeback_dirty"),
        reason="of each page is found out whether it is there and who asked; bpftrace adds up a number",
    ),
    Match(
        "hardirqs",
        "entry and exit of one handler",
        loads.deep_reads,
        "irq_handler_entry",
        ("entry__", "exit__"),
        ("irq_handler_ent", "irq_handler_exi"),
        ("irq_handler_ent", "irq_handler_exi"),
        "two clock reads are most of what is left",
    ),
    Match(
        "execsnoop",
        "one exec, and the process's end",
        loads.execs,
        "sched_process_exec",
        ("exec__", "exit__"),
        ("tracepoint__sys", "sched_process_e"),
        ("sys_enter_execv", "sched_process_e"),
    ),
    Match(
        "profile",
        "one sample with both stacks",
        loads.burn,
        "sched_switch",
        ("sample",),
        bpftrace=("49",),
        reason="walking the two stacks, which the kernel does for either, is nearly all of it",
    ),
)


def per_event(costs: list[Cost], hooks: Hooks) -> tuple[float, int]:
    """Return (ns an event runs through, in how many programs); NaN where a hook has none."""
    total, programs = 0.0, 0
    for beginning in hooks:
        found = [cost for cost in costs if cost.name.startswith(beginning) and cost.runs >= FEWEST_RUNS]
        if not found:
            return float("nan"), 0
        # Variants of one hook (wakeup and wakeup_new) are one program to an event: the busiest counts.
        # Names are cut at 15 bytes: of the same name (enter and exit of execve) are different hooks.
        busiest = max(found, key=lambda cost: cost.runs).name
        same = [cost for cost in found if cost.name == busiest]
        total += sum(cost.ns for cost in same)
        programs += len(same)
    return total, programs


NO_PEERS = {"ktop", "nothing", "host only"}


@dataclass(slots=True)
class Found:
    """What the rounds gave for one pane, ns per event by tool."""

    raw: dict[str, list[float]]
    net: dict[str, list[float]]


def tools(match: Match) -> dict[str, tuple[tuple[Tool, ...], Hooks]]:
    """Return ktop and the peers for one pane, by what the table calls them, with their hooks."""
    found: dict[str, tuple[tuple[Tool, ...], Hooks]] = {"ktop": ((ktop(match.pane),), match.ours)}
    if match.libbpf:
        found["libbpf-tools"] = LIBBPF[match.pane], match.libbpf
    if match.bpftrace:
        found["bpftrace"] = (BPFTRACE[match.pane],), match.bpftrace
    if match.pane == "runqlat":  # the one peer that keeps a histogram for each process, too
        found["runqlat -P"] = (Tool("runqlat -P", ("runqlat", "-P", "1")),), match.libbpf
    if match.pane == "cachestat":
        found["host only"] = (HOST_CACHE,), match.bpftrace
    return found


def one_round(match: Match, seconds: float, found: Found) -> None:
    """Measure what nothing costs, then ktop and each peer."""
    with nothing_at(match.empty) as mine, measured(mine) as costs:
        match.load(seconds)
    nothing = costs[0].ns if costs else float("nan")
    found.raw.setdefault("nothing", []).append(nothing)
    for name, (commands, hooks) in tools(match).items():
        with running(commands) as (_, programs), measured(programs) as costs:
            match.load(seconds)
        ns, number = per_event(costs, hooks)
        found.raw.setdefault(name, []).append(ns)
        found.net.setdefault(name, []).append(ns - number * nothing)


def best(found: Found) -> tuple[str, Spread, Spread]:
    """Return the cheapest peer and ktop's share of it, raw and net; NaN where there is none."""
    peers = {name: spread(values) for name, values in found.raw.items() if name not in NO_PEERS}
    peers = {name: each for name, each in peers.items() if each.median == each.median}
    if not peers:
        return "", spread([]), spread([])
    name = min(peers, key=lambda each: peers[each].median)
    shares = [
        spread([mine / theirs for mine, theirs in zip(kind["ktop"], kind[name], strict=True)])
        for kind in (found.raw, found.net)
    ]
    return name, shares[0], shares[1]


def quote(match: Match, found: Found) -> tuple[str, str, str]:
    """Return what is worth quoting of one pane."""
    peers = {name: spread(values).median for name, values in found.raw.items() if name not in NO_PEERS}
    others = ", ".join(f"{name} {ns:.0f}" for name, ns in peers.items() if not math.isnan(ns))
    return f"ns of programs, {match.event}", f"{spread(found.raw['ktop']).median:.0f}", others


def goal(match: Match, peer: str, raw: Spread, net: Spread) -> Goal:
    """Hold one pane against the issue's goal."""
    asked = f"{match.pane}: at most {GOAL:g} times the best peer"
    if not peer:
        return Goal(asked, "no peer runs here", reached=False, reason="nothing to compare with")
    reason = match.reason
    if net.median <= GOAL:
        reason = f"reached net of the statistics' own share; {reason}".removesuffix("; ")
    found = f"{raw.median:.2f} times {peer}, net {net.median:.2f}"
    return Goal(asked, found, raw.median <= GOAL, reason)


def run(*, quick: bool = False) -> Section:
    """Measure everything."""
    mounts.prepare()
    rounds, seconds = (1, 1.0) if quick else (3, 2.0)
    results = {match.pane: Found({}, {}) for match in MATCHES}
    for _ in range(rounds):
        for match in MATCHES:
            one_round(match, seconds, results[match.pane])
    section = Section(
        "probes",
        "1. Probe cost",
        "The kernel's own `run_time_ns / run_cnt`, added up over the programs that one event runs through; "
        f"{rounds} rounds of nothing, ktop, libbpf-tools, bpftrace in turn. The statistics' clock is part "
        "of these figures: a program that does nothing, on the same hook under the same load, tells how "
        "much (*nothing*, for one program). *Net* is without it. The dispatch of a program is in neither, "
        "and dearer for peers on perf tracepoints; question 2 has it.",
    )
    section.raw = {pane: {"raw": found.raw, "net": found.net} for pane, found in results.items()}
    for match in MATCHES:
        section.commands.append(f"{match.pane}: {loads.command(match.load, seconds)}")
        for commands, _ in list(tools(match).values())[1:]:
            section.commands += [f"    {tool.line}" for tool in commands]
    header = ("pane, event", "nothing", "ktop", "libbpf-tools", "bpftrace", "ktop / best peer", "net")
    rows = []
    for match in MATCHES:
        found = results[match.pane]
        cells = [
            spread(found.raw.get(name, [])).text(0)
            for name in ("nothing", "ktop", "libbpf-tools", "bpftrace")
        ]
        peer, raw, net = best(found)
        rows.append((f"{match.pane}: {match.event}", *cells, raw.text(2), net.text(2)))
        section.goals.append(goal(match, peer, raw, net))
    section.short = [quote(match, results[match.pane]) for match in MATCHES if match.pane in QUOTED]
    section.table(header, rows)
    per_process = results["runqlat"].raw
    shares = [a / b for a, b in zip(per_process["ktop"], per_process["runqlat -P"], strict=True)]
    section.note(
        "ns per event: median (least to most). All of ktop's figures include per-process data. Of the peers "
        f"only `runqlat -P` has the like, at {spread(per_process['runqlat -P']).text(0)} ns: ktop costs "
        f"{spread(shares).median:.2f} of that."
    )
    section.note(
        "bpftrace's cachestat is by process, as ktop's; only counting for the host costs it "
        f"{spread(results['cachestat'].raw['host only']).text(0)} ns. libbpf-tools' execsnoop tells no ends: "
        "exitsnoop runs beside it."
    )
    section.note("Peers that cannot run on this kernel, and what they print:")
    section.table(("tool", "its first complaint"), refused(), text=True)
    return section


def refused() -> list[tuple[str, str]]:
    """Try the tools that need what this kernel may not have."""
    tried = (
        *((f"libbpf-tools {tool.name}", tool) for tool in REFUSED),
        *(
            (f"bcc {name}", Tool(name, (f"{name}-bpfcc", "1", "1")))
            for name in ("tcptop", "cachestat", "biolatency")
        ),
        ("bcc llcstat", Tool("llcstat", ("llcstat-bpfcc", "1"))),
        ("bpftrace kprobe", Tool("kprobe", ("bpftrace", "-e", "kprobe:tcp_sendmsg { @ = count(); }"))),
        ("bpftrace kfunc", Tool("kfunc", ("bpftrace", "-e", "kfunc:tcp_sendmsg { @ = count(); }"))),
        (
            "bpftrace hardware",
            Tool("hardware", ("bpftrace", "-e", "hardware:cache-misses:10000 { @ = count(); }")),
        ),
        (
            "bpftrace rawtracepoint",
            Tool("raw", ("bpftrace", "-e", "rawtracepoint:sched_switch { @ = count(); }")),
        ),
    )
    return [(name, f"`{said}`") for name, tool in tried if (said := refusal(tool))]


if __name__ == "__main__":
    print(run(quick="--quick" in sys.argv).text())
