"""Where Frames come from: the live kernel (sampler) or a recording (replay)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ktop.frame import Frame

Publish: TypeAlias = Callable[[Frame], None]
"""Takes one Frame; called on the source's own thread, must not block."""

HOST = "host"
"""Name of the pseudo-pane whose Frames carry the header's figures in ``Frame.host``.

Keys (absent where the host has none): ``uptime_s load1 load5 load15 cpus`` (online)
``cpu_ratio memory_used_bytes memory_total_bytes swap_used_bytes pressure_cpu pressure_io
pressure_memory`` (PSI some avg10, 0 to 1) and ktop's own ``self_cpu_ratio``
(of one core), ``self_rss_bytes``, ``bpf_ratio`` (of one core; while measured).

One whose status is unavailable has no figures: it is the last word of a source that
fails where more Frames should have come (a damaged recording), and says why.
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which host the Frames speak of."""

    hostname: str
    kernel: str
    cpus: int
    """Online at the start; ``cpus`` in the HOST Frames are those of the moment."""
    recorded: bool = False
    all_processes: bool = True
    """Whether the tables have those of the whole host, and not only of a container's PID namespace."""
    recorded_s: float = 0.0
    """Of a recording, the interval that it was sampled at."""


class Source(Protocol):
    """What the application needs of a source; every call returns at once."""

    identity: Identity
    interval_s: float

    def start(self, publish: Publish) -> None:
        """Begin to publish Frames, the ones of ``look_at`` first."""

    def stop(self) -> None:
        """Stop and release everything in the kernel."""

    def look_at(self, panes: tuple[str, ...]) -> None:
        """Say which panes are on the screen: those that are not resident run only then."""

    def demand(self, pane: str, group: str, on: bool) -> None:
        """Attach or detach a hook group that runs on demand."""

    def set_interval(self, seconds: float) -> None:
        """Sample each ``seconds`` from now on."""

    def measure_cost(self, seconds: float) -> str | None:
        """Switch the kernel's BPF statistics on for that long; return why not, as a sentence.

        The figures are in the HOST Frames of that time.
        """
