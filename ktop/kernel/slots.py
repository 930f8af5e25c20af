"""Reader of what comes and goes: slots in arrays that are mapped (bpf/slots.bpf.h)."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ktop.frame import Array
from ktop.kernel import libbpf
from ktop.kernel.libbpf import library
from ktop.kernel.maps import whole_pages

SLOTS = 2_048
"""In each array; at most as many as SLOT_BITS tell apart."""
SPARE = 16_384
"""For what may come before they are read again."""
MOST_ARRAYS = 64
"""As in bpf/slots.bpf.h."""
_RUNS = 16
"""Of free slots in an array.  CPUs that take one at the same moment take of different runs."""
_SLOT_BITS = 12


class SlotArrays:
    """Values in arrays that are made as they fill; read in place, with no system call.

    An array is mapped when a slot of it was taken: mapped, all of it counts as resident.
    """

    def __init__(
        self, arrays_fd: int, free_fd: int, used: Array, dtype: np.dtype[Any], expected: int = 0
    ) -> None:
        """Make room for ``expected`` values.

        ``used``: uint32, shape (MOST_ARRAYS,), in the kernel's memory: whether a slot of an array was
        ever taken.  ``dtype`` begins with what identifies a value: u64, 0 for none.
        """
        self._arrays_fd, self._free_fd = arrays_fd, free_fd
        self._used = used
        self._dtype = dtype
        self._fds: list[int] = []
        """Of all arrays; -1 of those that are mapped."""
        self._mapped: list[mmap.mmap] = []
        self._slots = SLOTS
        self._most = MOST_ARRAYS
        self._make_room(expected)

    def drain(self) -> None:
        """Have room for what may come, between two reads that are far apart."""
        self._make_room(sum(int(np.count_nonzero(self._identities(each))) for each in self._in_use()))

    def read(self) -> Array:
        """Return the values there are: structured, shape (slots in use,)."""
        none = np.empty(0, f"V{self._dtype.itemsize}")  # there may be no array, for want of memory
        values = np.concatenate([none, *map(self._values, self._in_use())])
        self._make_room(len(values))
        return values.view(self._dtype)

    def _in_use(self) -> list[mmap.mmap]:
        """Return the arrays that may hold something; raises OSError when one cannot be mapped."""
        for number, (fd, used) in enumerate(zip(self._fds, self._used.tolist(), strict=False)):
            if used and fd >= 0:
                size = whole_pages(self._dtype.itemsize * self._slots)
                self._mapped.append(mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ))
                self._fds[number] = -1
                os.close(fd)  # the array of arrays and the mapping keep it
        return self._mapped

    def _values(self, memory: mmap.mmap) -> Array:
        """Return those of one array, without the ones that came or went while they were copied."""
        identity = self._identities(memory)
        before = identity.copy()
        used = np.flatnonzero(before)
        # As raw bytes: numpy copies structures field by field, ten times as slow.
        raw = np.frombuffer(memory, f"V{self._dtype.itemsize}", self._slots)[used]
        stayed = identity[used] == before[used]
        return raw if stayed.all() else raw[stayed]

    def _identities(self, memory: mmap.mmap) -> Array:
        words = self._dtype.itemsize // 8
        return np.frombuffer(memory, np.uint64, self._slots * words)[::words]

    def _make_room(self, used: int) -> None:
        """Have as many more slots as are ``used``, at least SPARE; without memory it stays as it is.

        What then finds no slot the kernel side counts as lost.
        """
        wanted, before = used + max(used, SPARE), len(self._fds)
        new: list[int] = []
        with contextlib.suppress(OSError):
            while (before + len(new)) * self._slots < wanted and before + len(new) < self._most:
                new.append(self._new_array())
        if not new:
            return
        try:
            self._put(before, new)
        except OSError:
            for fd in new:
                os.close(fd)
            return
        self._fds += new
        length = self._slots // _RUNS
        # A stack: what goes first comes last.
        for number in reversed(range(before, len(self._fds))):
            for first in reversed(range(0, self._slots, length)):
                run = (ctypes.c_uint32 * 2)(number << _SLOT_BITS | first, length - 1)
                library().bpf_map_update_elem(self._free_fd, None, ctypes.byref(run), 0)

    def _new_array(self) -> int:
        # 5.10, 4a8f87e60f6d: with F_INNER_MAP they need not be as long as the one declared.
        size, flags = self._dtype.itemsize, libbpf.F_MMAPABLE | libbpf.F_INNER_MAP
        options = libbpf.MapOptions(ctypes.sizeof(libbpf.MapOptions), map_flags=flags)
        create = library().bpf_map_create
        fd: int = create(libbpf.MAP_TYPE_ARRAY, b"slots", 4, size, self._slots, ctypes.byref(options))
        return fd

    def _put(self, first: int, fds: Sequence[int]) -> None:
        """Put arrays into the array of arrays, from number ``first`` on."""
        numbers = (ctypes.c_uint32 * len(fds))(*range(first, first + len(fds)))
        values, count = (ctypes.c_uint32 * len(fds))(*fds), ctypes.c_uint32(len(fds))
        try:
            # After each call the kernel waits until no program can see what was there before: 10 ms.
            library().bpf_map_update_batch(self._arrays_fd, numbers, values, ctypes.byref(count), None)
        except OSError:  # older ones have no batches here
            for number, fd in zip(range(first, first + len(fds)), fds, strict=True):
                key, value = ctypes.c_uint32(number), ctypes.c_uint32(fd)
                library().bpf_map_update_elem(self._arrays_fd, ctypes.byref(key), ctypes.byref(value), 0)

    def close(self) -> None:
        """Unmap."""
        del self._used
        for memory in self._mapped:
            memory.close()
        for fd in self._fds:
            if fd >= 0:
                os.close(fd)
