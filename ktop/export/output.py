"""Writing to a reader that may be slow, or leave: never in the way of the sampler."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable

BOUND = 4 << 20
"""Bytes that may wait for a slow reader."""


class Output:
    """Writes to a file descriptor from a thread of its own.

    What is put while ``bound`` bytes wait already is dropped and counted, one
    chunk (the lines of an interval) at a time.  ``on_end`` is called, on that
    thread, when nothing more can be written.
    """

    def __init__(self, fd: int, on_end: Callable[[], None] = lambda: None, bound: int = BOUND) -> None:
        self.dropped = 0
        """Chunks dropped."""
        self.error: OSError | None = None
        """Why nothing more can be written; BrokenPipeError when the reader left."""
        self._fd = fd
        self._on_end = on_end
        self._bound = bound
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._closing = False
        self._changed = threading.Condition()
        # A daemon: a reader that takes nothing must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def put(self, chunk: bytes) -> bool:
        """Have ``chunk`` written; return False when it was dropped.  Never blocks."""
        with self._changed:
            if self.error is not None:
                return False
            # One chunk always fits, however large.
            if self._waiting and self._bytes + len(chunk) > self._bound:
                self.dropped += 1
                return False
            self._waiting.append(chunk)
            self._bytes += len(chunk)
            self._changed.notify_all()
        return True

    def finish(self, timeout: float | None = None) -> bool:
        """Wait until all is written (at most ``timeout`` seconds) and return whether it is."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive() and self.error is None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                chunk = self._waiting[0]
            try:
                write_all(self._fd, chunk)
            except OSError as error:
                with self._changed:
                    self.error = error
                    self._waiting.clear()
                self._on_end()
                return
            with self._changed:
                self._waiting.popleft()
                self._bytes -= len(chunk)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``, waiting also where the descriptor is non-blocking; raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            # Shared with another process that made it so.
            select.select([], [fd], [])
