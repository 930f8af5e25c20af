"""Readers: how each shape of map becomes a numpy array."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
from typing import Any

import numpy as np

from ktop.frame import Array
from ktop.kernel import libbpf
from ktop.kernel.libbpf import SAMPLE, library

PORTION = 2_048
"""Records in each array that an iterator fills."""
MOST_PORTIONS = 16
"""Arrays there are at most; there is one until more are needed.

The kernel fills them without a break: more would keep a CPU from others for more than 15 ms or so.
"""


def _whole_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


class CpuArray:
    """An mmapable array: read in place, with no system call."""

    def __init__(self, fd: int, dtype: np.dtype[Any], entries: int) -> None:
        """Map it; ``dtype`` is one element's."""
        # The kernel strides an array's elements by 8 (array_map_alloc).
        stride = (dtype.itemsize + 7) & ~7
        if stride != dtype.itemsize:
            dtype = np.dtype({"names": ["value"], "formats": [dtype], "itemsize": stride})
        self._memory = mmap.mmap(fd, _whole_pages(stride * entries), mmap.MAP_SHARED, mmap.PROT_READ)
        self._array = np.frombuffer(self._memory, dtype, count=entries)

    def read(self) -> Array:
        """Return a copy: structured, shape (entries,)."""
        return self._array.copy()

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
    """An iterator program: every open file runs it over all tasks (or sockets) once."""

    def __init__(self, link_fd: int, dtype: np.dtype[Any]) -> None:
        """``dtype`` is the record that the program writes."""
        self._link_fd = link_fd
        self._dtype = dtype
        self._buffer = bytearray(1 << 16)

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
                except InterruptedError:
                    continue
                except BlockingIOError:
                    # bpf_seq_read gives way after a million objects without output.
                    continue
                if got == 0:
                    break
                filled += got
        finally:
            os.close(fd)
        return np.frombuffer(bytes(memoryview(self._buffer)[:filled]), self._dtype)

    def close(self) -> None:
        """Nothing to release: the loader owns the link."""


class BatchedIterator:
    """An iterator program that fills mmapable arrays, and has the kernel wait when the last is full.

    The places go back to the first only once the records are here, and stay when a read begins:
    what a read that failed half-way had found comes with the next one, at worst twice.
    """

    def __init__(
        self,
        link_fd: int,
        batch_fd: int,
        dtype: np.dtype[Any],
        portion: ctypes.c_uint32,
        filled: ctypes.c_uint32,
    ) -> None:
        """``portion``: which array is in use; ``filled``: how much of it; both in place."""
        self._link_fd, self._batch_fd = link_fd, batch_fd
        self._dtype = dtype
        self._portion, self._filled = portion, filled
        self._portions: list[mmap.mmap] = []
        self._most = MOST_PORTIONS
        self._taken = bytearray()
        self._add_portion()

    def read(self) -> Array:
        """Return the records: structured, shape (records,)."""
        fd = library().bpf_iter_create(self._link_fd)
        try:
            ended = False
            while not ended:
                # Full; or bpf_seq_read gives way after a million objects without output.
                with contextlib.suppress(BlockingIOError):
                    ended = not os.read(fd, 1)
                self._take()
        finally:
            os.close(fd)
        taken, self._taken = self._taken, bytearray()
        return np.frombuffer(taken, self._dtype)

    def _take(self) -> None:
        size, full = self._dtype.itemsize, self._portion.value
        for memory in self._portions[:full]:
            self._taken += memoryview(memory)[: PORTION * size]
        if filled := self._filled.value:
            self._taken += memoryview(self._portions[full])[: filled * size]
        self._portion.value = self._filled.value = 0
        if full == len(self._portions):
            self._grow()

    def _grow(self) -> None:
        """Make twice as many arrays; without them it only takes longer."""
        try:
            for _ in range(min(full := len(self._portions), self._most - full)):
                self._add_portion()
        except OSError:
            self._most = len(self._portions)

    def _add_portion(self) -> None:
        # 5.10, 4a8f87e60f6d: with F_INNER_MAP they need not be as long as the one declared.
        size, flags = self._dtype.itemsize, libbpf.F_MMAPABLE | libbpf.F_INNER_MAP
        options = libbpf.MapOptions(ctypes.sizeof(libbpf.MapOptions), map_flags=flags)
        by = ctypes.byref
        fd = library().bpf_map_create(libbpf.MAP_TYPE_ARRAY, b"portion", 4, size, PORTION, by(options))
        try:
            key, value = ctypes.c_uint32(len(self._portions)), ctypes.c_uint32(fd)
            memory = mmap.mmap(fd, _whole_pages(size * PORTION), mmap.MAP_SHARED, mmap.PROT_READ)
            library().bpf_map_update_elem(self._batch_fd, by(key), by(value), 0)
            self._portions.append(memory)
        finally:
            os.close(fd)  # the array of arrays and the mapping keep it

    def close(self) -> None:
        """Unmap; the loader owns the link."""
        for memory in self._portions:
            memory.close()


class Ring:
    """A ring buffer, drained at each read; programs never wake anyone."""

    def __init__(self, fd: int, dtype: np.dtype[Any]) -> None:
        """``dtype`` is the fixed part that every record begins with."""
        self._dtype = dtype
        self._heads = bytearray()
        self._tails: list[bytes] = []
        fixed = dtype.itemsize

        def take(_context: int, data: int, size: int) -> int:
            self._heads += ctypes.string_at(data, fixed)
            self._tails.append(ctypes.string_at(data + fixed, size - fixed) if size > fixed else b"")
            return 0

        self._callback = SAMPLE(take)
        self._ring = library().ring_buffer__new(fd, self._callback, None, None)

    def drain(self) -> None:
        """Make room: take what is there, for the next ``read``."""
        library().ring_buffer__consume(self._ring)

    def read(self) -> tuple[Array, list[bytes]]:
        """Return (the fixed parts: structured, shape (records,); what follows each)."""
        self.drain()
        heads, self._heads = self._heads, bytearray()
        tails, self._tails = self._tails, []
        return np.frombuffer(bytes(heads), self._dtype), tails

    def close(self) -> None:
        """Unmap."""
        library().ring_buffer__free(self._ring)
