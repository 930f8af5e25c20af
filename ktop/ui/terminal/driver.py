"""The terminal driver: leaves at once when the terminal dies, and on signals.

Textual's own driver polls a dead terminal for ever, or shows a traceback on
it; and when nobody reads the terminal any more its write queue fills up and
the event loop with it, so a signal handler on the loop would never run.
Nothing is written to a terminal that was given back, for good or until the
process goes on after a stop (ctrl+z).
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

from ktop.ui.terminal.console import glyphs
from ktop.ui.terminal.escape_key import ESCAPE, EscapeKeys

if TYPE_CHECKING:
    from types import FrameType

    from textual.app import App
    from textual.message import Message

STDOUT = 1
GRACE_S = 1.0
"""How long a clean exit may take before the process is ended without one."""
WIPED = "\x1b[0m\x1b[2J\x1b[H"
"""For terminals that have no other screen to go back to: the shell must not go on in the middle of ours."""
RESTORED = "".join(
    [
        WIPED,
        *("\x1b[<u", "\x1b[?1049l", "\x1b[?25h", "\x1b[?7h"),
        *(f"\x1b[?{mode}l" for mode in (1000, 1003, 1015, 1006, 1004, 2004)),
    ]
).encode()
"""What gives the terminal back: keys, screen, cursor, line wrap; no mouse, focus and paste events."""
LARGEST = Size(1000, 400)
"""Of a terminal, in cells: what claims to be larger is not, or would take all the memory there is."""
LOCKED_S = 0.01
"""How soon a terminal that somebody else was writing to is tried again."""
POLL_S = 0.1
"""How soon after a lone escape the parser is asked whether it was a key."""


def clamped(size: Size) -> Size:
    """Return ``size``, or as much of it as a terminal can have."""
    return Size(min(size.width, LARGEST.width), min(size.height, LARGEST.height))


def _write_instead(terminal: int, data: bytes) -> None:
    """Write ``data`` in place of what a slow terminal has not taken yet, which fills its buffer."""
    deadline = time.monotonic() + GRACE_S
    while data and time.monotonic() < deadline:
        # Whoever waits in write(2) has the terminal locked until all of that is gone, and sleeps on
        # where nobody reads: that output goes on again wakes it.
        termios.tcflush(terminal, termios.TCOFLUSH)
        termios.tcflow(terminal, termios.TCOOFF)
        termios.tcflow(terminal, termios.TCOON)
        try:
            data = data[os.write(terminal, data) :]
        except BlockingIOError:
            time.sleep(LOCKED_S)


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
        # Until the first event says it, Textual would ask Rich, which believes whatever is claimed.
        super().__init__(app, debug=debug, mouse=mouse, size=size or self._get_terminal_size())
        # Textual writes to stderr, which may lead to a file.
        self._file = TerminalFile(STDOUT)
        self._glyphs = glyphs(os.environ)
        self._leaving = False
        self._forced = False
        self._stopped = False
        """Whether the terminal was given back until we go on."""
        self._wake_read, self._wake_write = os.pipe()
        # SIGINT: ctrl+c is a key, but pressed once more it finds the terminal given back, and is a signal.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Leave with the shell's code for ``number``; by force when a clean exit takes too long.

        A plain signal handler and not one of the event loop: it also runs
        while the main thread waits for a terminal that takes no more output.
        """
        if self._stopped:
            # The terminal is the shell's, and to go on first would stop us again, to wait for it.
            os._exit(128 + number)
        self._leave(128 + number)

    def _leave(self, code: int, *, at_once: bool = False) -> None:
        """Ask for a clean exit, and see to it that there is one way or the other."""
        if self._leaving:
            return
        self._leaving = True
        if at_once:
            self._force(code)
        timer = threading.Timer(GRACE_S, self._force, args=(code,))
        timer.daemon = True
        with contextlib.suppress(RuntimeError):  # no thread to be had
            timer.start()
        # A closed loop: the application has ended already, and only the kernel side is being taken down.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._exit, code)

    def _exit(self, code: int) -> None:
        """Have the application end with ``code``, unless it is ending anyway."""
        if not self._app._exit:  # noqa: SLF001 - it tells nobody else
            self._app.exit(return_code=code)

    def _force(self, code: int) -> NoReturn:
        """End the process now; what it has in the kernel goes with it, for nothing is pinned."""
        self._forced = True
        # Best effort: a terminal that still lives is left as it was found.
        with contextlib.suppress(OSError, termios.error):
            terminal = os.dup(STDOUT)
            # What the writing thread still has goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
                os.set_blocking(terminal, False)
                _write_instead(terminal, RESTORED)
                os.set_blocking(terminal, True)  # the shell has it, too
        os._exit(code)

    def _sigtstp_application(self, *_: object) -> None:
        """Stop, with the terminal as it was found."""
        self._on_loop(self._stop)

    def _sigcont_application(self, *_: object) -> None:
        """Go on after a stop."""
        self._on_loop(self._go_on)

    def _on_loop(self, what: Callable[[], None]) -> None:
        """Have ``what`` done between two events: the handler of a signal could wait for its own thread."""
        with contextlib.suppress(RuntimeError):  # closed
            self._loop.call_soon_threadsafe(what)

    def _stop(self) -> None:
        """Give the terminal back, and stop until somebody has us go on."""
        self.suspend_application_mode()
        self._stopped = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        """Take the terminal again, but not in the background, and draw everything: others wrote on it."""
        if self._stopped:
            self.resume_application_mode()
            self._stopped = self._writer_thread is None
        self._app.refresh()

    def process_message(self, message: Message) -> None:
        """Pass on what was read; the terminal's size, as far as that can be."""
        if isinstance(message, events.Resize):
            size = clamped(message.size)
            message = events.Resize(size, size, pixel_size=message.pixel_size)
        super().process_message(message)

    def _get_terminal_size(self) -> tuple[int, int]:
        """Return columns and lines of the terminal itself, whatever the environment says."""
        try:
            width, height = os.get_terminal_size(STDOUT)
        except OSError:
            width, height = 0, 0
        # A serial console does not know its own.
        return clamped(Size(width or 80, height or 24))

    def write(self, data: str) -> None:
        """Write ``data``; what comes after the terminal was given back is dropped."""
        if self._writer_thread is not None:
            super().write(data if self._glyphs is None else data.translate(self._glyphs))

    def disable_input(self) -> None:
        """Stop the thread that reads keys: it sleeps until there is something to read."""
        os.write(self._wake_write, b"x")
        super().disable_input()
        os.read(self._wake_read, 1)

    def start_application_mode(self) -> None:
        """Take the terminal; give it back where that fails, for no thread can be started."""
        try:
            super().start_application_mode()  # type: ignore[no-untyped-call]
        except BaseException:
            # What never ran cannot be waited for.
            if self._writer_thread is not None and not self._writer_thread.is_alive():
                self._writer_thread = None
            if self._key_thread is not None and not self._key_thread.is_alive():
                self._key_thread = None
            self.stop_application_mode()
            raise

    def stop_application_mode(self) -> None:
        """Give the terminal back; from here on it is no longer ours to restore, nor to write to."""
        self.write(WIPED)
        super().stop_application_mode()
        writer, self._writer_thread = self._writer_thread, None
        if writer is not None:
            writer.stop()  # which waits until a slow terminal has taken all of it
        if self._forced:
            time.sleep(2 * GRACE_S)  # the end has come meanwhile, with its own exit code
        self.attrs_before = None

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
        parser, escapes = XTermParser(self._debug), EscapeKeys()
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN | select.POLLHUP | select.POLLERR)
        poll.register(self._wake_read, select.POLLIN)
        while not self.exit_event.is_set():
            # Only the beginning of an escape sequence is waited for with an eye on the clock.
            pending = escapes.waiting or parser._timeout_time is not None  # noqa: SLF001 - it tells nobody else
            ready = poll.poll(int(POLL_S * 1000) if pending else None)
            for fileno, happened in ready:
                if fileno == self._wake_read:
                    continue
                data = os.read(self.fileno, 4096)
                if not data:
                    return not self.input_tty and not happened & select.POLLHUP
                for piece in escapes.pieces(decode(data)):
                    parser = self._fed(parser, piece)
            for piece in () if ready else escapes.nothing_came():
                parser = self._fed(parser, piece)
            for event in parser.tick():
                self.process_message(event)
        return True

    def _fed(self, parser: XTermParser, text: str) -> XTermParser:
        """Turn ``text`` into events; return the parser to go on with: what it stumbles over is dropped."""
        if text == ESCAPE:
            self.process_message(events.Key("escape", ESCAPE))
            return parser
        try:
            for event in parser.feed(text):
                self.process_message(event)
        except (ValueError, OverflowError):
            # Textual (8.2.8) on what only looks like a key, "ESC [ : S" for one.
            return XTermParser(self._debug)
        return parser
