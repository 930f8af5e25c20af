"""One loaded object: what hangs on its hooks, and its maps as arrays."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ktop.frame import Array
from ktop.kernel import cpus, libbpf
from ktop.kernel.choice import Choice
from ktop.kernel.hooks import Hooks, destroy
from ktop.kernel.maps import CpuArray, Iterator, KeyedMap, Ring, Walk, whole_pages
from ktop.kernel.prepare import object_btf
from ktop.kernel.reasons import explain
from ktop.kernel.slots import SlotArrays
from ktop.losses import NOT_RUN, UNTAKEN
from ktop.records import at_first_of


class Family:
    """One loaded object: its hooks and readers."""

    def __init__(
        self, name: str, handle: int, choice: Choice, log: list[str], sizes: Mapping[str, int]
    ) -> None:
        """Take over an object that is loaded; ``load`` makes them.

        ``sizes``: how many values of slots there will be, by map.
        """
        self.name = name
        self.log = log
        self.choice = choice
        self._lib = libbpf.library()
        self._object = handle
        self._programs = {
            self._lib.bpf_program__name(program).decode(): program
            for program in libbpf.each(self._lib.bpf_object__next_program, handle)
        }
        self._maps = {
            self._lib.bpf_map__name(bpf_map).decode(): bpf_map
            for bpf_map in libbpf.each(self._lib.bpf_object__next_map, handle)
        }
        self.hooks = Hooks(self._programs, self._maps, choice)
        self._program_fds = [self._lib.bpf_program__fd(self._programs[name]) for name in choice.programs()]
        self._info = libbpf.ProgInfo()
        self._info_size = ctypes.c_uint32(ctypes.sizeof(self._info))
        self._info_place, self._info_length = ctypes.byref(self._info), ctypes.byref(self._info_size)
        self._btf = object_btf(handle)
        self._arrays: dict[str, CpuArray | KeyedMap | Iterator | SlotArrays] = {}
        self._rings: dict[str, Ring] = {}
        self._bss: mmap.mmap | None = None
        self._epoch, self._anew = self._global("epoch"), self._global("anew")
        self._at_first: dict[str, Array] = {}
        self._iterator_links: list[int] = []
        try:
            self._open_readers(sizes)
            self.begin_anew()
        except BaseException:
            self.close()
            raise

    def read(self) -> tuple[dict[str, Array], dict[str, list[bytes]], dict[str, int]]:
        """Return (maps, tails, losses) for a Reading."""
        if self._epoch is not None:
            self._epoch[0] += 1
        maps = {name: reader.read() for name, reader in self._arrays.items()}
        if self._anew is not None and self._anew[0]:
            self._anew[0] = 0
            iterators = [name for name, reader in self._arrays.items() if isinstance(reader, Iterator)]
            self._at_first = {at_first_of(name): _figures(maps[name]) for name in iterators}
        maps.update(self._at_first)
        tails: dict[str, list[bytes]] = {}
        for name, ring in self._rings.items():
            maps[name], tails[name] = ring.read()
        return maps, tails, self._losses(maps.pop("lost", None))

    def follow_the_cpus(self, present: int) -> None:
        """Read what so many CPUs have from now on: arrays by CPU become longer where some are new."""
        for reader in self._arrays.values():
            if isinstance(reader, CpuArray):
                reader.follow(present)

    def begin_anew(self) -> None:
        """Have the next read tell of every process, also of those that do nothing."""
        if self._anew is not None:
            self._anew[0] = 1

    def _losses(self, counted: Array | None) -> dict[str, int]:
        """Return the losses since the start; ``counted``: what the programs found themselves, by CPU."""
        losses = {UNTAKEN: sum(ring.lost for ring in self._rings.values()), NOT_RUN: self.recursion_misses()}
        if counted is not None:
            totals = counted.view("u8").reshape(len(counted), -1).sum(axis=0).tolist()
            losses.update(zip(counted.dtype.names or (), totals, strict=False))
        return {kind: count for kind, count in losses.items() if count}

    def drain(self) -> bool:
        """Make room between two reads that are far apart; ``read`` returns it all.

        Returns whether so much had come that the next time should be sooner.
        """
        much = [ring.drain() for ring in self._rings.values()]
        for reader in self._arrays.values():
            if isinstance(reader, SlotArrays):
                reader.drain()
        return any(much)

    def recursion_misses(self) -> int:
        """Return how often programs were not run because they were running; asked at every tick."""
        return sum(info.recursion_misses for info in self._programs_info())

    def run_time_ns(self) -> int:
        """Return how long programs ran while the kernel timed them."""
        return sum(info.run_time_ns for info in self._programs_info())

    def _programs_info(self) -> Iterable[libbpf.ProgInfo]:
        """Yield what the kernel knows of each loaded program; the next one takes its place."""
        ask, info = self._lib.bpf_obj_get_info_by_fd, self._info
        for fd in self._program_fds:
            # The kernel takes what it left there as wishes.
            ctypes.memset(self._info_place, 0, self._info_size.value)
            ask(fd, self._info_place, self._info_length)
            yield info

    def map_fd(self, name: str) -> int:
        """Return the file descriptor of a map; KeyError when there is none of that name."""
        fd: int = self._lib.bpf_map__fd(self._maps[name])
        return fd

    def close(self) -> None:
        """Detach everything and unload."""
        self.hooks.detach()
        for reader in [*self._arrays.values(), *self._rings.values()]:
            reader.close()
        self._arrays.clear()
        self._rings.clear()
        self._epoch = self._anew = None
        destroy(self._iterator_links)
        self._iterator_links.clear()
        if self._object:
            self._lib.bpf_object__close(self._object)
            self._object = 0

    def _open_readers(self, sizes: Mapping[str, int]) -> None:
        lib = self._lib
        for name, bpf_map in self._maps.items():
            kind, fd = lib.bpf_map__type(bpf_map), lib.bpf_map__fd(bpf_map)
            if lib.bpf_map__is_internal(bpf_map) or fd < 0:
                continue
            entries = lib.bpf_map__max_entries(bpf_map)
            if kind == libbpf.MAP_TYPE_RINGBUF:
                self._rings[name] = Ring(fd, self._record(name), entries)
            elif kind == libbpf.MAP_TYPE_ARRAY and lib.bpf_map__map_flags(bpf_map) & libbpf.F_MMAPABLE:
                value = self._btf.dtype(lib.bpf_map__btf_value_type_id(bpf_map))
                self._arrays[name] = CpuArray(fd, value, entries, cpus.present() or entries)
            elif kind == libbpf.MAP_TYPE_ARRAY_OF_MAPS:
                free_fd, used = self.map_fd(f"{name}_free"), self._global(f"{name}_used")
                if used is None:
                    raise KeyError(f"the object of {self.name} does not declare SLOTS({name}, ...)")
                self._arrays[name] = SlotArrays(fd, free_fd, used, self._record(name), sizes.get(name, 0))
            elif kind in {libbpf.MAP_TYPE_HASH, libbpf.MAP_TYPE_LRU_HASH} and not name.startswith("_"):
                key = self._btf.dtype(lib.bpf_map__btf_key_type_id(bpf_map))
                value = self._btf.dtype(lib.bpf_map__btf_value_type_id(bpf_map))
                self._arrays[name] = KeyedMap(fd, key, value, entries)
        for group, program in self.choice.taken().items():
            if self.hooks.is_iterator(program):
                try:
                    link = lib.bpf_program__attach_iter(self._programs[program], None)
                except OSError as error:
                    if not self.hooks.is_walk(program):
                        raise
                    self.choice.refused[program] = explain(error.errno or 0, program)
                    continue
                self._iterator_links.append(link)
                kind = Walk if self.hooks.is_walk(program) else Iterator
                self._arrays[group] = kind(lib.bpf_link__fd(link), self._record(group))
        # What walks write to other maps is read after them.
        walks = {name: reader for name, reader in self._arrays.items() if isinstance(reader, Walk)}
        self._arrays = {**walks, **self._arrays}

    def _record(self, name: str) -> np.dtype[Any]:
        dtype = self._btf.record(name)
        if dtype is None:
            raise KeyError(f"the object of {self.name} does not declare RECORD({name}, ...)")
        return dtype

    def _global(self, name: str) -> Array | None:
        """Return a global of .bss, in place (mmapable since 5.5), as uint32; None: there is none."""
        place = self._btf.section(".bss").get(name)
        if place is None:
            return None
        if self._bss is None:
            bpf_map = next(m for n, m in self._maps.items() if n.endswith(".bss"))
            size = whole_pages(self._lib.bpf_map__value_size(bpf_map))
            self._bss = mmap.mmap(self._lib.bpf_map__fd(bpf_map), size)
        offset, size = place
        return np.frombuffer(self._bss, np.uint32, size // 4, offset)


def _figures(records: Array) -> Array:
    """Return ``records`` with nothing but their numbers: they stay for long."""
    names = [name for name, (kind, *_) in (records.dtype.fields or {}).items() if kind.kind in "iu"]
    figures = np.empty(len(records), [(name, records.dtype[name]) for name in names])
    for name in names:
        figures[name] = records[name]
    return figures
