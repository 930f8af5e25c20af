"""ns per event of ktop's programs beside Debian's libbpf-tools, in one run.

    sudo .venv/bin/python -m tests.bench.bench_probes

ktop's programs keep per-process data too; the peers keep a histogram of the host.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ktop.kernel.loader import load
from tests.bench.programs import Cost, measured

SECONDS = 3
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Match:
    """One family beside the tool that answers the same question."""

    family: str
    load: str
    """The workload; {dir} is a scratch directory."""
    ours: tuple[str, ...]
    """Programs whose cost an event pays, one run each; by the start of their names."""
    peer: str
    theirs: tuple[str, ...]
    goal: float


FIO = (
    "fio --name=x --directory={dir} --size=64m --rw=randread --bs=4k --direct=1"
    " --ioengine=libaio --iodepth=8 --time_based"
)
MATCHES = (
    Match(
        "sched",
        "stress-ng --switch 2 -t {seconds}",
        ("wakeup_", "switch_"),
        "runqlat",
        ("sched_wakeup", "sched_switch"),
        0.4,
    ),
    Match(
        "irq",
        FIO + " --runtime={seconds}",
        ("entry_", "exit_"),
        "hardirqs",
        ("irq_handler_ent", "irq_handler_exi"),
        0.3,
    ),
    Match(
        "block",
        FIO + " --runtime={seconds}",
        ("start_", "issue_", "complete_"),
        "biolatency",
        ("block_rq_issue", "block_rq_comple"),
        0.5,
    ),
)


def work(load: str) -> dict[str, Cost]:
    """Run the workload and return what every program cost meanwhile."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch, measured() as costs:
        command = load.format(dir=scratch, seconds=SECONDS).split()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return costs


def total(costs: dict[str, Cost], names: tuple[str, ...]) -> float:
    """Return ns per event: the sum of the programs that every event runs through."""
    found = [
        cost for name in names for cost in costs.values() if cost.name.startswith(name) and cost.runs > 1000
    ]
    return sum(cost.ns for cost in found) if found else float("nan")


def ours(match: Match) -> tuple[float, dict[str, Cost]]:
    """Measure ktop's family."""
    family = load(match.family)
    try:
        family.attach(family.choice.taken(), {})
        costs = work(match.load)
    finally:
        family.close()
    return total(costs, match.ours), costs


def theirs(match: Match) -> tuple[float, dict[str, Cost]]:
    """Measure the libbpf-tool."""
    tool = subprocess.Popen([match.peer, "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.5)
        costs = work(match.load)
    finally:
        tool.send_signal(signal.SIGINT)
        tool.wait()
    return total(costs, match.theirs), costs


def main() -> None:
    """Print medians and ratios."""
    print(f"{'family':8} {'ktop ns':>9} {'peer':>12} {'ns':>9} {'ratio':>7} {'goal':>6}")
    for match in MATCHES:
        if shutil.which(match.peer) is None:
            print(f"{match.family:8} {match.peer} is missing: apt install libbpf-tools")
            continue
        pairs = [(ours(match), theirs(match)) for _ in range(ROUNDS)]
        mine = statistics.median(pair[0][0] for pair in pairs)
        peer = statistics.median(pair[1][0] for pair in pairs)
        print(
            f"{match.family:8} {mine:9.1f} {match.peer:>12} {peer:9.1f} {mine / peer:7.2f} {match.goal:6.2f}"
        )
        for cost in pairs[-1][0][1].values():
            if cost.runs > 1000:
                print(f"           {cost.name:16} {cost.ns:8.1f} ns x {cost.runs}")


if __name__ == "__main__":
    main()
