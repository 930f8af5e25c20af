"""Recordings: Frames in a file that can be cut anywhere and still be read up to there.

A file is a sequence of blocks: marker, kind, CRC-32, length, time of the first
and the last Frame in it, then the packed content.  A header block begins every
recording; appending writes another.  Frames of one moment share a block.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ktop.frame import Frame
from ktop.recording.codec import MAX_BYTES, decode, encode_each
from ktop.recording.unpack import unpack
from ktop.source import Identity

MARKER = b"kTOP"
_HEADER = struct.Struct("<4sB3xIIdd")
_KIND_HEADER, _KIND_FRAMES = 1, 2
_FORMAT = 1
_LATER = "is continued by a later version of ktop"
"""What is behind the good blocks of a file is whole, and nothing that is known."""
LAST_TS = 1 << 33
"""The year 2242: a later time no clock has, and no calendar's function takes all of them."""
_MOST_LOOKED_AT = 1 << 29
"""Bytes of what only looks like blocks: half a second or so."""
_OPENED_AGAIN = 10
"""Times, where what was opened is not what is there: some file systems give each look another inode."""


class RecordingError(Exception):
    """A recording cannot be read or written; the message is one clear sentence."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block whose check sum is right."""

    end: int
    """Offset in the file behind it."""
    is_header: bool
    first: float
    last: float
    content: bytes

    def frames(self) -> list[Frame]:
        """Return its Frames; raises CodecError."""
        return [] if self.is_header else decode(self.content)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in a recording, without its Frames."""

    identity: Identity
    interval_s: float
    panes: tuple[str, ...]
    first: float
    last: float
    seconds: float
    """Recorded time; pauses between two recordings in one file do not count."""
    end: int
    """Offset behind the last good block."""
    damage: str | None
    """What is wrong behind ``end``; None when the file ends there."""


def describe(path: Path) -> Summary:
    """Return what is in the recording; RecordingError when it is none or has no Frame."""
    summary = _survey(path)
    if summary.last < summary.first:
        raise RecordingError(f"{path} {_nothing_in(summary.damage)}")
    return summary


def _nothing_in(damage: str | None) -> str:
    """Return why there is nothing in a recording, and what is to be done."""
    if damage == _LATER:
        return f"{_LATER}, which can replay it"
    return f"{damage or 'ends'} within its first interval, so it has nothing to show: record again"


def blocks(path: Path, until: int | None = None) -> Iterator[Block]:
    """Yield the good blocks; the first damaged one ends it silently.

    With ``until``, an offset up to which they were good: RecordingError where they are no longer.
    """
    with _opened(path) as file:
        while until is None or file.tell() < until:
            block = _read_block(file)
            if isinstance(block, Block):
                yield block
            elif until is None:
                return
            else:
                raise RecordingError(f"{path} was cut or changed meanwhile")


class Writer:
    """Appends Frames to a file; each ``write`` is on its way to the disk when it returns."""

    def __init__(self, path: Path, identity: Identity, interval_s: float, panes: Sequence[str]) -> None:
        """Open or create ``path``, cut a damaged end off, and write a header.

        RecordingError: it cannot be opened, is no recording, is of another
        host or a later version, is being written by another ktop, or is damaged
        in the middle.
        """
        self.path = path
        self.cut = 0
        """Bytes of a damaged end that were cut off."""
        self.dropped = 0
        """Rows of Frames that were too large with them."""
        self._regular = not path.exists() or path.is_file()
        self._is_ours = False
        """Whether we made the file, hold its lock and have put no Frame in it: it goes if none comes."""
        try:
            self._fd = self._locked() if self._regular else self._unlocked()
        except OSError as error:
            if error.errno == errno.ENXIO and path.is_fifo():
                raise RecordingError(f"nobody reads {path}: start what reads it first") from error
            raise RecordingError(f"cannot write {path}: {error.strerror}") from error
        try:
            if self._regular:
                self._mend(identity)
            self._put(_KIND_HEADER, _header(identity, interval_s, panes), 0.0, 0.0)
        except BaseException:
            self.close()
            raise

    def write(self, frames: Sequence[Frame]) -> None:
        """Append ``frames``, in several blocks where one is too large; a Frame that is alone loses its rows.

        RecordingError when the disk is full or the reader gone; what is there stays.
        """
        if self._regular and not os.fstat(self._fd).st_nlink:
            raise RecordingError(f"{self.path} was removed meanwhile, with all that was recorded")
        self.dropped -= sum(frame.dropped for frame in frames)
        for some, content in encode_each(frames) if frames else ():
            self.dropped += sum(frame.dropped for frame in some)
            stamps = [frame.ts for frame in some]
            self._put(_KIND_FRAMES, content, min(stamps), max(stamps))
            self._is_ours = False

    def close(self) -> None:
        """Close the file, and remove it when it is new and holds no Frame; once more does nothing."""
        if self._fd < 0:
            return
        if self._is_ours and self._is(os.lstat, self._fd):
            # Before its lock is given up: who waits for that must not go on with it.
            self.path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = -1

    def _unlocked(self) -> int:
        """Return a descriptor of what is no file; ENXIO, not a wait, where a FIFO has no reader."""
        fd = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(fd, True)
        return fd

    def _locked(self, again: int = _OPENED_AGAIN) -> int:
        """Return a descriptor of the file, which is made where there is none, with its lock."""
        import fcntl  # before the file is made: where there is no memory for it, nothing is left behind

        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            # Arguments of commands are in it: for its owner alone.
            fd, is_made = os.open(self.path, flags | os.O_EXCL, 0o600), True
        except FileExistsError:
            fd, is_made = os.open(self.path, flags, 0o600), False
        is_locked = True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                os.close(fd)
                raise RecordingError(f"{self.path} is being written by another ktop") from error
            is_locked = False
        if again and not self._is(os.stat, fd):
            os.close(fd)  # who made it has taken it away
            return self._locked(again - 1)
        self._is_ours = is_made and is_locked and not os.fstat(fd).st_size
        return fd

    def _is(self, look: Callable[[Path], os.stat_result], fd: int) -> bool:
        """Return whether ``look`` finds at the path what is open as ``fd``."""
        try:
            return os.path.samestat(look(self.path), os.fstat(fd))
        except OSError:
            return False

    def _mend(self, identity: Identity) -> None:
        size = os.fstat(self._fd).st_size
        if not size:
            return
        summary = _survey(self.path)
        here, there = _host(identity), _host(summary.identity)
        if here != there:
            # A replay has one header for all of it.
            raise RecordingError(f"{self.path} is of {there}, and this is {here}: record to another file")
        if summary.damage is None:
            return
        if summary.damage == _LATER:
            raise RecordingError(f"{self.path} {_LATER}, at byte {summary.end}: record to another file")
        if _good_block_after(self.path, summary.end):
            raise RecordingError(
                f"{self.path} is damaged in the middle, at byte {summary.end}: record to another file"
            )
        os.ftruncate(self._fd, summary.end)
        self.cut = size - summary.end

    def _put(self, kind: int, content: bytes, first: float, last: float) -> None:
        data = memoryview(_header_bytes(kind, content, first, last) + content)
        before = os.fstat(self._fd).st_size if self._regular else 0
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            if self._regular:
                os.ftruncate(self._fd, before)
            if error.errno == errno.EPIPE:
                raise RecordingError(f"the reader of {self.path} is gone: the recording ends here") from error
            kept = "; what was recorded before is kept" if before else ""
            raise RecordingError(f"cannot write {self.path}: {error.strerror}{kept}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open ``path``; RecordingError where that, or what is done with it, fails: a disk may be broken."""
    try:
        # Not waiting for the writer of a FIFO, only to find that it is none of ours.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RecordingError(f"cannot read {path}: not a file")
            yield file
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}") from error


def _header(identity: Identity, interval_s: float, panes: Sequence[str]) -> bytes:
    import msgpack

    fields = {
        "format": _FORMAT,
        "hostname": identity.hostname,
        "kernel": identity.kernel,
        "cpus": identity.cpus,
        "all_processes": identity.all_processes,
        "interval_s": interval_s,
        "panes": list(panes),
    }
    packed: bytes = msgpack.packb(fields, unicode_errors="surrogatepass")
    return packed


def _parsed_header(content: bytes) -> tuple[Identity, float, tuple[str, ...]]:
    fields = _fields(content)
    try:
        interval_s = float(fields["interval_s"])
        identity = Identity(
            str(fields["hostname"])[:256],
            str(fields["kernel"])[:256],
            int(fields["cpus"]),
            recorded=True,
            # Earlier recordings did not say.
            all_processes=fields.get("all_processes", True) is not False,
            recorded_s=interval_s,
        )
        panes = tuple(str(name)[:64] for name in fields["panes"])
    except Exception as error:  # whatever a stranger's bytes make the conversions raise
        raise RecordingError("the header of the recording is damaged") from error
    if not 0.01 <= interval_s <= 86400 or not 1 <= identity.cpus <= 1 << 20:
        raise RecordingError("the header of the recording is damaged")
    return identity, interval_s, panes


def _fields(content: bytes) -> Any:
    """Return what a header says; RecordingError for one of another version, whose other fields may differ."""
    try:
        fields = unpack(content)
        version = int(fields["format"])
    except Exception as error:  # whatever a stranger's bytes make msgpack raise
        raise RecordingError("the header of the recording is damaged") from error
    if version != _FORMAT:
        raise RecordingError("the recording is of another version of ktop")
    return fields


def _host(identity: Identity) -> str:
    """Return which host it was, as far as a header tells."""
    return f"{identity.hostname[:256]} (Linux {identity.kernel[:256]}, {identity.cpus} CPUs)"


def _header_bytes(kind: int, content: bytes, first: float, last: float) -> bytes:
    check = zlib.crc32(content, zlib.crc32(struct.pack("<Bdd", kind, first, last)))
    return _HEADER.pack(MARKER, kind, check, len(content), first, last)


def _read_block(file: BinaryIO) -> Block | str | None:
    """Return the block at the file's position; why it is none; or None at the end of the file."""
    raw = file.read(_HEADER.size)
    if len(raw) < _HEADER.size:
        return "is cut" if raw else None
    marker, kind, _, size, first, last = _HEADER.unpack(raw)
    if marker != MARKER or size > MAX_BYTES:
        return "is damaged"
    content = file.read(size)
    if len(content) < size:
        return "is cut"
    is_whole = _header_bytes(kind, content, first, last) == raw
    if is_whole and kind not in {_KIND_HEADER, _KIND_FRAMES}:
        return _LATER
    if not is_whole or not 0 <= first <= last < LAST_TS:
        return "is damaged"
    return Block(file.tell(), kind == _KIND_HEADER, first, last, content)


def _survey(path: Path) -> Summary:
    """Return what is in the recording; RecordingError when it does not begin as one."""
    described: tuple[Identity, float, tuple[str, ...]] | None = None
    panes: dict[str, None] = {}
    first, last, seconds, end = float("inf"), float("-inf"), 0.0, 0
    interval_s, previous = 0.0, None
    with _opened(path) as file:
        while isinstance(block := _read_block(file), Block):
            if block.is_header:
                try:
                    header = _parsed_header(block.content)
                except RecordingError:
                    if described is None:
                        raise
                    block = _LATER  # its check sum is right
                    break
                described = described or header
                panes.update(dict.fromkeys(header[2]))
                interval_s, previous = header[1], None
            elif described is None:
                break
            else:
                first, last = min(first, block.first), max(last, block.last)
                # The first Frames of a part are of an interval that began before them.
                seconds += block.last - (block.first - interval_s if previous is None else previous)
                previous = block.last
            end = block.end
    if described is None:
        raise RecordingError(f"{path} is not a recording of ktop")
    damage = block if isinstance(block, str) else None
    return Summary(described[0], described[1], tuple(panes), first, last, max(seconds, 0.0), end, damage)


def _good_block_after(path: Path, offset: int) -> bool:
    """Return whether a whole block begins anywhere behind ``offset``.

    True also where so much looks like one that it would take minutes to be sure.
    """
    left = _MOST_LOOKED_AT
    with _opened(path) as file:
        while left > 0:
            file.seek(offset)
            chunk = file.read(1 << 20)
            place = chunk.find(MARKER, 1)
            if place < 0:
                if len(chunk) < 1 << 20:
                    return False
                offset += len(chunk) - len(MARKER)
                continue
            offset += place
            file.seek(offset)
            block = _read_block(file)
            if isinstance(block, Block) or block == _LATER:
                return True
            left -= len(chunk) + file.tell() - offset
    return True
