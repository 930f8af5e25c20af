"""The terminal driver: leaves at once when the terminal dies, on SIGHUP and on SIGTERM.

Textual's own driver polls a dead terminal for ever, or shows a traceback on
it; and when nobody reads the terminal any more its write queue fills up and
the event loop with it, so a signal handler on the loop would never run.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import threading
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from types import FrameType

    from textual.app import App

STDOUT = 1
GRACE_S = 1.0
"""How long a clean exit may take before the process is ended without one."""
POLL_S = 0.1
"""How soon after a lone escape the parser is asked whether it was a key."""


class TerminalFile(io.TextIOWrapper):
    """Text to a terminal that may die: what it does not take is dropped.

    Who reads the keys sees that it is gone.  The thread of Textual that writes would end with a
    traceback, on stderr, and what that does not take is another exit code of the interpreter.
    """

    def __init__(self, fd: int) -> None:
        """Write to ``fd``, which stays open; what the locale's encoding lacks becomes one ``?``."""
        super().__init__(open(fd, "wb", closefd=False), errors="replace")  # noqa: SIM115 - it is held

    def write(self, text: str) -> int:
        """Take all of ``text``."""
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what there is, as far as the terminal takes it."""
        with contextlib.suppress(OSError):
            super().flush()


class KtopDriver(LinuxDriver):
    """LinuxDriver that never outlives its terminal."""

    def __init__(
        self,
        app: App[object],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Take the signals that mean "leave", unless they were ignored before."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # Textual writes to stderr, which may lead to a file.
        self._file = TerminalFile(STDOUT)
        self._leaving = False
        self._wake_read, self._wake_write = os.pipe()
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Leave with the shell's code for ``number``; by force when a clean exit takes too long.

        A plain signal handler and not one of the event loop: it also runs
        while the main thread waits for a terminal that takes no more output.
        """
        self._leave(128 + number)

    def _leave(self, code: int, *, at_once: bool = False) -> None:
        """Ask for a clean exit, and see to it that there is one way or the other."""
        if self._leaving:
            return
        self._leaving = True
        timer = threading.Timer(0.0 if at_once else GRACE_S, self._force, args=(code,))
        timer.daemon = True
        timer.start()
        if not at_once:
            # A closed loop: the application has ended already, and only the kernel side is being taken down.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(lambda: self._app.exit(return_code=code))

    def _force(self, code: int) -> None:
        """End the process now; what it has in the kernel goes with it, for nothing is pinned."""
        if self.attrs_before is not None:
            import termios

            # Best effort: a terminal that still lives is left as it was found.
            try:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
                os.set_blocking(STDOUT, False)
                os.write(STDOUT, b"\x1b[<u\x1b[?1000l\x1b[?1003l\x1b[?1049l\x1b[?25h\x1b[?2004l")
            except (OSError, termios.error):
                pass
        os._exit(code)

    def disable_input(self) -> None:
        """Stop the thread that reads keys: it sleeps until there is something to read."""
        os.write(self._wake_write, b"x")
        super().disable_input()
        os.read(self._wake_read, 1)

    def stop_application_mode(self) -> None:
        """Give the terminal back; from here on it is no longer ours to restore."""
        super().stop_application_mode()
        self.attrs_before = None

    def close(self) -> None:
        """Give back what the driver holds."""
        super().close()
        for end in (self._wake_read, self._wake_write):
            with contextlib.suppress(OSError):
                os.close(end)

    def _run_input_thread(self) -> None:
        """Read keys until told to stop; when the terminal is gone, so are we."""
        try:
            if self._read_keys():
                return
        except (OSError, ValueError):
            pass
        if not self.exit_event.is_set():
            self._leave(128 + signal.SIGHUP, at_once=True)

    def _read_keys(self) -> bool:
        """Turn input into events; return whether we were told to stop (else the terminal hung up)."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN | select.POLLHUP | select.POLLERR)
        poll.register(self._wake_read, select.POLLIN)
        while not self.exit_event.is_set():
            # Only the beginning of an escape sequence is waited for with an eye on the clock.
            pending = parser._timeout_time is not None  # noqa: SLF001 - it tells nobody else
            for fileno, happened in poll.poll(int(POLL_S * 1000) if pending else None):
                if fileno == self._wake_read:
                    continue
                data = os.read(self.fileno, 4096)
                if not data:
                    return not self.input_tty and not happened & select.POLLHUP
                for event in parser.feed(decode(data)):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
        return True
