"""One pane on the live kernel: load, attach, sample; whatever fails is a state with a reason."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ktop.frame import Array, Facts, Frame, Reading, Rows, Sample, Status
from ktop.live import procfs
from ktop.losses import since
from ktop.pane import CGROUP, Pane
from ktop.perf_event import PerfEvent
from ktop.records import with_records_of

if TYPE_CHECKING:
    from ktop.kernel.cgroups import Cgroups
    from ktop.kernel.family import Family
    from ktop.kernel.perf import Watch


def completed(pane: Pane, rows: Rows, cgroups: Cgroups) -> dict[str, Array]:
    """Return ``rows`` from ``compute`` with names in place of cgroups' ids, and with the derived columns."""
    known = dict(rows)
    if pane.has_cgroups:
        known[CGROUP.name] = cgroups.labels(known[CGROUP.name])
    return pane.derive(known)


class LivePane:
    """A pane and its family; only the sampler's thread touches it."""

    def __init__(self, pane: Pane, perf_events: Mapping[str, PerfEvent], cgroups: Cgroups) -> None:
        """``perf_events`` stand in for the pane's own of the same name; ``cgroups`` is for all panes."""
        self.pane = pane
        self._cgroups = cgroups
        self.sharing: Sequence[LivePane] = (self,)
        """All panes on its family, itself too."""
        self.family: Family | None = None
        self.unavailable: str | None = None
        self.attached = False
        self.failed_reads = 0
        """In a row."""
        self.demanded: set[str] = set()
        self.log: list[str] = []
        """What libbpf and the verifier said; empty where all went well."""
        self._perf_events = {name: perf_events.get(name, own) for name, own in pane.perf_events.items()}
        self._refused: dict[str, str] = {}
        self._before: Reading | None = None
        """The last that a Frame speaks of."""
        self._untold: list[Reading] = []
        """Those since then, with nothing but what they took out of ring buffers."""
        self._cpus: Watch | None = None
        """Of a pane with perf events."""

    def bring_up(self, family: Family) -> None:
        """Attach what the pane needs; on failure it is unavailable with the kernel's reason."""
        from ktop.kernel.perf import Watch

        self.family = family
        self.log = family.log
        self._cpus = Watch() if self.pane.perf_events else None
        self._refused = dict(family.choice.refused)
        self.attached = True
        self._settle()
        variants = family.choice.variants
        needed = set(self.pane.groups or self.wanted())
        hooks = family.hooks
        needed |= {
            name
            for name, (first, *_) in variants.items()
            if hooks.is_iterator(first) and not hooks.is_walk(first)
        }
        missing = family.choice.missing()
        reasons = [missing[group] for group in needed if group in missing]
        reasons += [
            reason for name, reason in self._refused.items() if name in needed or name in self._perf_events
        ]
        if reasons:
            self.unavailable = "; ".join(dict.fromkeys(reasons))
            self.stand_down()

    def cpus_changed(self) -> bool:
        """Return whether CPUs came or went, and the pane's perf events are to be opened anew."""
        return self._cpus is not None and self._cpus.changed()

    def stand_down(self) -> None:
        """Detach what no other pane needs: nobody looks, or it has failed."""
        self.attached = False
        self.begin_anew()
        self._settle()

    def begin_anew(self) -> None:
        """Let the next Reading be the first."""
        self._before, self._untold = None, []
        if self.family is not None:
            self.family.begin_anew()

    def demand(self, group: str, on: bool) -> None:
        """Attach or detach one of the pane's ``on_demand`` groups."""
        (self.demanded.add if on else self.demanded.discard)(group)
        self._settle()

    def _settle(self) -> None:
        """Have on the family's hooks what its panes that are attached need, and nothing else."""
        if self.family is None:
            return
        attached = [live for live in self.sharing if live.attached]
        for live in attached:
            live.attach()
        # With the last pane its perf events go too.
        wanted = {group for live in attached for group in live.wanted()}
        self.family.hooks.detach(set(self.family.hooks.live()) - wanted if attached else None)

    def wanted(self) -> list[str]:
        """Return the hook groups it is to have: all but those that a pane of its family has on demand."""
        if self.family is None:
            return []
        optional = {group for live in self.sharing for group in live.pane.on_demand}
        optional -= self.demanded | set(self.pane.groups)
        return [group for group in self.family.choice.variants if group not in optional]

    def attach(self) -> None:
        """Attach what it is to have and does not have yet, and note what the kernel refuses."""
        from ktop.kernel.perf import EventRefusedError
        from ktop.kernel.reasons import explain

        if self.family is not None:
            taken = self.family.choice.taken()
            for group, error in self.family.hooks.attach(self.wanted(), self._perf_events).items():
                hook = taken.get(group, group)
                # An errno of perf events means other things than one of BPF.
                in_words = error.strerror if isinstance(error, EventRefusedError) else ""
                self._refused[group] = in_words or explain(error.errno or 0, hook)

    def read(self, proc: Iterable[str]) -> Reading:
        """Read the family's maps and these files of /proc; OSError when the kernel refuses."""
        if self.family is None:
            raise OSError(0, "not loaded")
        files = {name: procfs.numbers(name) for name in proc}
        # Last: what it takes out of ring buffers is nowhere else any more.
        maps, tails, losses = self.family.read()
        return Reading(time.monotonic_ns(), maps, tails, files, losses)

    def sample(self, reading: Reading, facts: Facts) -> Frame | None:
        """Return what happened since the last Reading of which it was returned; None at the first."""
        before = self._before
        if before is None:
            self._before = reading
            return None
        earlier = tuple(self._untold)
        # If this one fails, the next must have its records: the kernel has them no more.
        self._untold.append(replace(reading, maps={name: reading.maps[name] for name in reading.tails}))
        reading = with_records_of(earlier, reading)
        sample = self.pane.compute(before, reading, facts)
        rows = completed(self.pane, sample.rows, self._cgroups)
        frame = Frame(
            self.pane.name,
            time.time(),
            (reading.time_ns - before.time_ns) / 1e9,
            rows,
            sample.host,
            sample.histograms,
            replace(self.status(sample), losses={**since(before.losses, reading.losses), **sample.losses}),
        )
        self._before, self._untold = reading, []
        return frame

    def status(self, sample: Sample | None = None) -> Status:
        """Return what is live and what is not."""
        return Status(
            hooks=self.family.hooks.live() if self.family is not None else {},
            refused=dict(self._refused),
            unavailable=self.unavailable,
            unattributed_ratio=sample.unattributed_ratio if sample is not None else None,
        )

    def without_figures(self) -> Frame:
        """Return a Frame that says why there are none."""
        columns: dict[str, Array] = {column.name: np.zeros(0) for column in self.pane.columns}
        return Frame(self.pane.name, time.time(), math.nan, columns, status=self.status())
