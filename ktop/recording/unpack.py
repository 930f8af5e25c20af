"""msgpack from a stranger: no more of it than memory has room for, and nothing that runs."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T", bound="list[Any] | dict[str, Any]")

MAX_LENGTH = 1 << 20
"""Bound of one array."""
MAX_KEYS = 1 << 12
"""Bound of one map."""
MAX_ITEMS = 1 << 23
"""Bound of the items in all arrays and maps: an empty one is a byte here, and 64 in memory."""


def unpack(data: bytes) -> Any:
    """Return what ``data`` says; raises ValueError, or anything that msgpack does, when it is damaged."""
    import msgpack

    room = MAX_ITEMS

    def weighed(made: T) -> T:
        nonlocal room
        room -= 1 + len(made)
        if room < 0:
            raise ValueError(f"more than {MAX_ITEMS} items")
        return made

    return msgpack.unpackb(
        data,
        max_array_len=MAX_LENGTH,
        max_map_len=MAX_KEYS,
        unicode_errors="surrogatepass",
        list_hook=weighed,
        object_hook=weighed,
        ext_hook=_no_ext,
    )


def _no_ext(code: int, _data: bytes) -> object:
    raise ValueError(f"extension type {code} is not allowed")
