"""Names for the addresses of stacks, through bcc, on a thread of its own.

``bcc.SymbolCache`` is what ``BPF.sym`` and ``BPF.ksym`` look up in; those keep
one for every PID for ever, here it is freed with the process.

bcc reads what addresses mean from ELF files, separate debug files, the maps
of JIT compilers (/tmp/perf-PID.map) and the kernel, in the process's own mount
namespace.  It costs 60 MiB, so it is imported when the first stack is to be
named.

Before 0.33 (68710c4f) bcc closes a file that is none of its own, whichever, for each
executable memfd in a process, so it gets no files but its own.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from ktop.frame import Array, Frame, Rows, take
from ktop.kernel.own_files import OwnFiles
from ktop.process import TICK_NS, living_thread, start_of

MISSING = "stacks have no names: bcc is missing: apt install python3-bpfcc"
SPACES_MAX = 32
"""Address spaces whose symbols are kept: bcc holds a few MiB of each."""
STACKS_MAX = 50_000
"""Distinct named stacks kept, so that Frames share equal ones."""
KERNEL_FOR_S = 300.0
"""The kernel's symbols are read anew after so long: modules and BPF programs come and go."""
PROCESS_FOR_S = 30.0
"""Those of a process with unknown addresses: bcc overlooks libraries and JIT code that come later."""
NAMES_MAX = 50_000
"""Addresses remembered of one address space."""
WAITING_MAX = 8
"""Frames that may wait for names; later ones pass with addresses instead."""
LINGER_S = 60.0
"""Without a stack to name for so long, the symbols of processes are freed."""

_UNKNOWN = "[unknown]"

Stack: TypeAlias = tuple[int, ...] | None
Named: TypeAlias = tuple[str, ...] | None


@dataclass(slots=True)
class _Space:
    """What is known of one address space."""

    cache: Any = None
    """bcc's; None when the process had gone before it was asked for."""
    since: float = field(default_factory=time.monotonic)
    names: dict[int, str] = field(default_factory=dict)
    unknown: bool = False
    """Whether an address had no name."""
    used: int = 0
    """The number of the last Frame it was in."""


class Namer:
    """Turns addresses into names; remembers them.  Not thread-safe."""

    def __init__(self) -> None:
        """Import bcc; ImportError where it is not installed, OSError where it can get no files of its own."""
        self._cache, self._free_cache = _bcc()
        self._files = OwnFiles("bcc")
        self._spaces: dict[tuple[int, int, int], _Space] = {}
        self._kernel = _Space()
        self._stacks: dict[tuple[str, ...], list[str]] = {}
        self._frames = 0

    def name(self, frame: Frame) -> Frame:
        """Return ``frame`` with names for addresses, rows that now are equal added up."""
        return self._files.call(self._name, frame)

    def free(self) -> None:
        """Free all that bcc holds of processes and the kernel."""
        self._files.call(self._free_all)

    def close(self) -> None:
        """Free all, for good."""
        self.free()
        self._files.stop()

    def _name(self, frame: Frame) -> Frame:
        self._frames += 1
        rows = frame.rows
        merged: dict[tuple[Any, ...], tuple[int, int]] = {}
        columns = ("pid", "start_ns", "exec_id", "samples", "user_stack", "kernel_stack")
        for index, (pid, start_ns, exec_id, samples, user, kernel) in enumerate(
            zip(*(rows[name].tolist() for name in columns), strict=True)
        ):
            space = (pid, start_ns, exec_id)
            key = (*space, self._user(space, user), self._in_kernel(kernel))
            merged[key] = (index, merged.get(key, (0, 0))[1] + samples)
        out = take(rows, np.array([index for index, _count in merged.values()], dtype=np.intp))
        out["samples"] = np.array([count for _index, count in merged.values()], dtype=np.int64)
        out["user_stack"] = self._column([key[3] for key in merged])
        out["kernel_stack"] = self._column([key[4] for key in merged])
        self._forget()
        return replace(frame, rows=out)

    def _column(self, stacks: list[Named]) -> Array:
        """Return the stacks as lists, equal ones the same list: Frames are kept for minutes."""
        if len(self._stacks) > STACKS_MAX:
            self._stacks.clear()
        shared = [None if stack is None else self._stacks.setdefault(stack, list(stack)) for stack in stacks]
        return object_column(shared)

    def _user(self, key: tuple[int, int, int], stack: Stack) -> Named:
        if not stack:
            return None if stack is None else ()
        space = self._spaces.get(key)
        if space is None:
            pid, start_ns, _exec_id = key
            # Of a first thread that ended before the others nothing is mapped.
            cache = self._cache(living_thread(pid)) if _is_same(pid, start_ns) else None
            space = self._spaces[key] = _Space(cache)
        space.used = self._frames
        return _named(space, stack)

    def _in_kernel(self, stack: Stack) -> Named:
        if not stack:
            return None if stack is None else ()
        if self._kernel.cache is None or time.monotonic() - self._kernel.since > KERNEL_FOR_S:
            self._free_kernel()
            self._kernel.cache = self._cache(-1)
        return _named(self._kernel, stack)

    def _forget(self) -> None:
        """Free what ended processes leave, what is to be read anew, and what is too much."""
        for key, space in list(self._spaces.items()):
            ended = space.used < self._frames and not _is_same(key[0], key[1])
            stale = space.unknown and space.cache and time.monotonic() - space.since > PROCESS_FOR_S
            if ended or stale or len(space.names) > NAMES_MAX:
                self._free(key)
        by_use = sorted(self._spaces, key=lambda key: self._spaces[key].used)
        for key in by_use[: max(len(by_use) - SPACES_MAX, 0)]:
            self._free(key)

    def _free(self, key: tuple[int, int, int]) -> None:
        space = self._spaces.pop(key)
        if space.cache is not None:
            self._free_cache(space.cache.cache, key[0])

    def _free_all(self) -> None:
        for key in list(self._spaces):
            self._free(key)
        self._free_kernel()

    def _free_kernel(self) -> None:
        if self._kernel.cache is not None:
            self._free_cache(self._kernel.cache.cache, -1)
        self._kernel = _Space()


def _bcc() -> tuple[Callable[[int], Any], Callable[[Any, int], Any]]:
    """Return what makes the symbols of a process, by PID, and what frees them; ImportError without bcc."""
    # OSError: the module is there and its library is not.
    try:
        import bcc
        from bcc import libbcc
    except OSError as error:
        raise ImportError(str(error)) from error
    return bcc.SymbolCache, libbcc.lib.bcc_free_symcache


def _named(space: _Space, stack: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names, outermost first, several unknown ones in a row as one.

    Without frame pointers the kernel takes whatever a register holds for the
    caller: unknown ones outside of all others say nothing and are left out.
    """
    names = space.names
    found: list[str] = []
    for depth, address in enumerate(reversed(stack)):
        # A return address may be the first of the next function: ask for the call before it.
        asked = address - 1 if depth else address
        name = names.get(asked)
        if name is None:
            name = names[asked] = _resolve(space.cache, asked)
            space.unknown |= name == _UNKNOWN
        if name != _UNKNOWN or found[-1:] != [_UNKNOWN]:
            found.append(name)
    if len(found) > 1 and found[-1] == _UNKNOWN:
        found.pop()
    return tuple(reversed(found))


def _resolve(cache: Any, address: int) -> str:
    """Return the function at ``address``, ``[file]`` where only that is known, else ``[unknown]``."""
    if cache is None:
        return _UNKNOWN
    demangle = True
    name, _offset, module = cache.resolve(address, demangle)
    if name:
        return str(name.decode(errors="backslashreplace"))
    if module:
        # The kernel's own mappings come in brackets already: [vdso].
        return f"[{module.rpartition(b'/')[2].strip(b'[]').decode(errors='backslashreplace')}]"
    return _UNKNOWN


def _is_same(pid: int, start_ns: int) -> bool:
    """Return whether ``pid`` is still the process that started at ``start_ns``."""
    return start_of(pid) == start_ns // TICK_NS * TICK_NS


def object_column(values: list[Any]) -> Array:
    """Return ``values``, which may be sequences, as an object column, shape (rows,)."""
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    return column


def with_addresses(frame: Frame, why: str) -> Frame:
    """Return ``frame`` with addresses in place of names, and the reason in its status."""

    def column(rows: Rows, name: str) -> Array:
        stacks = rows[name].tolist()
        return object_column(
            [None if stack is None else [hex(address) for address in stack] for stack in stacks]
        )

    rows = {**frame.rows, **{name: column(frame.rows, name) for name in ("user_stack", "kernel_stack")}}
    status = replace(frame.status, refused={**frame.status.refused, "symbols": why})
    return replace(frame, rows=rows, status=status)


class Symbols:
    """Names Frames in the background, in their order."""

    def __init__(self, done: Callable[[Frame], None]) -> None:
        """``done`` takes each Frame when it is named, on the thread of this class."""
        self._done = done
        self._waiting: queue.Queue[Frame | None] = queue.Queue()
        threading.Thread(target=self._run, name="symbols", daemon=True).start()

    def name(self, frame: Frame) -> None:
        """Have ``frame`` (of the shape STACKS, with addresses) named; returns at once."""
        self._waiting.put(frame)

    def stop(self) -> None:
        """Drop what waits, and free all when the lookup under way is done; returns at once."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._waiting.put(None)

    def _run(self) -> None:
        namer: Namer | None = None
        why = ""
        while True:
            try:
                frame = self._waiting.get(timeout=LINGER_S if namer else None)
            except queue.Empty:
                if namer:
                    namer.free()
                continue
            if frame is None:
                break
            try:
                namer = namer or (None if why else Namer())
                if namer is None or self._waiting.qsize() >= WAITING_MAX:
                    frame = with_addresses(frame, why or "stacks come faster than they can be named")
                else:
                    frame = namer.name(frame)
            except ImportError as error:
                why = f"{MISSING} ({error})"
                frame = with_addresses(frame, why)
            except Exception as error:  # noqa: BLE001 - a stack without names is better than no stack
                frame = with_addresses(frame, f"naming failed: {type(error).__name__}: {error}")
            self._done(frame)
        if namer:
            namer.close()
