"""Readers: how each shape of map becomes a numpy array."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import time
from typing import Any

import numpy as np

from ktop.frame import Array
from ktop.kernel.libbpf import SAMPLE, library

GATHERED_MAX = 32 << 20
"""Bytes of records that may wait for a read, however far off it is, or RINGS times the ring buffer."""
RINGS = 4
REST = 200
"""So many times as long as a walk took is the least until the next: half a per cent of a CPU."""
_BUFFER = 1 << 16
"""Bytes that an iterator's records are read into at first."""


def whole_pages(size: int) -> int:
    """Return ``size`` rounded up: memory is mapped in pages."""
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


class CpuArray:
    """An mmapable array with an element for each CPU: read in place, with no system call."""

    def __init__(self, fd: int, dtype: np.dtype[Any], entries: int, cpus: int) -> None:
        """Map it; ``dtype`` is one element's, ``entries`` CPUs are possible, and ``cpus`` there."""
        # The kernel strides an array's elements by 8 (array_map_alloc).
        stride = (dtype.itemsize + 7) & ~7
        if stride != dtype.itemsize:
            dtype = np.dtype({"names": ["value"], "formats": [dtype], "itemsize": stride})
        self._memory = mmap.mmap(fd, whole_pages(stride * entries), mmap.MAP_SHARED, mmap.PROT_READ)
        self._array = np.frombuffer(self._memory, dtype, count=entries)
        self._cpus = cpus

    def follow(self, cpus: int) -> None:
        """Read what so many CPUs have from now on; no fewer than before."""
        self._cpus = max(self._cpus, cpus)

    def read(self) -> Array:
        """Return a copy: structured, shape (cpus,)."""
        return self._array[: self._cpus].copy()

    def close(self) -> None:
        """Unmap."""
        del self._array
        self._memory.close()


class KeyedMap:
    """A hash map, read in one batch (5.6, 057996380a42) into arrays allocated once."""

    def __init__(self, fd: int, key: np.dtype[Any], value: np.dtype[Any], entries: int) -> None:
        """``entries`` is the map's max_entries."""
        self._fd = fd
        self._entries = entries
        self._keys = np.zeros(entries, key)
        self._values = np.zeros(entries, value)
        self.dtype = np.dtype([("key", key), ("value", value)])
        self._token = ctypes.create_string_buffer(max(8, key.itemsize))

    def read(self) -> Array:
        """Return all entries: structured (key, value), shape (entries in use,)."""
        lookup = library().bpf_map_lookup_batch
        filled = 0
        start = None
        while filled < self._entries:
            count = ctypes.c_uint32(self._entries - filled)
            result = lookup(
                self._fd,
                start,
                self._token,
                self._keys.ctypes.data + filled * self._keys.itemsize,
                self._values.ctypes.data + filled * self._values.itemsize,
                ctypes.byref(count),
                None,
            )
            if result < 0 and -result not in {errno.ENOENT, errno.ENOSPC}:
                raise OSError(-result, os.strerror(-result))
            filled += count.value
            # ENOENT: that was the last bucket.  ENOSPC: the next bucket does not
            # fit any more, which only a map that grew over its own size can do.
            if result < 0 or count.value == 0:
                break
            start = self._token
        out = np.empty(filled, self.dtype)
        out["key"] = self._keys[:filled]
        out["value"] = self._values[:filled]
        return out

    def close(self) -> None:
        """Nothing to release: the object owns the map."""


class Iterator:
    """An iterator program: every open file runs it over all tasks once."""

    def __init__(self, link_fd: int, dtype: np.dtype[Any]) -> None:
        """``dtype`` is the record that the program writes."""
        self._link_fd = link_fd
        self._dtype = dtype
        self._buffer = bytearray(_BUFFER)

    def read(self) -> Array:
        """Return the records: structured, shape (records,)."""
        fd = library().bpf_iter_create(self._link_fd)
        filled = 0
        try:
            while True:
                if len(self._buffer) - filled < 1 << 15:
                    self._buffer.extend(bytes(len(self._buffer)))
                try:
                    got = os.readv(fd, [memoryview(self._buffer)[filled:]])
                except BlockingIOError:
                    # bpf_seq_read gives way after a million objects without output.
                    continue
                if got == 0:
                    break
                filled += got
        finally:
            os.close(fd)
        records = bytes(memoryview(self._buffer)[:filled])
        if len(self._buffer) > 4 * max(filled, _BUFFER):  # the first read tells of every process
            self._buffer = bytearray(_BUFFER)
        return np.frombuffer(records, self._dtype)

    def close(self) -> None:
        """Nothing to release: the loader owns the link."""


class Walk(Iterator):
    """An iterator over all that processes have open, which can be a lot: it rests in between.

    It writes to other maps, and puts out one record when it has come to its end.
    """

    def __init__(self, link_fd: int, dtype: np.dtype[Any]) -> None:
        """As of an Iterator."""
        super().__init__(link_fd, dtype)
        self._last = np.empty(0, dtype)
        self._next = 0.0

    def read(self) -> Array:
        """Return the record of the last walk: structured, shape (1,); (0,) where it failed."""
        began = time.monotonic()
        if began >= self._next:
            self._last = self._last[:0]
            with contextlib.suppress(OSError):  # the pane can do without
                self._last = super().read()
            now = time.monotonic()
            self._next = now + REST * (now - began)
        return self._last


class Ring:
    """A ring buffer, drained at each read; programs never wake anyone."""

    def __init__(self, fd: int, dtype: np.dtype[Any], size: int) -> None:
        """``dtype`` is the fixed part that every record begins with, ``size`` the ring buffer's in bytes."""
        self._dtype = dtype
        self._heads = bytearray()
        self._tails: list[bytes] = []
        self._size = size
        self._gathered = 0
        """Bytes."""
        self.lost = 0
        """Records there was no room for, since the start."""
        fixed, most = dtype.itemsize, max(GATHERED_MAX, RINGS * size)

        def take(_context: int, data: int, size: int) -> int:
            if self._gathered + size > most:
                self.lost += 1
                return 0
            self._gathered += size
            self._heads += ctypes.string_at(data, fixed)
            self._tails.append(ctypes.string_at(data + fixed, size - fixed) if size > fixed else b"")
            return 0

        self._callback = SAMPLE(take)
        self._ring = library().ring_buffer__new(fd, self._callback, None, None)

    def drain(self) -> bool:
        """Make room: take what is there, for the next ``read``; return whether that was a lot."""
        before = self._gathered
        library().ring_buffer__consume(self._ring)
        return self._gathered - before > self._size // 4

    def read(self) -> tuple[Array, list[bytes]]:
        """Return (the fixed parts: structured, shape (records,); what follows each)."""
        self.drain()
        heads, self._heads = self._heads, bytearray()
        tails, self._tails = self._tails, []
        self._gathered = 0
        return np.frombuffer(bytes(heads), self._dtype), tails

    def close(self) -> None:
        """Unmap."""
        library().ring_buffer__free(self._ring)
