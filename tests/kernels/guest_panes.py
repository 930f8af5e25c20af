"""Every pane on the guest's kernel: the variants it ends on or why there is none; a tick; nothing left."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from ktop import registry
from ktop.frame import Frame
from ktop.kernel.choice import Choice
from ktop.live.sampler import Sampler
from ktop.pane import Pane
from tests import kernel_objects

SECONDS = 120


def visit(tell: Callable[..., None]) -> int:
    """Tell of each pane; return how many were defective: a reason is no defect, what is left behind is."""
    failed = 0
    for pane in registry.panes():
        before = kernel_objects.ids()
        try:
            record = look_at(pane)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others follow
            record = {"defect": f"{type(error).__name__}: {error}"}
        left = settle(before)
        if left:
            record["defect"] = f"left behind: {sorted(left)}"
        failed += "defect" in record
        tell("pane", pane=pane.name, **record)
    return failed


def look_at(pane: Pane) -> dict[str, Any]:
    """Return what one pane says when it is brought up as the application does, and ticks."""
    sampler = Sampler([pane], 0.5, everything=True)
    arrived: queue.Queue[Frame] = queue.Queue()
    sampler.start(arrived.put)
    try:
        deadline = time.monotonic() + SECONDS
        while True:
            frame = arrived.get(timeout=max(0.1, deadline - time.monotonic()))
            if frame.pane == pane.name:
                break
        if frame.status.unavailable:
            return {"unavailable": frame.status.unavailable, "log": sampler.logs()[pane.name][-40:]}
        family = sampler._panes[pane.name].family
        choice = family.choice if family else Choice({})
        if missing := choice.missing():
            return {"defect": f"not all hooks: {missing}", "log": sampler.logs()[pane.name][-40:]}
        return {"variants": choice.taken(), "refused": dict(frame.status.refused)}
    finally:
        sampler.stop()


def settle(before: set[int]) -> set[int]:
    """Return the programs that are still there a while later: the kernel frees them after a grace period."""
    deadline = time.monotonic() + 20
    while left := kernel_objects.ids() - before:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return left


if __name__ == "__main__":
    visit(lambda kind, **values: print(kind, values))
