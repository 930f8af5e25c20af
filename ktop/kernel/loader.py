"""Opens a family's object, picks one variant a hook group by trying, attaches, reads.

What an object says by its names:

- a program ``GROUP__VARIANT`` in ``SEC("?...")``: variants of one hook, in order
  of preference; exactly one of a group is attached.  Without ``__`` the
  program is its group's only variant.  ``iter/...`` programs are read, not attached.
  The programs ``GROUP__VARIANT__PART`` are one variant: all of them, or none.
  One whose name ends in ``_before_6_4`` is not needed from that version on, and not loaded.
- a hash map ``_NAME``: what stands in for the task or socket storage ``NAME``
  where the kernel has none; only one of the two is created.
- an array with BPF_F_MMAPABLE: one element a CPU (``CPU_ARRAY``); ``lost`` is
  the one whose counters are all losses.
- ``RECORD(name, type)``: what a ring buffer or iterator of that name yields; ``NAME_batch``,
  ``NAME_portion`` and ``NAME_filled`` are where an iterator leaves it (``BATCH``).
- ``epoch``: a global that grows just before each read (``update_max``).
- ``const volatile`` variables are set from what the caller passes.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ktop.frame import Array
from ktop.kernel import libbpf, perf
from ktop.kernel.choice import Choice
from ktop.kernel.facts import kernel_version
from ktop.kernel.maps import BatchedIterator, CpuArray, Iterator, KeyedMap, Ring
from ktop.kernel.prepare import object_btf, prepare
from ktop.kernel.reasons import explain
from ktop.pane import PerfEvent

OBJECTS = Path(__file__).resolve().parent.parent / "objects"

_CULPRIT = re.compile(r"libbpf: prog '([^']+)': .*(?:failed|error)")
_ERRNO = re.compile(r"libbpf: prog '[^']+': failed to (?:load|prepare|attach).*?(-\d+)\s*$")


class LoadError(Exception):
    """A family cannot be loaded; the text says why and what to do."""

    def __init__(self, reason: str, log: Iterable[str] = ()) -> None:
        """``log``: what libbpf and the verifier said."""
        super().__init__(reason)
        self.log = list(log)


class Family:
    """One loaded object: its live hooks and readers."""

    def __init__(self, name: str, handle: int, choice: Choice, log: list[str]) -> None:
        """Take over an object that is loaded; ``load`` makes them."""
        self.name = name
        self.log = log
        self.choice = choice
        self._lib = libbpf.library()
        self._object = handle
        self._links: dict[str, list[int]] = {}
        self._perf_fds: dict[str, list[int]] = {}
        self._perf_labels: dict[str, str] = {}
        self._programs = {
            self._lib.bpf_program__name(program).decode(): program
            for program in libbpf.each(self._lib.bpf_object__next_program, handle)
        }
        self._maps = {
            self._lib.bpf_map__name(bpf_map).decode(): bpf_map
            for bpf_map in libbpf.each(self._lib.bpf_object__next_map, handle)
        }
        # Asked for at every tick; libbpf's answers never change once it is loaded.
        self._sections = {
            name: self._lib.bpf_program__section_name(program).decode().lstrip("?")
            for name, program in self._programs.items()
        }
        self._program_fds = {
            name: self._lib.bpf_program__fd(self._programs[name]) for name in choice.programs()
        }
        self._info = libbpf.ProgInfo()
        self._info_size = ctypes.c_uint32(ctypes.sizeof(self._info))
        self._info_place, self._info_length = ctypes.byref(self._info), ctypes.byref(self._info_size)
        self._btf = object_btf(handle)
        self._arrays: dict[str, CpuArray | KeyedMap | Iterator | BatchedIterator] = {}
        self._rings: dict[str, Ring] = {}
        self._bss: mmap.mmap | None = None
        self._epoch = self._global("epoch")
        self._iterator_links: list[int] = []
        self._open_readers()

    # -- hooks ---------------------------------------------------------------

    def section(self, program: str) -> str:
        """Return where a program hangs, such as ``tp_btf/sched_switch``."""
        section, label = self._sections[program], self._perf_labels.get(program)
        return f"{section} {label}" if label else section

    def hooks(self) -> dict[str, str]:
        """Return where each attached group hangs, by group."""
        taken = self.choice.taken()
        parts = {group: self.choice.parts[taken[group]] for group in list(self._links) if group in taken}
        return {group: " + ".join(map(self.section, programs)) for group, programs in parts.items()}

    def attach(
        self, groups: Iterable[str], perf_events: Mapping[str, tuple[PerfEvent, ...]]
    ) -> dict[str, OSError]:
        """Attach those ``groups`` that are not yet; return what the kernel refused, by group.

        ``perf_events`` by the name of the program (attached to) or map (put
        in).  Where a map's events are refused nothing is attached: what reads
        them would cost and find nothing.
        """
        taken = self.choice.taken()
        for name, alternatives in perf_events.items():
            if name in self._maps and name not in self._perf_fds:
                try:
                    self._fill(name, alternatives)
                except OSError as error:
                    self._close_events()
                    return {name: error}
        failed: dict[str, OSError] = {}
        for group in groups:
            variant = taken.get(group)
            if variant is None or group in self._links or self._is_iterator(variant):
                continue
            try:
                if variant in perf_events:
                    self._links[group] = self._attach_perf(variant, perf_events[variant])
                else:
                    self._links[group] = self._attach_parts(variant)
            except OSError as error:
                failed[group] = error
        return failed

    def function_variants(self) -> set[str]:
        """Return the variants taken that hang on functions: loading does not tell whether they can."""
        variants = self.choice.programs().items()
        return {variant for part, variant in variants if self.section(part).startswith(("fentry/", "fexit/"))}

    def try_to_attach(self, variants: Iterable[str]) -> dict[str, OSError]:
        """Attach and detach each; return what the kernel refused (functions that were inlined)."""
        failed = {}
        for variant in variants:
            try:
                self._destroy(self._attach_parts(variant))
            except OSError as error:
                failed[variant] = error
        return failed

    def _is_iterator(self, variant: str) -> bool:
        return self.section(self.choice.parts[variant][0]).startswith("iter/")

    def _attach_parts(self, variant: str) -> list[int]:
        """Return the links of all programs of a variant; attaches none where one is refused."""
        links: list[int] = []
        try:
            for part in self.choice.parts[variant]:
                links.append(self._lib.bpf_program__attach(self._programs[part]))  # noqa: PERF401 - kept on failure
        except OSError:
            self._destroy(links)
            raise
        return links

    def _destroy(self, links: Iterable[int]) -> None:
        for link in links:
            self._lib.bpf_link__destroy(link)

    def detach(self, groups: Iterable[str] | None = None) -> None:
        """Detach ``groups``, all when None; what they counted stays."""
        for group in list(self._links) if groups is None else list(groups):
            self._destroy(self._links.pop(group, []))
        if groups is None:
            self._close_events()

    def _close_events(self) -> None:
        for fds in self._perf_fds.values():
            for fd in fds:
                os.close(fd)
        self._perf_fds.clear()

    def _attach_perf(self, program: str, alternatives: tuple[PerfEvent, ...]) -> list[int]:
        event, fds = perf.open_everywhere(alternatives)
        self._perf_labels[program] = event.label
        links: list[int] = []
        try:
            # A link owns its fd from here on (bpf_link_perf_detach closes it).
            links.extend(
                self._lib.bpf_program__attach_perf_event(self._programs[program], fd) for fd in fds.values()
            )
        except OSError:
            self._destroy(links)
            for fd in list(fds.values())[len(links) :]:
                os.close(fd)
            raise
        return links

    def _fill(self, name: str, alternatives: tuple[PerfEvent, ...]) -> None:
        _event, fds = perf.open_everywhere(alternatives)
        self._perf_fds[name] = list(fds.values())
        map_fd = self._lib.bpf_map__fd(self._maps[name])
        for cpu, fd in fds.items():
            key, value = ctypes.c_uint32(cpu), ctypes.c_uint32(fd)
            self._lib.bpf_map_update_elem(map_fd, ctypes.byref(key), ctypes.byref(value), 0)

    # -- reading -------------------------------------------------------------

    def read(self) -> tuple[dict[str, Array], dict[str, list[bytes]], int]:
        """Return (maps, tails, total lost) for a Reading."""
        if self._epoch is not None:
            self._epoch.value += 1
        maps = {name: reader.read() for name, reader in self._arrays.items()}
        tails: dict[str, list[bytes]] = {}
        for name, ring in self._rings.items():
            maps[name], tails[name] = ring.read()
        losses = maps.pop("lost", None)
        lost = 0 if losses is None else int(sum(losses[name].sum() for name in losses.dtype.names or ()))
        return maps, tails, lost + self.recursion_misses()

    def drain(self) -> None:
        """Empty the ring buffers, between two reads that are far apart; ``read`` returns it all."""
        for ring in self._rings.values():
            ring.drain()

    def recursion_misses(self) -> int:
        """Return how often programs were not run because they were running; asked at every tick."""
        ask, info, missed = self._lib.bpf_obj_get_info_by_fd, self._info, 0
        for fd in self._program_fds.values():
            # The kernel takes what it left there as wishes.
            ctypes.memset(self._info_place, 0, self._info_size.value)
            ask(fd, self._info_place, self._info_length)
            missed += info.recursion_misses
        return missed

    def programs(self) -> dict[str, libbpf.ProgInfo]:
        """Return run_time_ns, run_cnt and recursion_misses of every loaded program, by name."""
        found = {}
        for name, fd in self._program_fds.items():
            info = libbpf.ProgInfo()
            size = ctypes.c_uint32(ctypes.sizeof(info))
            self._lib.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
            found[name] = info
        return found

    def map_fd(self, name: str) -> int:
        """Return the file descriptor of a map; KeyError when there is none of that name."""
        fd: int = self._lib.bpf_map__fd(self._maps[name])
        return fd

    def close(self) -> None:
        """Detach everything and unload."""
        self.detach()
        for reader in [*self._arrays.values(), *self._rings.values()]:
            reader.close()
        self._arrays.clear()
        self._rings.clear()
        self._epoch = None
        self._destroy(self._iterator_links)
        self._iterator_links.clear()
        if self._object:
            self._lib.bpf_object__close(self._object)
            self._object = 0

    def _open_readers(self) -> None:
        lib = self._lib
        for name, bpf_map in self._maps.items():
            kind, fd = lib.bpf_map__type(bpf_map), lib.bpf_map__fd(bpf_map)
            if lib.bpf_map__is_internal(bpf_map) or fd < 0:
                continue
            entries = lib.bpf_map__max_entries(bpf_map)
            if kind == libbpf.MAP_TYPE_RINGBUF:
                self._rings[name] = Ring(fd, self._record(name))
            elif kind == libbpf.MAP_TYPE_ARRAY and lib.bpf_map__map_flags(bpf_map) & libbpf.F_MMAPABLE:
                value = self._btf.dtype(lib.bpf_map__btf_value_type_id(bpf_map))
                self._arrays[name] = CpuArray(fd, value, entries)
            elif kind in {libbpf.MAP_TYPE_HASH, libbpf.MAP_TYPE_LRU_HASH} and not name.startswith("_"):
                key = self._btf.dtype(lib.bpf_map__btf_key_type_id(bpf_map))
                value = self._btf.dtype(lib.bpf_map__btf_value_type_id(bpf_map))
                self._arrays[name] = KeyedMap(fd, key, value, entries)
        for group, program in self.choice.taken().items():
            if self._is_iterator(program):
                link = self._attach_iterator(program)
                self._iterator_links.append(link)
                self._arrays[group] = self._iterator(lib.bpf_link__fd(link), group)

    def _iterator(self, link_fd: int, group: str) -> Iterator | BatchedIterator:
        record = self._record(group)
        portion, filled = self._global(f"{group}_portion"), self._global(f"{group}_filled")
        if portion is None or filled is None:
            return Iterator(link_fd, record)
        return BatchedIterator(link_fd, self.map_fd(f"{group}_batch"), record, portion, filled)

    def _attach_iterator(self, program: str) -> int:
        """Return the link of an iterator; one over socket storage, or its substitute, needs the map."""
        lib = self._lib
        handle, options = self._programs[program], None
        if self.section(program) in {"iter/bpf_sk_storage_map", "iter/bpf_map_elem"}:
            kept = libbpf.MAP_TYPE_SK_STORAGE
            storage = next(name for name, m in self._maps.items() if lib.bpf_map__type(m) == kept)
            map_fd = ctypes.c_uint32(self.map_fd(storage if self.choice.storage else f"_{storage}"))
            size = ctypes.sizeof(libbpf.IterOptions)
            options = ctypes.byref(libbpf.IterOptions(size, ctypes.pointer(map_fd), ctypes.sizeof(map_fd)))
        link: int = lib.bpf_program__attach_iter(handle, options)
        return link

    def _record(self, name: str) -> np.dtype[Any]:
        dtype = self._btf.record(name)
        if dtype is None:
            raise LoadError(f"the object of {self.name} does not declare RECORD({name}, ...)")
        return dtype

    def _global(self, name: str) -> ctypes.c_uint32 | None:
        """Return a 32-bit global of .bss, in place (mmapable since 5.5), or None."""
        place = self._btf.section(".bss").get(name)
        if place is None:
            return None
        if self._bss is None:
            bpf_map = next(m for n, m in self._maps.items() if n.endswith(".bss"))
            size = -(-self._lib.bpf_map__value_size(bpf_map) // mmap.PAGESIZE) * mmap.PAGESIZE
            self._bss = mmap.mmap(self._lib.bpf_map__fd(bpf_map), size)
        return ctypes.c_uint32.from_buffer(self._bss, place[0])


def _open(path: Path) -> int:
    try:
        handle: int = libbpf.library().bpf_object__open_file(os.fsencode(path), None)
    except OSError as error:
        reason = f"{path.name} cannot be opened ({error.strerror}): build it with bpf/build.py"
        raise LoadError(reason) from error
    return handle


def load(
    name: str,
    constants: Mapping[str, int] | None = None,
    sizes: Mapping[str, int] | None = None,
    path: Path | None = None,
) -> Family:
    """Load bpf/NAME.bpf.c's object with the best variant of each group that this kernel takes.

    ``constants`` sets ``const volatile`` variables, ``sizes`` max_entries by
    map.  Nothing is attached yet.  LoadError when no combination loads.
    """
    path = path or OBJECTS / f"{name}.bpf.o"
    choice: Choice | None = None
    tried: set[str] = set()
    log: list[str] = []
    lines: list[str] = []
    try:
        lib = libbpf.library()
    except OSError as error:
        raise LoadError(f"{libbpf.SONAME} is missing: apt install libbpf1") from error
    while True:
        handle = _open(path)
        if choice is None:
            programs = libbpf.each(lib.bpf_object__next_program, handle)
            names = [lib.bpf_program__name(program).decode() for program in programs]
            choice = Choice.among(names, kernel_version())
        try:
            prepare(handle, choice, constants or {}, sizes or {})
        except BaseException:
            lib.bpf_object__close(handle)
            raise
        try:
            if log:  # the second time on, to know who is to blame
                with libbpf.messages() as lines:
                    lib.bpf_object__load(handle)
            else:
                lib.bpf_object__load(handle)
        except OSError as error:
            lib.bpf_object__close(handle)
            if not log:
                log.append(f"{name}: {error.strerror}")
                continue
            log.extend(lines)
            _blame(choice, lines, error, log)
            if not choice.taken():
                raise LoadError(next(iter(choice.missing().values()), str(error)), log) from error
            continue
        try:
            family = Family(name, handle, choice, log)
        except OSError as error:
            lib.bpf_object__close(handle)
            raise LoadError(explain(error.errno or 0, name), log) from error
        untried = family.function_variants() - tried
        if not untried:
            return family
        for variant, reason in family.try_to_attach(untried).items():
            choice.refused[variant] = explain(reason.errno or 0, variant)
            log.append(f"{choice.refused[variant]} (attach)")
        tried |= untried
        # And load again: before 5.13, f3a95075549e, such a program can be attached only once.
        family.close()


def _blame(choice: Choice, lines: list[str], error: OSError, log: list[str]) -> None:
    """Refuse the variant that libbpf's messages name; LoadError when they name none."""
    probe = libbpf.library().libbpf_probe_bpf_map_type
    if choice.storage and not probe(libbpf.MAP_TYPE_TASK_STORAGE, None):
        choice.storage = False
        return
    taken = choice.programs()
    culprit = next((m[1] for line in lines if (m := _CULPRIT.match(line)) and m[1] in taken), None)
    if culprit is None:
        last = next((line.removeprefix("libbpf: ") for line in reversed(lines)), "")
        raise LoadError(explain(error.errno or 0, last or "load"), log) from error
    numbers = [int(m[1]) for line in lines if (m := _ERRNO.match(line))]
    choice.refused[taken[culprit]] = explain(numbers[0] if numbers else error.errno or 0, culprit)
