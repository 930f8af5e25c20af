"""Events of perf_event_open(2) that a pane declares: what the CPU counts, or a clock that samples."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_HARDWARE, TYPE_SOFTWARE = 0, 1
"""``enum perf_type_id`` in the kernel's perf_event.h, as far as panes use it."""
HW_CACHE_REFERENCES, HW_CACHE_MISSES = 2, 3
"""``config`` of TYPE_HARDWARE: ``enum perf_hw_id``."""
SW_CPU_CLOCK, SW_PAGE_FAULTS = 0, 2
"""``config`` of TYPE_SOFTWARE: ``enum perf_sw_ids``."""


@dataclass(frozen=True, slots=True)
class PerfEvent:
    """A perf event on every CPU: attached to the program, or put in the map, of the same name.

    ``kind`` and ``config`` are perf_event_attr's ``type`` and ``config``.
    ``frequency`` in Hz for sampling, 0 for counting.
    """

    kind: int
    config: int
    frequency: int = 0
    exclude_idle: bool = False
    label: str = ""
