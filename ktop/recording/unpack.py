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
_NESTED = frozenset({list, tuple, dict})


def check(content: Any) -> None:
    """Raise ValueError when ``unpack`` would refuse what is packed of the array ``content``."""
    if (items := _items(content)) > MAX_ITEMS:
        raise ValueError(f"{items} items are over the bound of {MAX_ITEMS}")


def _items(made: Any) -> int:
    """Return the items in all arrays and maps of ``made``; ValueError when one of them is too long."""
    inner, most = (made.values(), MAX_KEYS) if type(made) is dict else (made, MAX_LENGTH)
    if len(made) > most:
        raise ValueError(f"{len(made)} items of one are over the bound of {most}")
    return 1 + len(made) + sum(_items(each) for each in inner if type(each) in _NESTED)


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
