"""On-CPU stacks, sampled: where the CPU time goes."""

from __future__ import annotations

import numpy as np

from ktop.frame import Array, Facts, Reading, Sample
from ktop.pane import CGROUP, COMMAND, STARTED, Column, Fold, Pane, Shape, Unit
from ktop.perf_event import SW_CPU_CLOCK, TYPE_SOFTWARE, PerfEvent

HERTZ = 49
"""Out of step with everything that runs 50 or 100 times a second."""


def compute(_previous: Reading, current: Reading, _facts: Facts) -> Sample:
    """Return the samples since the last Reading by process and stack.

    ``user_stack`` and ``kernel_stack`` hold tuples of addresses, outermost
    first, None where the stack could not be read; ``ktop.kernel.symbols``
    names them before any consumer sees the Frame.
    """
    samples, stacks = current.maps["samples"], current.tails["samples"]
    counts: dict[tuple[object, ...], int] = {}
    newest: list[int] = []
    number: list[int] = []
    names = ("pid", "start_ns", "exec_id", "kernel_bytes", "user_bytes")
    identities = zip(*(samples[name].tolist() for name in names), stacks, strict=True)
    for index, identity in enumerate(identities):
        row = counts.setdefault(identity, len(counts))
        if row == len(newest):
            newest.append(index)
            number.append(1)
        else:
            newest[row] = index
            number[row] += 1
    rows = samples[newest]
    user, kernel = np.empty(len(rows), dtype=object), np.empty(len(rows), dtype=object)
    for row, index in enumerate(newest):
        size = max(int(rows["kernel_bytes"][row]), 0)
        if rows["kernel_bytes"][row] >= 0:
            kernel[row] = _addresses(stacks[index][:size])
        if rows["user_bytes"][row] >= 0:
            user[row] = _addresses(stacks[index][size:])
    return Sample(
        {
            "pid": rows["pid"],
            "comm": rows["comm"],
            "samples": np.array(number, dtype=np.int64),
            "user_stack": user,
            "kernel_stack": kernel,
            "cgroup": rows["cgroup"],
            "start_ns": rows["start_ns"],
            "exec_id": rows["exec_id"],
        }
    )


def _addresses(stack: bytes) -> tuple[int, ...]:
    """Return the addresses that the kernel wrote innermost first."""
    addresses: Array = np.frombuffer(stack, dtype=np.uint64)[::-1]
    return tuple(addresses.tolist())


PANE = Pane(
    name="profile",
    question="Which code uses the CPU?",
    family="profile",
    columns=(
        Column("pid", "PID", Unit.NUMBER, "Process (thread group) that was on a CPU.", Fold.LAST),
        COMMAND,
        Column(
            "samples",
            "SAMPLES",
            Unit.COUNT,
            f"Times it was met with this stack, looking {HERTZ} times a second on every CPU that is not "
            "idle. A clock interrupt looks: where interrupts are off, it comes as soon as they are on again.",
        ),
        Column(
            "user_stack",
            "USER STACK",
            Unit.STACK,
            "Functions in user space, the innermost last; code built without frame pointers hides its "
            "callers. [name]: somewhere in that file, which has no symbols; [unknown]: the process had "
            "ended before its symbols were read, or the code was generated.",
            Fold.LAST,
        ),
        Column(
            "kernel_stack",
            "KERNEL STACK",
            Unit.STACK,
            "Functions in the kernel, the innermost last; empty while the process ran in user space.",
            Fold.LAST,
        ),
        CGROUP,
        STARTED,
        Column("exec_id", "EXEC", Unit.NUMBER, "Changes with the address space.", Fold.LAST, hidden=True),
    ),
    key=("pid", "start_ns", "user_stack", "kernel_stack"),
    sort="samples",
    compute=compute,
    shape=Shape.STACKS,
    perf_events={
        # Not by CPU cycles: so many a second of these come from every CPU, however little it does.
        "sample": PerfEvent(
            TYPE_SOFTWARE, SW_CPU_CLOCK, HERTZ, exclude_idle=True, label=f"CPU clock, {HERTZ} Hz"
        )
    },
    resident=False,
)
