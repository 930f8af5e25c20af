"""BPF programs and maps in the kernel, ours and others', by id."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Literal

from ktop.kernel import libbpf


def ids(kind: Literal["prog", "map"] = "prog") -> set[int]:
    """Return the ids of all programs, or maps; OSError where this host does not let us ask."""
    next_id = ctypes.CDLL(libbpf.SONAME)[f"bpf_{kind}_get_next_id"]
    found: set[int] = set()
    number = ctypes.c_uint32(0)
    while (status := next_id(number, ctypes.byref(number))) == 0:
        found.add(number.value)
    if status != -errno.ENOENT:
        raise OSError(-status, os.strerror(-status))
    return found


def programs() -> dict[int, libbpf.ProgInfo]:
    """Return what the kernel tells of each program, by id."""
    by_id = ctypes.CDLL(libbpf.SONAME).bpf_prog_get_fd_by_id
    found: dict[int, libbpf.ProgInfo] = {}
    for number in ids():
        fd = by_id(number)
        if fd < 0:
            continue  # gone meanwhile
        info = libbpf.ProgInfo()
        size = ctypes.c_uint32(ctypes.sizeof(info))
        libbpf.library().bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
        os.close(fd)
        found[number] = info
    return found


def held_by(pid: int) -> tuple[set[int], set[int]]:
    """Return the ids of the programs and maps whose descriptors ``pid`` holds."""
    held: dict[str, set[int]] = {"prog_id": set(), "map_id": set()}
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = info.read_text().splitlines()
        except OSError:
            continue  # closed meanwhile
        for name, _, value in (line.partition(":") for line in lines):
            if name in held:
                held[name].add(int(value))
    return held["prog_id"], held["map_id"]
