"""Frames to bytes and back: msgpack, one array a column, compressed with zstandard.

Frames of one pane are stored together, column by column: a column of twenty
intervals packs better and decodes in the time of one.  What is decoded may
come from a stranger's file, so nothing in it is executed or trusted: array
types are on a list, sizes are bounded, and anything else raises CodecError.

Layout (msgpack): ``[VERSION, [part ...]]``, each part a map: ``pane``, and for each
of its frames ``index`` (its place in the sequence given), ``ts``, ``interval_s``,
``lengths`` (rows) and ``dropped``; ``columns`` by name, ``[dtype, width, bytes]``
(width -1: one-dimensional) or ``["O", cells]``; ``extras`` (host, histograms,
status) packed once more, so that a reader of rows need not unpack it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from ktop.frame import Array, Frame, take
from ktop.recording.extras import pack_extras, unpack_extras
from ktop.recording.unpack import MAX_LENGTH, check, unpack

if TYPE_CHECKING:
    import zstandard

P = ParamSpec("P")
T = TypeVar("T")

VERSION = 1
MAX_BYTES = 64 << 20
"""Bound of one decompressed block."""
_MOST_PACKED = MAX_BYTES - (MAX_BYTES >> 8)
"""What is packed is less: of what cannot be compressed zstandard makes a 256th more."""
MAX_ROWS = MAX_LENGTH

_DTYPE = re.compile(r"[<|](?:b1|[iu][1248]|f[48]|S[1-9]\d{0,4}|V(?:[1-9]|[1-5]\d|6[0-4])|U[1-9]\d{0,3})")
_SCALARS = frozenset({type(None), bool, int, float, bytes, str})
_PLAIN = frozenset({bytes, str})


class CodecError(ValueError):
    """The bytes are no Frames (damaged, hostile or of another version), or the Frame cannot be stored."""


@dataclass(frozen=True, slots=True)
class Part:
    """Frames of one pane with the same columns: rows of all of them, one below the other."""

    pane: str
    index: tuple[int, ...]
    """Where each frame stood in the sequence that was encoded."""
    ts: Array
    """float64, shape (frames,), Unix seconds."""
    interval_s: Array
    """float64, shape (frames,)."""
    starts: Array
    """intp, shape (frames + 1,): frame i has the rows starts[i] to starts[i + 1]."""
    dropped: tuple[int, ...]
    rows: dict[str, Array]
    extras: bytes

    def frames(self) -> list[Frame]:
        """Return the Frames, whose columns are views of this part's; CodecError when it is damaged."""
        extras = _guarded(unpack_extras, self.extras, len(self.ts))
        return [
            Frame(
                self.pane,
                float(self.ts[i]),
                float(self.interval_s[i]),
                take(self.rows, slice(self.starts[i], self.starts[i + 1])),
                host,
                histograms,
                status,
                self.dropped[i],
            )
            for i, (host, histograms, status) in enumerate(extras)
        ]


def encode(frames: Sequence[Frame]) -> bytes:
    """Return ``frames`` as bytes; CodecError for an array type that cannot be stored, or too much at once."""
    try:
        raw = _packed([_pack_part(frames, places) for places in _similar(frames)])
    except CodecError:
        raise
    except (ValueError, MemoryError) as error:
        raise CodecError(f"the block cannot be encoded: {error!s:.100}") from error
    # A copy: the compressor's own result is a buffer of the input's size cut short, and keeping
    # thousands of those had glibc hold 90 MiB for 9.
    return bytes(memoryview(_tools.compressor().compress(raw)))


def encode_each(frames: Sequence[Frame]) -> Iterator[tuple[Sequence[Frame], bytes]]:
    """Yield ``frames`` in as many blocks as they take, one where that is enough, and each as bytes.

    A Frame that is too much alone loses its rows; CodecError when that does not help.
    """
    try:
        data = encode(frames)
    except CodecError:
        if len(frames) > 1:
            half = len(frames) // 2
            yield from encode_each(frames[:half])
            yield from encode_each(frames[half:])
            return
        frames = [without_rows(frame) for frame in frames]
        data = encode(frames)
    yield frames, data


def without_rows(frame: Frame) -> Frame:
    """Return ``frame`` with its rows counted as dropped."""
    return replace(frame, rows={}, dropped=frame.dropped + len(frame))


def _packed(parts: list[dict[str, Any]]) -> bytes:
    import msgpack

    check([VERSION, parts])
    raw: bytes = msgpack.packb([VERSION, parts], default=_plain, unicode_errors="surrogatepass")
    if len(raw) > _MOST_PACKED:
        raise CodecError(f"a block of {len(raw)} bytes is over the bound of {_MOST_PACKED}")
    return raw


def decode(data: bytes) -> list[Frame]:
    """Return the Frames in ``data``, in the order they were given to ``encode``; raises CodecError."""
    return in_order(decode_parts(data))


def in_order(parts: Sequence[Part]) -> list[Frame]:
    """Return the Frames of ``parts`` of one block in the order they were encoded; raises CodecError."""
    found = [pair for part in parts for pair in zip(part.index, part.frames(), strict=True)]
    found.sort(key=lambda pair: pair[0])
    return [frame for _, frame in found]


def decode_parts(data: bytes) -> list[Part]:
    """Return the parts in ``data``: the quick way to many rows; raises CodecError."""
    return _guarded(_decode_parts, data)


def _decode_parts(data: bytes) -> list[Part]:
    import zstandard

    if not 0 <= zstandard.frame_content_size(data) <= MAX_BYTES:
        raise CodecError("the block does not say its size, or one over the bound")
    raw = _tools.decompressor().decompress(data, max_output_size=MAX_BYTES, allow_extra_data=False)
    version, parts = unpack(raw)
    if version != VERSION:
        raise CodecError(f"version {version!r:.20} of the format is not known, only {VERSION}")
    return [_unpack_part(part) for part in parts]


def _guarded(function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Call ``function``; whatever hostile bytes make it raise becomes CodecError."""
    try:
        return function(*arguments, **keywords)
    except CodecError:
        raise
    except (MemoryError, RecursionError) as error:
        raise CodecError(f"the block cannot be decoded: {type(error).__name__}") from error
    except Exception as error:  # zstandard and msgpack raise own types, which are imported late
        raise CodecError(f"the block is damaged: {error!s:.100}") from error


def _similar(frames: Sequence[Frame]) -> list[list[int]]:
    """Return places of frames with the same pane and columns, whose arrays can be concatenated."""
    groups: dict[Any, list[int]] = {}
    for place, frame in enumerate(frames):
        shape = [(name, _kind(column.dtype), column.shape[1:]) for name, column in frame.rows.items()]
        groups.setdefault((frame.pane, *shape), []).append(place)
    return list(groups.values())


def _kind(dtype: np.dtype[Any]) -> str:
    """Return what must agree: text of any width may be concatenated."""
    return dtype.kind if dtype.kind in "SU" else dtype.str


def _pack_part(frames: Sequence[Frame], places: list[int]) -> dict[str, Any]:
    chosen = [frames[place] for place in places]
    if (rows := sum(map(len, chosen))) > MAX_ROWS:
        raise CodecError(f"{rows} rows are over the bound of {MAX_ROWS}")
    return {
        "pane": chosen[0].pane,
        "index": places,
        "ts": np.array([frame.ts for frame in chosen], dtype="<f8").tobytes(),
        "interval_s": np.array([frame.interval_s for frame in chosen], dtype="<f8").tobytes(),
        "lengths": [len(frame) for frame in chosen],
        "dropped": [frame.dropped for frame in chosen],
        "columns": {
            name: _pack_column(name, [frame.rows[name] for frame in chosen]) for name in chosen[0].rows
        },
        "extras": pack_extras(chosen),
    }


def _pack_column(name: str, pieces: list[Array]) -> list[Any]:
    column = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    if column.dtype.kind == "O" and column.ndim == 1:
        return ["O", column.tolist()]
    if column.dtype.itemsize == 0:
        column = column.astype(column.dtype.kind + "1")
    dtype = column.dtype.newbyteorder("<") if column.dtype.byteorder == ">" else column.dtype
    if dtype.names or column.ndim not in {1, 2} or not _DTYPE.fullmatch(dtype.str):
        raise CodecError(f"column {name} of type {column.dtype} and shape {column.shape} cannot be stored")
    return [
        dtype.str,
        column.shape[1] if column.ndim == 2 else -1,
        column.astype(dtype, copy=False).tobytes(),
    ]


def _unpack_part(part: dict[str, Any]) -> Part:
    pane, extras = part["pane"], part["extras"]
    if type(pane) is not str or len(pane) > 64 or type(extras) is not bytes:
        raise CodecError("a pane has no name")
    ts, intervals = np.frombuffer(part["ts"], "<f8"), np.frombuffer(part["interval_s"], "<f8")
    index, lengths, dropped = (_naturals(part[name], len(ts)) for name in ("index", "lengths", "dropped"))
    if len(intervals) != len(ts) or not np.isfinite(ts).all() or np.isinf(intervals).any():
        raise CodecError("a frame has no time")
    rows = sum(lengths)
    if rows > MAX_ROWS or (rows and not part["columns"]):
        raise CodecError(f"{rows} rows are over the bound of {MAX_ROWS}, or without columns")
    starts = np.zeros(len(ts) + 1, dtype=np.intp)
    np.cumsum(lengths, out=starts[1:])
    columns = {_name(name): _unpack_column(rows, *column) for name, column in part["columns"].items()}
    return Part(pane, index, ts, intervals, starts, dropped, columns, extras)


def _naturals(numbers: list[Any], count: int) -> tuple[int, ...]:
    if len(numbers) != count or not all(type(number) is int and 0 <= number < 1 << 62 for number in numbers):
        raise CodecError("the frames of a part are not described")
    return tuple(numbers)


def _name(name: object) -> str:
    if type(name) is not str or len(name) > 64:
        raise CodecError("a column has no name")
    return name


def _unpack_column(length: int, dtype: str, *content: Any) -> Array:
    if dtype == "O":
        return _unpack_cells(length, *content)
    width, raw = content
    if type(width) is not int or not -1 <= width <= MAX_ROWS or not _DTYPE.fullmatch(dtype):
        raise CodecError("a column is of a type that is not allowed")
    column = np.frombuffer(raw, dtype)
    if len(column) != (length if width < 0 else length * width):
        raise CodecError("a column has not as many cells as rows")
    if dtype == "|b1" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
        raise CodecError("a truth value is neither 0 nor 1")
    if dtype[1] == "U":
        column.tolist()  # code points above U+10FFFF raise here rather than on the screen
    return column if width < 0 else column.reshape(length, width)


def _unpack_cells(length: int, cells: object) -> Array:
    if type(cells) is not list or len(cells) != length:
        raise CodecError("a column has not as many cells as rows")
    kinds = set(map(type, cells))
    if list in kinds:
        kinds.discard(list)
        for cell in cells:
            if type(cell) is list and not _PLAIN.issuperset(map(type, cell)):
                raise CodecError("a list holds something else than text")
    if not _SCALARS.issuperset(kinds):
        raise CodecError("a cell holds something else than text or a number")
    return np.fromiter(cells, dtype=object, count=length)


def _plain(value: object) -> Any:
    """Return a numpy scalar in an object column as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    raise CodecError(f"a cell of type {type(value).__name__} cannot be stored")


class _Tools(threading.local):
    """Compressors are costly to make and not safe to share between threads."""

    def __init__(self) -> None:
        self._compressor: zstandard.ZstdCompressor | None = None
        self._decompressor: zstandard.ZstdDecompressor | None = None

    def compressor(self) -> zstandard.ZstdCompressor:
        import zstandard

        if self._compressor is None:
            self._compressor = zstandard.ZstdCompressor(level=1, write_content_size=True)
        return self._compressor

    def decompressor(self) -> zstandard.ZstdDecompressor:
        import zstandard

        if self._decompressor is None:
            self._decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_BYTES)
        return self._decompressor


_tools = _Tools()
