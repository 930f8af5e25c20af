"""Makes an object that is open ready to be loaded: programs, sizes, read-only data."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

from ktop.kernel import libbpf
from ktop.kernel.btf import Btf
from ktop.kernel.choice import Choice
from ktop.kernel.facts import kernel_version
from ktop.kernel.slots import MOST_ARRAYS

MOST_SUBSTITUTES = 1 << 18
"""Entries; one takes some 200 bytes."""


def object_btf(handle: int) -> Btf:
    """Return the object's own BTF."""
    lib = libbpf.library()
    size = ctypes.c_uint32()
    raw = lib.btf__raw_data(lib.bpf_object__btf(handle), ctypes.byref(size))
    return Btf(ctypes.string_at(raw, size.value))


def ring_bytes(declared: int, cpus: int) -> int:
    """Return the size of a ring buffer, a power of two: ``declared`` is for what 8 CPUs send."""
    return declared << max((cpus - 1).bit_length() - 3, 0)


def lru_entries(declared: int, cpus: int, kernel: tuple[int, int]) -> int:
    """Return the size of an LRU hash that holds ``declared`` entries, whichever CPUs they come from.

    Each CPU that inserts sets 128 free ones aside; from 6.17 on, d4adf1c9ee77, not more than half of all.
    """
    aside = 128 * cpus
    return declared + (min(aside, declared) if kernel >= (6, 17) else aside)


def substitute_entries(declared: int, expected: int) -> int:
    """Return the size of what stands in for storage of tasks or sockets, of which ``expected`` are there.

    Twice as many, for they can become more; ``declared`` at least.
    """
    return max(declared, min(2 * expected, MOST_SUBSTITUTES))


def threads() -> int:
    """Return how many threads there are on this host; 0 where that cannot be told."""
    try:
        tasks = Path("/proc/loadavg").read_text(encoding="ascii").split()[3]
    except OSError:
        return 0
    return int(tasks.partition("/")[2])


def storages(handle: int) -> set[str]:
    """Return the names of the maps that are kept with tasks and sockets."""
    lib = libbpf.library()
    maps = libbpf.each(lib.bpf_object__next_map, handle)
    kinds = {libbpf.MAP_TYPE_TASK_STORAGE, libbpf.MAP_TYPE_SK_STORAGE}
    return {lib.bpf_map__name(each).decode() for each in maps if lib.bpf_map__type(each) in kinds}


def prepare(handle: int, choice: Choice, constants: Mapping[str, int], sizes: Mapping[str, int]) -> None:
    """Set autoload, sizes and read-only data of an object that is open and not yet loaded."""
    lib = libbpf.library()
    taken = choice.programs()
    for program in libbpf.each(lib.bpf_object__next_program, handle):
        lib.bpf_program__set_autoload(program, lib.bpf_program__name(program).decode() in taken)
    possible, present = lib.libbpf_num_possible_cpus(), os.cpu_count() or 1
    kept = storages(handle)
    for bpf_map in libbpf.each(lib.bpf_object__next_map, handle):
        name, internal = lib.bpf_map__name(bpf_map).decode(), lib.bpf_map__is_internal(bpf_map)
        by_cpu = lib.bpf_map__map_flags(bpf_map) & libbpf.F_MMAPABLE and not internal
        if by_cpu or lib.bpf_map__type(bpf_map) == libbpf.MAP_TYPE_PERF_EVENT_ARRAY:
            lib.bpf_map__set_max_entries(bpf_map, possible)
        if lib.bpf_map__type(bpf_map) == libbpf.MAP_TYPE_RINGBUF:
            # Guests can have hundreds of CPUs that are possible, and two: rings are never swapped out.
            lib.bpf_map__set_max_entries(bpf_map, ring_bytes(lib.bpf_map__max_entries(bpf_map), present))
        if lib.bpf_map__type(bpf_map) == libbpf.MAP_TYPE_LRU_HASH:
            entries = lru_entries(lib.bpf_map__max_entries(bpf_map), present, kernel_version())
            lib.bpf_map__set_max_entries(bpf_map, entries)
        if lib.bpf_map__type(bpf_map) == libbpf.MAP_TYPE_ARRAY_OF_MAPS:
            lib.bpf_map__set_max_entries(bpf_map, MOST_ARRAYS)
        elif name in sizes:
            lib.bpf_map__set_max_entries(bpf_map, sizes[name])
        if not choice.storage and name.removeprefix("_") in kept - {name}:
            of_tasks = lib.bpf_map__type(bpf_map) == libbpf.MAP_TYPE_LRU_HASH
            entries = substitute_entries(
                lib.bpf_map__max_entries(bpf_map), threads() if of_tasks else max(sizes.values(), default=0)
            )
            lib.bpf_map__set_max_entries(bpf_map, entries)
        if name in kept or name.removeprefix("_") in kept:
            lib.bpf_map__set_autocreate(bpf_map, (name in kept) == choice.storage)
        if constants and internal and name.endswith(".rodata"):
            size = ctypes.c_size_t()
            memory = lib.bpf_map__initial_value(bpf_map, ctypes.byref(size))
            for variable, (offset, width) in object_btf(handle).section(".rodata").items():
                if variable in constants:
                    raw = constants[variable].to_bytes(width, "little", signed=constants[variable] < 0)
                    ctypes.memmove(memory + offset, raw, width)
