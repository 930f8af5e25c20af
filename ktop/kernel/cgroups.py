"""Names of cgroups (version 2) by the ids that the programs tell."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ktop.cgroup import label
from ktop.frame import Array
from ktop.stats import distinct

GONE = b"(gone)"
"""Of a cgroup that was removed before anybody asked for its name."""
_FILEID_KERNFS = 0xFE  # 5.5, 33c5ac917519
_FOR_GOOD = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS})
_MOST_KNOWN = 4096


class _Handle(ctypes.Structure):
    """``struct file_handle`` of a kernfs node: its id is all there is to it."""

    _fields_ = (("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("id", ctypes.c_uint64))


class Cgroups:
    """Asks the kernel once for each: an id is never given to another."""

    def __init__(self) -> None:
        """Know none yet."""
        self._known: dict[int, bytes | None] = {0: None}
        self._before: dict[int, bytes | None] = {}
        """Those known when there were too many: what is in use still is taken over from there."""
        self._libc = ctypes.CDLL(None, use_errno=True)

    def labels(self, ids: Array) -> Array:
        """Return what people call the cgroups with these ids: S, or object where one is not known.

        That is None, as what was not measured: 0 is no id, this user may not ask
        (CAP_DAC_READ_SEARCH), or cgroups of version 2 are not mounted.
        """
        different = distinct(ids)
        numbers = different.tolist()
        if unknown := self._unknown(numbers):
            self._ask(unknown)
        names = [self._known.get(number) for number in numbers]
        labels = np.array(names, dtype=object if None in names else "S")
        found: Array = labels[np.searchsorted(different, ids)]
        return found

    def _unknown(self, numbers: Sequence[int]) -> set[int]:
        """Return which of ``numbers`` to ask for; where there are too many, what nobody uses is forgotten."""
        missing = set(numbers) - self._known.keys()
        if missing and len(self._known) + len(missing) > _MOST_KNOWN:
            self._before, self._known = self._known, {0: None}
            missing = set(numbers) - {0}
        again = missing & self._before.keys()
        self._known.update({number: self._before[number] for number in again})
        return missing - again

    def _ask(self, ids: set[int]) -> None:
        """Keep what the kernel answers for each of ``ids``; what fails for now is asked again."""
        place = mount()
        if not place:
            self._known.update(dict.fromkeys(ids))
            return
        try:
            directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            for number in ids:
                with contextlib.suppress(OSError):
                    self._known[number] = self._name(directory, place, number)
        finally:
            os.close(directory)

    def _name(self, directory: int, place: bytes, number: int) -> bytes | None:
        """Return the name, None where this user may not know it; OSError for what may pass."""
        handle = _Handle(ctypes.sizeof(ctypes.c_uint64), _FILEID_KERNFS, number)
        fd = self._libc.open_by_handle_at(directory, ctypes.byref(handle), os.O_PATH | os.O_CLOEXEC)
        if fd < 0:
            error = ctypes.get_errno()
            if error == errno.ESTALE:
                return GONE
            if error in _FOR_GOOD:
                return None
            raise OSError(error, os.strerror(error))
        try:
            path = os.fsencode(Path(f"/proc/self/fd/{fd}").readlink())
        finally:
            os.close(fd)
        return label(path.removeprefix(place))


def may_ask() -> bool:
    """Return whether this user is told the names of cgroups."""
    place = mount()
    try:
        root = np.array([Path(os.fsdecode(place)).stat().st_ino], dtype=np.uint64)
    except OSError:
        return False
    return Cgroups().labels(root).item(0) is not None


def mount() -> bytes:
    """Return where cgroups of version 2 are mounted; empty where they are not."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().split(b"\n")
    except OSError:
        return b""
    for line in lines:
        before, _, after = line.partition(b" - ")
        if after.startswith(b"cgroup2 "):
            # Blanks in a path are octal (proc_pid_mountinfo(5)); nobody puts others where these are.
            return before.split(b" ")[4].replace(b"\\040", b" ")
    return b""
