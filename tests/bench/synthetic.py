"""What a tick would compute on hosts that cannot be had here: Readings of this one, made larger."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from ktop import registry
from ktop.frame import Array, Facts, Reading
from ktop.kernel import facts
from ktop.kernel.cgroups import Cgroups
from ktop.kernel.loader import load
from ktop.live.live_pane import LivePane
from tests.bench import loads

REPEATS = 15
PROCESSES_A_DISK = 8
BY_CPU = ("latency", "totals", "host", "interrupts", "cpus")
"""Maps that have an element for each CPU."""
PANES = ("runqlat", "biotop", "cachestat", "hardirqs", "llcstat")


def readings(name: str) -> tuple[Reading, Reading]:
    """Return two Readings of a pane, with disk I/O between them."""
    pane = registry.get(name)
    family = load(pane.family, {"page_size": facts.for_compute().page_size})
    live = LivePane(pane, {}, Cgroups())
    try:
        live.bring_up(family)
        loads.deep_reads(0.5)
        before = live.read(pane.proc)
        loads.deep_reads(0.5)
        return before, live.read(pane.proc)
    finally:
        family.close()


def with_cpus(reading: Reading, number: int) -> Reading:
    """Return ``reading`` as of a host with so many CPUs, each like one of this host's."""
    maps = {
        name: np.resize(array, number) if name in BY_CPU else array for name, array in reading.maps.items()
    }
    return replace(reading, maps=maps)


def with_disks(reading: Reading, number: int) -> Reading:
    """Return ``reading`` as of so many disks with some processes each, all doing what one did here."""
    entries = np.resize(reading.maps["issuers"], number * PROCESSES_A_DISK)
    entries["key"]["pid"] = np.arange(len(entries)) % PROCESSES_A_DISK + 1
    entries["key"]["dev"] = np.arange(len(entries)) // PROCESSES_A_DISK + 1
    return replace(reading, maps={**reading.maps, "issuers": entries})


def cost_ms(name: str, before: Reading, after: Reading) -> list[float]:
    """Return what copying the maps and computing the rows takes, in ms of CPU time, some times over."""
    pane, taken = registry.get(name), []
    for _ in range(REPEATS):
        start = time.thread_time()
        maps: dict[str, Array] = {key: array.copy() for key, array in after.maps.items()}
        sample = pane.compute(before, replace(after, maps=maps), Facts())
        pane.derive(dict(sample.rows))
        taken.append(1e3 * (time.thread_time() - start))
    return taken


def by_cpus(numbers: tuple[int, ...]) -> dict[int, dict[str, list[float]]]:
    """Return the cost in ms of each pane with an element a CPU, by number of CPUs."""
    taken = {name: readings(name) for name in PANES}
    return {
        number: {
            name: cost_ms(name, with_cpus(before, number), with_cpus(after, number))
            for name, (before, after) in taken.items()
        }
        for number in numbers
    }


def by_disks(numbers: tuple[int, ...]) -> dict[int, list[float]]:
    """Return biotop's cost in ms by number of disks."""
    before, after = readings("biotop")
    # Whoever did something here; what it had done before is what all had.
    grown = after.maps["issuers"][np.argsort(after.maps["issuers"]["value"]["total_ns"])[-1:]]
    had = grown.copy()
    had["value"]["total_ns"] = 0
    had["value"]["slots"] = 0
    before = replace(before, maps={**before.maps, "issuers": had})
    after = replace(after, maps={**after.maps, "issuers": grown})
    return {
        number: cost_ms("biotop", with_disks(before, number), with_disks(after, number)) for number in numbers
    }
