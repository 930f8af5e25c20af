"""The part of libbpf.so.1 that ktop uses, through ctypes.

Functions that fail raise OSError with libbpf's errno; ctypes releases the GIL
for the length of every call, so nothing here holds up the screen.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

SONAME = "libbpf.so.1"

MAP_TYPE_HASH, MAP_TYPE_ARRAY, MAP_TYPE_PERF_EVENT_ARRAY, MAP_TYPE_LRU_HASH = 1, 2, 4, 9
MAP_TYPE_ARRAY_OF_MAPS, MAP_TYPE_SK_STORAGE, MAP_TYPE_RINGBUF, MAP_TYPE_TASK_STORAGE = 12, 24, 27, 29
F_MMAPABLE, F_INNER_MAP = 1 << 10, 1 << 12

PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_void_p, c_void_p)
SAMPLE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)


class ProgInfo(ctypes.Structure):
    """The head of struct bpf_prog_info (include/uapi/linux/bpf.h); the kernel fills what fits."""

    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("tag", ctypes.c_uint8 * 8),
        ("jited_prog_len", c_uint32),
        ("xlated_prog_len", c_uint32),
        ("jited_prog_insns", c_uint64),
        ("xlated_prog_insns", c_uint64),
        ("load_time", c_uint64),
        ("created_by_uid", c_uint32),
        ("nr_map_ids", c_uint32),
        ("map_ids", c_uint64),
        ("name", ctypes.c_char * 16),
        ("ifindex", c_uint32),
        ("gpl_compatible", c_uint32),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("nr_jited_ksyms", c_uint32),
        ("nr_jited_func_lens", c_uint32),
        ("jited_ksyms", c_uint64),
        ("jited_func_lens", c_uint64),
        ("btf_id", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("nr_func_info", c_uint32),
        ("nr_line_info", c_uint32),
        ("line_info", c_uint64),
        ("jited_line_info", c_uint64),
        ("nr_jited_line_info", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("jited_line_info_rec_size", c_uint32),
        ("nr_prog_tags", c_uint32),
        ("prog_tags", c_uint64),
        ("run_time_ns", c_uint64),
        ("run_cnt", c_uint64),
        ("recursion_misses", c_uint64),
        ("verified_insns", c_uint32),
    )


class MapOptions(ctypes.Structure):
    """The head of struct bpf_map_create_opts."""

    _fields_ = (("sz", c_size_t), ("btf", c_uint32 * 4), ("inner_map_fd", c_uint32), ("map_flags", c_uint32))


def _pointer(result: int | None, function: Any, _arguments: object) -> int:
    """NULL is an error: libbpf 1.x leaves its errno."""
    if not result:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{os.strerror(errno)} ({function.__name__})")
    return result


def _status(result: int, function: Any, _arguments: object) -> int:
    """Negative is -errno."""
    if result < 0:
        raise OSError(-result, f"{os.strerror(-result)} ({function.__name__})")
    return result


_P, _S = c_void_p, c_char_p
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...], Any]] = {
    "libbpf_set_print": (c_void_p, (c_void_p,), None),
    "libbpf_num_possible_cpus": (c_int, (), _status),
    "libbpf_version_string": (_S, (), None),
    "libbpf_probe_bpf_map_type": (c_int, (c_int, c_void_p), _status),
    "bpf_object__open_file": (_P, (_S, _P), _pointer),
    "bpf_object__load": (c_int, (_P,), _status),
    "bpf_object__close": (None, (_P,), None),
    "bpf_object__next_program": (_P, (_P, _P), None),
    "bpf_object__next_map": (_P, (_P, _P), None),
    "bpf_object__btf": (_P, (_P,), _pointer),
    "btf__raw_data": (_P, (_P, ctypes.POINTER(c_uint32)), _pointer),
    "bpf_program__name": (_S, (_P,), None),
    "bpf_program__section_name": (_S, (_P,), None),
    "bpf_program__set_autoload": (c_int, (_P, ctypes.c_bool), _status),
    "bpf_program__fd": (c_int, (_P,), None),
    "bpf_program__attach": (_P, (_P,), _pointer),
    "bpf_program__attach_iter": (_P, (_P, _P), _pointer),
    "bpf_program__attach_perf_event": (_P, (_P, c_int), _pointer),
    "bpf_map_create": (c_int, (c_int, _S, c_uint32, c_uint32, c_uint32, _P), _status),
    "bpf_map__name": (_S, (_P,), None),
    "bpf_map__fd": (c_int, (_P,), None),
    "bpf_map__type": (c_int, (_P,), None),
    "bpf_map__value_size": (c_uint32, (_P,), None),
    "bpf_map__max_entries": (c_uint32, (_P,), None),
    "bpf_map__set_autocreate": (c_int, (_P, ctypes.c_bool), _status),
    "bpf_map__set_max_entries": (c_int, (_P, c_uint32), _status),
    "bpf_map__map_flags": (c_uint32, (_P,), None),
    "bpf_map__is_internal": (ctypes.c_bool, (_P,), None),
    "bpf_map__btf_key_type_id": (c_uint32, (_P,), None),
    "bpf_map__btf_value_type_id": (c_uint32, (_P,), None),
    "bpf_map__initial_value": (_P, (_P, ctypes.POINTER(c_size_t)), _pointer),
    "bpf_map_update_elem": (c_int, (c_int, _P, _P, c_uint64), _status),
    "bpf_map_lookup_elem": (c_int, (c_int, _P, _P), _status),
    "bpf_map_lookup_batch": (c_int, (c_int, _P, _P, _P, _P, ctypes.POINTER(c_uint32), _P), None),
    "bpf_map_update_batch": (c_int, (c_int, _P, _P, ctypes.POINTER(c_uint32), _P), _status),
    "bpf_link__fd": (c_int, (_P,), None),
    "bpf_link__destroy": (c_int, (_P,), None),
    "bpf_iter_create": (c_int, (c_int,), _status),
    "bpf_obj_get_info_by_fd": (c_int, (c_int, _P, ctypes.POINTER(c_uint32)), _status),
    "bpf_enable_stats": (c_int, (c_int,), _status),
    "ring_buffer__new": (_P, (c_int, SAMPLE, _P, _P), _pointer),
    "ring_buffer__consume": (c_int, (_P,), _status),
    "ring_buffer__free": (None, (_P,), None),
}
"""By name: result, arguments, check."""

_library: ctypes.CDLL | None = None


def library() -> Any:
    """Return libbpf with its signatures declared; OSError when it is not installed."""
    global _library  # noqa: PLW0603 - opened once, on first use, so that `ktop demo` never needs it
    if _library is None:
        opened = ctypes.CDLL(SONAME, use_errno=True)
        for name, (result, arguments, check) in _SIGNATURES.items():
            function = getattr(opened, name)
            function.restype = result
            function.argtypes = arguments
            if check is not None:
                function.errcheck = check
        # Messages would land in the middle of the screen; `messages` collects them when wanted.
        opened.libbpf_set_print(_SILENCE)
        _library = opened
    return _library


_collecting: dict[int, list[str]] = {}
"""Where the messages for a thread go, by its identifier."""
_switching = threading.Lock()
_libc = ctypes.CDLL(None)
_SILENCE = ctypes.cast(_libc.abs, c_void_p)
"""Says nothing: a function of C that looks at its first argument only, an int.  NULL would mean the same,
but libbpf (1.5.0) looks whether there is a function before it calls it, and it may be gone in between."""


def _collect(level: int, form: int, arguments: int) -> int:
    lines = _collecting.get(threading.get_ident())
    # LIBBPF_DEBUG is hundreds of lines, one each relocation.
    if lines is not None and level <= 1:
        # va_list reaches a callee as a pointer on x86-64 and arm64 alike.
        text = ctypes.create_string_buffer(1 << 16)
        _libc.vsnprintf(text, c_size_t(len(text)), c_void_p(form), c_void_p(arguments))
        lines.extend(text.value.decode(errors="replace").splitlines())
    return 0


_PRINT = PRINT(_collect)


@contextlib.contextmanager
def messages() -> Iterator[list[str]]:
    """Collect what libbpf and the verifier say to this thread meanwhile, as a list of lines.

    libbpf has one print function for all threads, and others may be on their
    way into it whenever it is taken away: it is one function (``_PRINT``), and never freed.
    """
    me, lines = threading.get_ident(), list[str]()
    with _switching:
        _collecting[me] = lines
        library().libbpf_set_print(ctypes.cast(_PRINT, c_void_p))
    try:
        yield lines
    finally:
        with _switching:
            del _collecting[me]
            if not _collecting:
                library().libbpf_set_print(_SILENCE)


def each(next_function: Any, owner: int) -> list[int]:
    """Return all programs or maps of an object, in the order of the file."""
    found = []
    item = next_function(owner, None)
    while item:
        found.append(item)
        item = next_function(owner, item)
    return found
