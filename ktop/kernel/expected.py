"""How much there will be at once of what a family keeps: what to make room for when it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

LINES = Path("/proc/irq")
"""A directory for each line."""
_NAMES = 4096
"""Names of handlers that irq.bpf.c has room for by itself."""


def sizes(family: str) -> dict[str, int]:
    """Return how many values are expected, by map: in slots, and where the room declared may be too little.

    No map where that cannot be told.
    """
    count = _BY_FAMILY.get(family)
    return count() if count is not None else {}


def _tcp() -> dict[str, int]:
    try:
        counts = Path("/proc/net/sockstat").read_text(encoding="ascii")
    except OSError:
        return {}
    # Of all network namespaces, unlike the ones beside it.
    allocated = re.search(r"^TCP:.* alloc (\d+)", counts, re.MULTILINE)
    return {"connections": int(allocated[1])} if allocated else {}


def _irq() -> dict[str, int]:
    """Each line has a handler, and each time a device is set up it is another: twice as many."""
    try:
        lines = sum(1 for _ in LINES.iterdir())
    except OSError:
        return {}
    return {"names": 2 * lines} if 2 * lines > _NAMES else {}


_BY_FAMILY: dict[str, Callable[[], dict[str, int]]] = {"irq": _irq, "tcp": _tcp}
