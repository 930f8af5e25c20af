"""What a process has in the kernel, by id: so that other people's programs do not matter."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

SYSCALL = {"x86_64": 321, "aarch64": 280}
PROG_GET_NEXT_ID, MAP_GET_NEXT_ID = 11, 12


def held_by(pid: int) -> tuple[set[int], set[int]]:
    """Return the ids of the BPF programs and maps whose descriptors ``pid`` holds."""
    programs: set[int] = set()
    maps: set[int] = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if "prog_id" in fields:
            programs.add(int(fields["prog_id"]))
        if "map_id" in fields:
            maps.add(int(fields["map_id"]))
    return programs, maps


def in_kernel() -> tuple[set[int], set[int]]:
    """Return the ids of all BPF programs and maps there are."""
    return _ids(PROG_GET_NEXT_ID), _ids(MAP_GET_NEXT_ID)


def _ids(command: int) -> set[int]:
    libc = ctypes.CDLL(None, use_errno=True)
    found: set[int] = set()
    attributes = (ctypes.c_uint32 * 32)()
    while libc.syscall(SYSCALL[platform.machine()], command, attributes, ctypes.sizeof(attributes)) == 0:
        attributes[0] = attributes[1]
        found.add(int(attributes[1]))
    error = ctypes.get_errno()
    if not found and error not in {0, 2}:
        raise OSError(error, os.strerror(error))
    return found
