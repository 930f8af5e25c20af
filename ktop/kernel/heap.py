"""What the allocator does while objects are loaded: keep pages, for the next object wants as many.

libbpf 1.1 reads the kernel's types (5 MB, and as much again to hold them) anew for each object.
Left alone, glibc takes those pages from the kernel each time, which clears them: a fifth of
what loading costs (measured).  Where the C library cannot be told so, nothing is different.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST = 16 << 20
"""Bytes; larger blocks are mapped each for itself."""
_KEPT, _KEPT_AFTERWARDS = 256 << 20, 2 * _LARGEST
"""Free bytes at the end of the heap before they are given back; twice the largest is glibc's own choice."""


def share() -> None:
    """Have the threads that are started from now on share one heap.

    Of heaps of threads ``malloc_trim`` does not give back the end.
    """
    _tell(_ARENA_MAX, 1)


@contextlib.contextmanager
def keeping_pages() -> Iterator[None]:
    """Keep what is freed meanwhile for what is allocated; give it back in the end."""
    _tell(_MMAP_THRESHOLD, _LARGEST)
    _tell(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        _tell(_TRIM_THRESHOLD, _KEPT_AFTERWARDS)
        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _tell(parameter: int, value: int) -> None:
    with contextlib.suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).mallopt(parameter, value)
