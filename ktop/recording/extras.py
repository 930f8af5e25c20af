"""What a Frame holds beside its rows, packed: the host's figures, histograms and status.

Layout (msgpack): ``[hosts, bounds, histograms, states, statuses]``.  Bounds and
states are the same from one interval to the next, so each distinct one is
stored once and referred to by its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import numpy as np

from ktop.frame import Array, Frame, Histogram, Status
from ktop.recording.unpack import check, unpack

T = TypeVar("T")

Extras: TypeAlias = tuple[dict[str, float], tuple[Histogram, ...], Status]

_MAX_SLOTS = 1 << 16
_MOST_PAIRS, _LONGEST = 512, 4096
"""Hooks, losses and figures of a Frame, and characters of what is said of them: far fewer are real."""
_known_bounds: dict[bytes, Array] = {}
"""Bounds seen before: Frames from one recording share theirs, as sampled ones do."""


def pack_extras(frames: Sequence[Frame]) -> bytes:
    """Return host, histograms and status of ``frames`` as bytes; ValueError when they are too many.

    Of texts and pairs there is only what ``unpack_extras`` takes.
    """
    import msgpack

    bounds = _Places()
    states = _Places()
    histograms = [
        [
            [
                bounds.of(np.asarray(histogram.bounds, "<f8").tobytes()),
                histogram.cpu,
                *_counts(histogram.counts),
            ]
            for histogram in frame.histograms
        ]
        for frame in frames
    ]
    statuses = [
        [
            states.of((_pairs(status.hooks), _pairs(status.refused), _cut(status.unavailable))),
            {_cut(kind): int(count) for kind, count in _first(status.losses)},
            None if status.unattributed_ratio is None else float(status.unattributed_ratio),
        ]
        for status in (frame.status for frame in frames)
    ]
    hosts = [{_cut(name): float(value) for name, value in _first(frame.host)} for frame in frames]
    content = [hosts, bounds.values(), histograms, states.values(), statuses]
    check(content)
    packed: bytes = msgpack.packb(content, unicode_errors="surrogatepass")
    return packed


def unpack_extras(data: bytes, count: int) -> list[Extras]:
    """Return host, histograms and status of each of ``count`` frames; raises anything when damaged."""
    hosts, bounds, histograms, states, statuses = unpack(data)
    if not len(hosts) == len(histograms) == len(statuses) == count:
        raise ValueError("not every frame has a status")
    edges = [_bounds(raw) for raw in bounds]
    made = [
        (_texts(hooks), _texts(refused), _optional_text(unavailable))
        for hooks, refused, unavailable in states
    ]
    return [
        (
            {_text(name): _number(value) for name, value in host.items()},
            tuple(_histogram(edges, *each) for each in frame_histograms),
            _status(made, *status),
        )
        for host, frame_histograms, status in zip(hosts, histograms, statuses, strict=True)
    ]


class _Places:
    """Distinct values and the place of each."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        return self._places.setdefault(value, len(self._places))

    def values(self) -> list[Any]:
        return list(self._places)


def _first(pairs: Mapping[str, T]) -> Iterable[tuple[str, T]]:
    return islice(pairs.items(), _MOST_PAIRS)


def _pairs(texts: Mapping[str, str]) -> tuple[tuple[str | None, str | None], ...]:
    return tuple((_cut(name), _cut(value)) for name, value in _first(texts))


def _cut(text: str | None) -> str | None:
    return text and text[:_LONGEST]


def _counts(counts: Array) -> tuple[bool, bytes]:
    """Return whether ``counts`` are whole numbers, and their bytes."""
    whole = counts.dtype.kind in "iub"
    return whole, counts.astype("<u8" if whole else "<f8").tobytes()


def _histogram(edges: list[Array], bounds: int, cpu: int | None, whole: bool, raw: bytes) -> Histogram:
    counts = np.frombuffer(raw, "<u8" if whole else "<f8")
    if type(bounds) is not int or bounds < 0 or len(edges[bounds]) != len(counts) + 1:
        raise ValueError("a histogram has not one bound more than counts")
    if cpu is not None and (type(cpu) is not int or not 0 <= cpu < 1 << 20):
        raise ValueError("a histogram is of no CPU")
    return Histogram(edges[bounds], counts, cpu)


def _bounds(raw: bytes) -> Array:
    if raw in _known_bounds:
        return _known_bounds[raw]
    bounds = np.frombuffer(raw, "<f8")
    if len(bounds) < 2 or len(bounds) > _MAX_SLOTS or not (np.diff(bounds) > 0).all():
        raise ValueError("bounds of a histogram do not rise")
    if len(_known_bounds) < 64:  # a hostile file must not fill it
        _known_bounds[raw] = bounds
    return bounds


def _status(states: list[Any], state: int, losses: Any, unattributed: float | None) -> Status:
    if type(state) is not int or state < 0:
        raise ValueError("a status is damaged")
    ratio = None if unattributed is None else _number(unattributed)
    hooks, refused, unavailable = states[state]
    return Status(hooks, refused, unavailable, _losses(losses), ratio)


def _texts(pairs: Any) -> dict[str, str]:
    if len(pairs) > _MOST_PAIRS:
        raise ValueError("there are not so many hooks")
    return {_text(name): _text(value) for name, value in pairs}


def _losses(counts: Any) -> dict[str, int]:
    if type(counts) is int:  # earlier recordings did not say why
        counts = {"unknown": counts} if counts else {}
    if len(counts) > _MOST_PAIRS or any(type(count) is not int or count < 0 for count in counts.values()):
        raise ValueError("losses are no counts")
    return {_text(kind): count for kind, count in counts.items()}


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if type(value) is not str or len(value) > _LONGEST:
        raise ValueError("a text is none")
    return value


def _number(value: Any) -> float:
    if type(value) not in {float, int}:
        raise ValueError("a figure is no number")
    return float(value)
