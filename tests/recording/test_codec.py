"""Frames survive the way to bytes and back; bytes of strangers do no harm."""

from __future__ import annotations

import math
import resource
import struct
from typing import Any

import msgpack
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ktop.frame import Array, Frame, Histogram, Losses, Status
from ktop.recording.codec import CodecError, decode, decode_parts, encode

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)
cells = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.binary(max_size=9),
    texts,
    st.lists(texts, max_size=3),
)
dtypes = st.sampled_from(
    ["?", "i1", "<i4", ">i4", "<i8", "<u8", "<f4", "<f8", ">f8", "S3", "S16", "V16", "U4"]
)


@st.composite
def columns(draw: Any, length: int) -> Array:
    kind = draw(st.sampled_from(["plain", "wide", "object"]))
    if kind == "object":
        return np.fromiter(
            draw(st.lists(cells, min_size=length, max_size=length)), dtype=object, count=length
        )
    shape: tuple[int, ...] = (length,) if kind == "plain" else (length, draw(st.integers(0, 4)))
    dtype = np.dtype(draw(dtypes))
    if dtype.kind == "V":
        count = int(np.prod(shape)) * dtype.itemsize
        return np.frombuffer(draw(st.binary(min_size=count, max_size=count)), dtype).reshape(shape)
    made: Array = draw(hnp.arrays(dtype, shape))
    return made


@st.composite
def frames(draw: Any) -> Frame:
    length = draw(st.integers(0, 5))
    names = draw(st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True))
    slots = draw(st.integers(1, 6))
    histogram = Histogram(
        np.concatenate([np.arange(slots, dtype=np.float64), [np.inf]]),
        draw(hnp.arrays(np.uint64, slots)),
        draw(st.none() | st.integers(0, 512)),
    )
    ratio = st.none() | st.floats(0, 1)
    status = Status(
        draw(st.dictionaries(texts, texts, max_size=2)),
        draw(st.dictionaries(texts, texts, max_size=2)),
        draw(st.none() | texts),
        draw(st.dictionaries(texts, st.integers(0, 2**60), max_size=2)),
        draw(ratio),
    )
    return Frame(
        draw(texts),
        draw(finite),
        draw(st.floats(allow_infinity=False)),
        {name: draw(columns(length)) for name in names},
        draw(st.dictionaries(texts, st.floats(), max_size=3)),
        (histogram,) * draw(st.integers(0, 2)),
        status,
        draw(st.integers(0, 2**40)),
    )


def same(left: object, right: object) -> bool:
    """Equal, NaN being NaN and a tuple as good as a list."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def assert_same_frame(left: Frame, right: Frame) -> None:
    assert (left.pane, left.ts) == (right.pane, right.ts)
    assert same(left.interval_s, right.interval_s)
    assert (left.status, left.dropped) == (right.status, right.dropped)
    assert list(left.host) == list(right.host)
    assert all(same(left.host[name], right.host[name]) for name in left.host)
    assert list(left.rows) == list(right.rows)
    for name, column in left.rows.items():
        assert column.dtype.kind == right.rows[name].dtype.kind
        assert same(column.tolist(), right.rows[name].tolist()), name
    assert len(left.histograms) == len(right.histograms)
    for before, after in zip(left.histograms, right.histograms, strict=True):
        assert before.cpu == after.cpu
        assert np.array_equal(before.bounds, after.bounds)
        assert np.array_equal(before.counts, after.counts)


@given(st.lists(frames(), max_size=4))
@settings(deadline=None)
def test_round_trip(given_frames: list[Frame]) -> None:
    back = decode(encode(given_frames))
    assert len(back) == len(given_frames)
    for before, after in zip(given_frames, back, strict=True):
        assert_same_frame(before, after)


def test_frames_of_one_pane_share_a_part() -> None:
    made = [Frame("p", float(i), 1.0, {"pid": np.arange(i, dtype=np.int32)}) for i in range(5)]
    (part,) = decode_parts(encode(made))
    assert part.starts.tolist() == [0, 0, 1, 3, 6, 10]
    assert part.rows["pid"].tolist() == [0, 0, 1, 0, 1, 2, 0, 1, 2, 3]


def test_bounds_of_histograms_are_stored_once() -> None:
    bounds = np.concatenate([np.random.default_rng(0).random(400).cumsum(), [np.inf]])
    frame = Frame(
        "p", 0.0, 1.0, {}, {}, tuple(Histogram(bounds, np.zeros(400, np.uint64), cpu) for cpu in range(8))
    )
    assert len(encode([frame])) < 2 * bounds.nbytes
    decoded = decode(encode([frame]))[0].histograms
    assert decoded[0].bounds is decoded[7].bounds


@pytest.mark.parametrize(
    "column",
    [
        np.zeros(2, [("a", "i4")]),
        np.zeros((2, 2, 2)),
        np.zeros(2, "datetime64[s]"),
        np.zeros(2, complex),
        np.array([object(), None]),
    ],
)
def test_what_cannot_be_stored_is_refused(column: Array) -> None:
    with pytest.raises(CodecError):
        encode([Frame("p", 0.0, 1.0, {"x": column})])


@pytest.mark.parametrize(
    ("count", "column"),
    [
        (1, np.zeros(1_100_000, np.int8)),
        (2, np.zeros(600_000, np.int8)),
        (1, np.fromiter([["f"] * 30] * 300_000, object)),
        (1, np.fromiter([["f"] * 1_100_000], object)),
        (1, np.zeros((8, 1 << 20))),
    ],
    ids=["rows", "rows together", "items", "a list", "bytes"],
)
def test_what_is_over_a_bound_of_reading_is_not_written(count: int, column: Array) -> None:
    with pytest.raises(CodecError, match="over the bound"):
        encode([Frame("p", float(ts), 1.0, {"x": column}) for ts in range(count)])


def test_of_what_is_said_of_a_frame_there_is_what_can_be_read() -> None:
    long, many = "é" * 5000, {f"k{number}": 1 for number in range(5000)}
    status = Status({long: long}, {"tp": long}, long, {long: 1} | many)
    (back,) = decode(encode([Frame("p", 1.0, 1.0, {}, {"load1": 0.5, long: 1.0} | many, (), status)]))
    cut = long[:4096]
    assert (back.status.hooks, back.status.refused, back.status.unavailable) == ({cut: cut}, {"tp": cut}, cut)
    assert (len(back.status.losses), len(back.host)) == (512, 512)
    assert (back.host["load1"], back.host[cut]) == (0.5, 1.0)


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_damage_inside_the_compressed_block_is_refused_or_gives_frames(data: st.DataObject) -> None:
    """Damage that compression does not notice must still end in Frames or CodecError."""
    rows = {
        "pid": np.arange(3),
        "comm": np.array([b"a", b"b", b"c"]),
        "o": np.array([None, b"x", "y"], object),
    }
    bounds = np.array([0.0, 1.0, np.inf])
    frame = Frame("p", 1.0, 1.0, rows, {"h": 1.0}, (Histogram(bounds, np.array([1, 2])),), Status({"a": "b"}))
    raw = bytearray(zstandard.ZstdDecompressor().decompress(encode([frame, frame])))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode(zstandard.ZstdCompressor().compress(bytes(raw)))
    except CodecError:
        return
    assert all(np.isfinite(each.ts) for each in decoded)


def part(**changes: Any) -> bytes:
    """A block of one part with one row, as a stranger may write it."""
    content: dict[str, Any] = {
        "pane": "p",
        "index": [0],
        "ts": np.zeros(1).tobytes(),
        "interval_s": np.zeros(1).tobytes(),
        "lengths": [1],
        "dropped": [0],
        "columns": {"pid": ["<i4", -1, bytes(4)]},
        "extras": msgpack.packb([[{}], [], [[]], [[[], [], None]], [[0, 0, None]]]),
    }
    return zstandard.ZstdCompressor().compress(msgpack.packb([1, [content | changes]]))


def extras(losses: object) -> bytes:
    """Those of one frame of which so much is lost."""
    packed: bytes = msgpack.packb([[{}], [], [[]], [[[], [], None]], [[0, losses, None]]])
    return packed


def test_the_hand_made_block_is_good() -> None:
    assert decode(part())[0].rows["pid"].tolist() == [0]


@pytest.mark.parametrize(
    ("stored", "losses"), [({"missed": 3}, {"missed": 3}), ({}, {}), (0, {}), (7, {"unknown": 7})]
)
def test_losses_have_kinds_and_those_of_earlier_recordings_none(stored: object, losses: Losses) -> None:
    status = decode(part(extras=extras(stored)))[0].status
    assert status.losses == losses
    assert status.lost == sum(losses.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"pane": 1},
        {"pane": "p" * 65},
        {"index": []},
        {"index": ["0"]},
        {"index": [-1]},
        {"ts": np.array([np.nan]).tobytes()},
        {"ts": b"123"},
        {"interval_s": np.array([np.inf]).tobytes()},
        {"lengths": [2]},
        {"lengths": [1 << 40]},
        {"columns": {}},
        {"columns": {"pid": ["O", [[1]]]}},
        {"columns": {"pid": ["O", [{"a": 1}]]}},
        {"columns": {"pid": ["O", [None, None]]}},
        {"columns": {"pid": ["|O8", -1, bytes(8)]}},
        {"columns": {"pid": ["<M8[s]", -1, bytes(8)]}},
        {"columns": {"pid": ["<i4,<i4", -1, bytes(8)]}},
        {"columns": {"pid": ["<i4", -1, bytes(8)]}},
        {"columns": {"pid": ["<i4", 2, bytes(4)]}},
        {"columns": {"pid": ["<i4", -2, bytes(4)]}},
        {"columns": {"pid": ["|b1", -1, b"\x07"]}},
        {"columns": {"pid": ["<U1", -1, b"\xff\xff\xff\x7f"]}},
        {"columns": {1: ["<i4", -1, bytes(4)]}},
        {"columns": []},
        {"extras": b""},
        {"extras": msgpack.packb([[{}], [b""], [[]], [[[], [], None]], [[0, 0, None]]])},
        {"extras": msgpack.packb([[{}], [], [[]], [[[], [], None]], [[1, 0, None]]])},
        {"extras": msgpack.packb([[{"a": "b"}], [], [[]], [[[], [], None]], [[0, 0, None]]])},
        {"extras": msgpack.packb([[{}], [], [[]], [[[["a", 1]], [], None]], [[0, 0, None]]])},
        {"extras": extras(-1)},
        {"extras": extras([1])},
        {"extras": extras({"missed": -1})},
        {"extras": extras({"missed": "1"})},
        {"extras": extras({1: 1})},
        {"extras": extras({"x" * 5000: 1})},
        {"extras": extras({str(kind): 1 for kind in range(1000)})},
    ],
)
def test_a_hostile_part_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        decode(part(**changes))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(CodecError, match="over the bound"):
        decode(zstandard.ZstdCompressor().compress(bytes(65 << 20)))


@pytest.mark.parametrize("nested", [b"\x90", b"\x80", b"\x91\xc0", b"\x81\xa1x\xc0"])
def test_many_small_ones_are_refused_before_they_fill_the_memory(nested: bytes) -> None:
    full = b"\xdd" + struct.pack(">I", 1 << 20) + nested * (1 << 20)
    few = (60 << 20) // len(full)
    data = zstandard.ZstdCompressor().compress(b"\x92\x01" + b"\xdc" + struct.pack(">H", few) + full * few)
    before = _peak_mib()
    with pytest.raises(CodecError, match="more than 8388608 items"):
        decode(data)
    # Built whole they take 2 to 4 GiB.
    assert _peak_mib() - before < 1400


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_another_version_is_refused() -> None:
    with pytest.raises(CodecError, match="version 2"):
        decode(zstandard.ZstdCompressor().compress(msgpack.packb([2, []])))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(CodecError):
        decode(zstandard.ZstdCompressor().compress(b"\x91" * 100_000))
