"""How much there will be at once of what a family keeps in slots: what to make room for when it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path


def sizes(family: str) -> dict[str, int]:
    """Return how many values are expected in the family's slots, by map; none where that cannot be told."""
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


_BY_FAMILY: dict[str, Callable[[], dict[str, int]]] = {"tcp": _tcp}
