"""A thread with file descriptors of its own, for libraries that close what is not theirs."""

from __future__ import annotations

import ctypes
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
_Call: TypeAlias = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]

_CLOSE_RANGE = 436  # on every architecture
_UNSHARE = 1 << 1
_LAST = 0xFFFFFFFF


class OwnFiles:
    """Calls functions one by one on such a thread: 0, 1 and 2 are the process's, all others its own.

    What they open is to be used and closed by them, nowhere else.
    """

    def __init__(self, name: str) -> None:
        """Start it; OSError where the kernel refuses it (close_range: 5.9, 278a5fbaed89)."""
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()
        try:
            self.call(_leave_others)
        except OSError:
            self.stop()
            raise

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return, or raise, what ``function`` does there."""
        answer: Future[T] = Future()
        self._calls.put((answer, function, arguments))
        return answer.result()

    def stop(self) -> None:
        """End the thread once it has answered; its files are closed with it."""
        self._calls.put(None)

    def _run(self) -> None:
        while call := self._calls.get():
            answer, function, arguments = call
            try:
                answer.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - the caller's
                answer.set_exception(error)
            del answer, function, arguments, call  # the next one may be far off


def _leave_others() -> None:
    """Go on without the process's files: by number, glibc's function of 2.34 is not everywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = map(ctypes.c_ulong, (3, _LAST, _UNSHARE))
    if libc.syscall(ctypes.c_long(_CLOSE_RANGE), *numbers) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
