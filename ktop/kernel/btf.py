"""numpy dtypes from an object's own BTF, so that no layout is written twice.

Format: Documentation/bpf/btf.rst in the kernel tree.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import numpy as np

INT, PTR, ARRAY, STRUCT, UNION, ENUM = 1, 2, 3, 4, 5, 6
TYPEDEF, VOLATILE, CONST, RESTRICT = 8, 9, 10, 11
FUNC_PROTO, VAR, DATASEC, DECL_TAG, ENUM64 = 13, 14, 15, 17, 19

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_WORDS: dict[int, int] = {INT: 1, ARRAY: 3, VAR: 1, DECL_TAG: 1}
"""32-bit words behind a type, by kind; those not here have none or some for each member."""
_WORDS_PER_MEMBER: dict[int, int] = {STRUCT: 3, UNION: 3, ENUM: 2, FUNC_PROTO: 2, DATASEC: 3, ENUM64: 3}


class Btf:
    """One BTF blob, read where asked."""

    def __init__(self, raw: bytes) -> None:
        """Index ``raw``; ValueError when it is not little-endian BTF version 1."""
        magic, version, _flags, header, type_off, type_len, str_off, str_len = _HEADER.unpack_from(raw)
        if magic != 0xEB9F or version != 1:
            raise ValueError("not BTF")
        self._raw = raw
        self._strings = raw[header + str_off : header + str_off + str_len]
        self._offsets = [0]
        offset, end = header + type_off, header + type_off + type_len
        while offset < end:
            self._offsets.append(offset)
            info = _TYPE.unpack_from(raw, offset)[1]
            kind, members = info >> 24 & 0x1F, info & 0xFFFF
            offset += _TYPE.size + 4 * (_WORDS.get(kind, 0) + members * _WORDS_PER_MEMBER.get(kind, 0))
        self._variables: dict[str, int] | None = None

    def _type(self, type_id: int) -> tuple[str, int, int, int, tuple[int, ...]]:
        """Return (name, kind, members, size or type, the words behind it)."""
        offset = self._offsets[type_id]
        name, info, size = _TYPE.unpack_from(self._raw, offset)
        kind, members = info >> 24 & 0x1F, info & 0xFFFF
        words = _WORDS.get(kind, 0) + members * _WORDS_PER_MEMBER.get(kind, 0)
        behind = struct.unpack_from(f"<{words}I", self._raw, offset + _TYPE.size)
        return self._string(name), kind, members, size, behind

    def _string(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def _resolve(self, type_id: int) -> int:
        """Return the type behind typedefs and qualifiers."""
        while True:
            _name, kind, _members, target, _words = self._type(type_id)
            if kind not in {TYPEDEF, VOLATILE, CONST, RESTRICT}:
                return type_id
            type_id = target

    def dtype(self, type_id: int) -> np.dtype[Any]:
        """Return the numpy dtype of a type, with the C padding; TypeError for what has none."""
        type_id = self._resolve(type_id)
        name, kind, members, size, words = self._type(type_id)
        if kind == INT:
            if words[0] >> 24 & 4:
                return np.dtype(np.bool_)
            return np.dtype(f"{'i' if words[0] >> 24 & 1 else 'u'}{size}")
        if kind in {ENUM, PTR}:
            return np.dtype(f"u{size if kind == ENUM else 8}")
        if kind == ARRAY:
            element, _index, count = words
            if self._type(self._resolve(element))[0] == "char":
                return np.dtype(f"S{count}")
            return np.dtype((self.dtype(element), (count,)))
        if kind == STRUCT:
            fields = [words[i * 3 : i * 3 + 3] for i in range(members)]
            return np.dtype(
                {
                    "names": [self._string(field[0]) for field in fields],
                    "formats": [self.dtype(field[1]) for field in fields],
                    "offsets": [(field[2] & 0xFFFFFF) // 8 for field in fields],
                    "itemsize": size,
                }
            )
        raise TypeError(f"no dtype for BTF kind {kind} ({name or 'anonymous'})")

    def structures(self) -> dict[str, np.dtype[Any]]:
        """Return the dtype of each structure by name, of those that have both."""
        found = {}
        for type_id in range(1, len(self._offsets)):
            name, kind, *_rest = self._type(type_id)
            if kind == STRUCT and name:
                with contextlib.suppress(TypeError):  # the kernel's own may hold unions
                    found[name] = self.dtype(type_id)
        return found

    def variables(self) -> dict[str, int]:
        """Return the type of each global variable, by name."""
        if self._variables is None:
            self._variables = {}
            for type_id in range(1, len(self._offsets)):
                name, kind, _members, target, _words = self._type(type_id)
                if kind == VAR:
                    self._variables[name] = target
        return self._variables

    def record(self, name: str) -> np.dtype[Any] | None:
        """Return the dtype named by RECORD(name, type) in the C file; None when there is none."""
        pointer = self.variables().get(f"__record_{name}")
        if pointer is None:
            return None
        return self.dtype(self._type(self._resolve(pointer))[3])

    def section(self, name: str) -> dict[str, tuple[int, int]]:
        """Return (offset, size) of each variable in a data section such as ``.rodata``."""
        for type_id in range(1, len(self._offsets)):
            found, kind, members, _size, words = self._type(type_id)
            if kind == DATASEC and found == name:
                entries = [words[i * 3 : i * 3 + 3] for i in range(members)]
                return {self._type(variable)[0]: (offset, size) for variable, offset, size in entries}
        return {}
