"""The kernel side's structures as numpy dtypes, out of the objects that are built."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from ktop.frame import Array
from ktop.kernel import libbpf
from ktop.kernel.loader import OBJECTS
from ktop.kernel.prepare import object_btf


@cache
def structures(family: str) -> dict[str, np.dtype[Any]]:
    """Return the dtypes of the structures of bpf/FAMILY.bpf.c, by name."""
    lib = libbpf.library()
    handle = lib.bpf_object__open_file(os.fsencode(OBJECTS / f"{family}.bpf.o"), None)
    try:
        return object_btf(handle).structures()
    finally:
        lib.bpf_object__close(handle)


def layout(family: str, structure: str) -> np.dtype[Any]:
    """Return the dtype of ``struct STRUCTURE`` of bpf/FAMILY.bpf.c."""
    return structures(family)[structure]


def entry(family: str, key: str, value: str) -> np.dtype[Any]:
    """Return the dtype of what a Reading has of a hash map (``ktop.kernel.maps.KeyedMap``)."""
    return np.dtype([("key", layout(family, key)), ("value", layout(family, value))])


def record(dtype: np.dtype[Any], **fields: Any) -> Array:
    """Return one record, shape (1,): these ``fields``, and zeros."""
    made = np.zeros(1, dtype)
    for name, value in fields.items():
        made[name] = value
    return made


def records(dtype: np.dtype[Any], made: Iterable[Array] = ()) -> Array:
    """Return all that were ``made``, shape (records,), as a reader does."""
    found = list(made)
    return np.array([each[0] for each in found], dtype) if found else np.zeros(0, dtype)
