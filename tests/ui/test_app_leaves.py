"""How the application leaves: in a real terminal, by key, by signal, and when the terminal dies."""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.drivers._writer_thread import WriterThread

from ktop.ui.terminal.driver import TerminalFile
from tests.proc import waits_in_write

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from ktop.ui.app import KtopApp
from tests.ui.synthetic import PANES, Synthetic
app = KtopApp(Synthetic(), PANES)
app.run()
sys.exit(app.return_code or 0)
"""
SIGNALLED_WHILE_STOPPING = """
import os, signal
from tests.ui.synthetic import Synthetic
def stop(self):
    os.kill(os.getpid(), signal.{})
Synthetic.stop = stop
"""
SIGNALLED_WHILE_CLOSING = """
import os, signal
from ktop.ui.app import KtopApp
def closed(self):
    os.kill(os.getpid(), signal.SIGTERM)
KtopApp.on_unmount = closed
"""
INTERRUPTED_AT_THE_VERY_END = """
import os, signal
class Last:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGINT):
        kill(pid, number)
last = Last()
"""
DRAWS_WHILE_CLOSING = """
from ktop.ui.app import KtopApp
def closed(self):
    self._driver.write("too late")
    self._driver.flush()
KtopApp.on_unmount = closed
"""
DRAWS_UNTIL_THE_END = """
import os, time
from ktop.ui.app import KtopApp
from ktop.ui.terminal.driver import KtopDriver
leave = os._exit
def ended(code):
    # The writing thread is given the CPU once more.
    file.write("too late")
    file.flush()
    leave(code)
def forced(self, code, force=KtopDriver._force):
    global file
    file, os._exit = self._file, ended
    force(self, code)
KtopDriver._force = forced
KtopApp.exit = lambda self, **_: time.sleep(60)
"""
DEMO = """
import sys
from ktop.cli.main import command
sys.argv = ["ktop", "demo"]
command()
"""
WITHOUT_A_THREAD = """
import sys, threading
start = threading.Thread.start
def refused(self):
    if self.name == {!r}:
        raise RuntimeError("can't start new thread")
    start(self)
threading.Thread.start = refused
"""
DEADLINE_S = 60
# Python 3.12 and later: other tests' threads may be there; the child becomes another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l")


class Terminal:
    """A process that has a terminal of its own, and us at its other end."""

    def __init__(self, before: str = "", stderr: Path | None = None) -> None:
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            if stderr is not None:
                os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT), 2)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.chdir(ROOT)
            environ = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
            os.execve(sys.executable, [sys.executable, "-c", before + PROGRAM], environ)
        self.modes = termios.tcgetattr(self.end)
        self.output = b""

    def resize(self, height: int, width: int) -> None:
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self) -> None:
        if select.select([self.end], [], [], 0.05)[0]:
            try:
                self.output += os.read(self.end, 65536)
            except OSError:
                time.sleep(0.01)

    def until(self, text: bytes) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            self.read()

    def until_restored(self) -> None:
        """Wait, without reading, until it echoes keys and has signals of them as it did at first."""
        deadline = time.monotonic() + DEADLINE_S
        while termios.tcgetattr(self.end) != self.modes:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def drain(self) -> None:
        """Read until nothing more comes."""
        before = None
        while before != self.output:
            before = self.output
            self.read()

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.end >= 0:
            os.close(self.end)

    def leaves(self, *, read: bool = True) -> int:
        """Wait for the end and return the exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if read:
                self.read()
            else:
                time.sleep(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                if read:
                    self.drain()
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it is still there")


@contextmanager
def running(before: str = "", stderr: Path | None = None) -> Iterator[Terminal]:
    """Start the application: ``before`` runs first, and ``stderr`` is the file for that."""
    terminal = Terminal(before, stderr)
    try:
        terminal.until(b"waiting for the first sample")
        yield terminal
    finally:
        terminal.close()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with running() as terminal:
        yield terminal


def test_by_a_key_that_comes_together_with_escape(terminal):
    """As over a slow line: not a key with Alt."""
    os.write(terminal.end, b"?")
    terminal.until(b"All keys")
    os.write(terminal.end, b"\x1bq")
    assert terminal.leaves() == 0


@pytest.mark.parametrize("key", [b"q", b"\x03", b"\x11"], ids=["q", "ctrl+c", "ctrl+q"])
def test_by_key(terminal, key):
    os.write(terminal.end, key)
    assert terminal.leaves() == 0
    assert all(each in terminal.output for each in RESTORED)
    assert termios.tcgetattr(terminal.end) == terminal.modes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_by_signal_with_the_terminal_clean(terminal, number):
    os.kill(terminal.pid, number)
    assert terminal.leaves() == 128 + number
    assert all(each in terminal.output for each in RESTORED)
    assert b"Traceback" not in terminal.output
    assert termios.tcgetattr(terminal.end) == terminal.modes


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_while_the_kernel_side_is_taken_down_changes_nothing(name):
    with running(SIGNALLED_WHILE_STOPPING.format(name)) as terminal:
        os.write(terminal.end, b"q")
        assert terminal.leaves() == 0
        assert b"Traceback" not in terminal.output


def test_a_signal_while_the_application_ends_changes_nothing():
    with running(SIGNALLED_WHILE_CLOSING) as terminal:
        os.write(terminal.end, b"\x03")
        assert terminal.leaves() == 0
        assert b"Traceback" not in terminal.output


def test_an_interrupt_while_the_interpreter_ends_changes_nothing():
    with running(INTERRUPTED_AT_THE_VERY_END) as terminal:
        os.write(terminal.end, b"\x03")
        assert terminal.leaves() == 0


def test_a_signal_ignored_before_still_is():
    with running("import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)") as terminal:
        os.kill(terminal.pid, signal.SIGHUP)
        os.write(terminal.end, b"q")
        assert terminal.leaves() == 0


def test_stderr_can_go_to_a_file(tmp_path):
    with running(stderr=tmp_path / "log") as terminal:
        os.write(terminal.end, b"q")
        assert terminal.leaves() == 0
        assert all(each in terminal.output for each in RESTORED)
        assert termios.tcgetattr(terminal.end) == terminal.modes
    assert (tmp_path / "log").read_bytes() == b""


def test_stopped_the_terminal_is_the_shell_s_and_then_ours_again(terminal):
    for _ in range(2):
        os.kill(terminal.pid, signal.SIGTSTP)
        os.waitpid(terminal.pid, os.WUNTRACED)
        terminal.drain()
        assert all(each in terminal.output for each in RESTORED)
        assert termios.tcgetattr(terminal.end) == terminal.modes
        terminal.output = b""
        os.kill(terminal.pid, signal.SIGCONT)
        # Tabs, question and the line of keys: all of the screen.
        for text in (b"\x1b[?1049h", b"biotop", b"Who waits for a CPU", b"quit"):
            terminal.until(text)
    os.write(terminal.end, b"\x0c")
    terminal.output = b""
    terminal.until(b"quit")
    os.write(terminal.end, b"q")
    assert terminal.leaves() == 0
    assert termios.tcgetattr(terminal.end) == terminal.modes


def test_stopped_it_ends_when_it_is_told_to_without_the_terminal(terminal):
    """As a shell's kill does: the signal, and then SIGCONT, to a job in the background."""
    os.kill(terminal.pid, signal.SIGTSTP)
    os.waitpid(terminal.pid, os.WUNTRACED)
    terminal.drain()
    terminal.output = b""
    os.kill(terminal.pid, signal.SIGTERM)
    os.kill(terminal.pid, signal.SIGCONT)
    assert terminal.leaves() == 128 + signal.SIGTERM
    assert b"\x1b[?1049h" not in terminal.output


def test_going_on_without_having_been_stopped_takes_the_terminal_once(terminal):
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.output = b""
    terminal.until(b"quit")
    assert b"\x1b[?1049h" not in terminal.output
    os.write(terminal.end, b"q")
    assert terminal.leaves() == 0
    assert termios.tcgetattr(terminal.end) == terminal.modes


def test_nothing_is_written_after_the_terminal_was_given_back():
    with running(DRAWS_WHILE_CLOSING) as terminal:
        os.write(terminal.end, b"q")
        assert terminal.leaves() == 0
        assert all(each in terminal.output for each in RESTORED)
        assert b"too late" not in terminal.output


def test_a_forced_end_writes_nothing_after_it_either():
    with running(DRAWS_UNTIL_THE_END) as terminal:
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.leaves() == 128 + signal.SIGTERM
        assert all(each in terminal.output for each in RESTORED)
        assert b"too late" not in terminal.output


@pytest.mark.parametrize(
    "keys", [b"\x1b[:S", b"\x1b[9999999999u", "é".encode()[:1]], ids=["no number", "no key", "half a letter"]
)
def test_keys_that_make_no_sense_end_nothing(terminal, keys):
    os.write(terminal.end, keys)
    time.sleep(0.5)
    os.write(terminal.end, b"q")
    assert terminal.leaves() == 0


@pytest.mark.parametrize("thread", ["textual-output", "textual-input", "replay"])
def test_where_no_thread_can_be_started_the_terminal_is_given_back(thread):
    terminal = Terminal(WITHOUT_A_THREAD.format(thread) + DEMO)
    try:
        assert terminal.leaves() == 1
        assert b"ktop: no thread can be started: raise the limit of processes (ulimit -u" in terminal.output
        assert terminal.output.count(b"\x1b[?1049h") == terminal.output.count(b"\x1b[?1049l")
        assert termios.tcgetattr(terminal.end) == terminal.modes
    finally:
        terminal.close()


def test_when_the_terminal_dies(terminal):
    os.close(terminal.end)
    terminal.end = -1
    assert terminal.leaves(read=False) == 128 + signal.SIGHUP


def test_writing_to_a_dead_terminal_is_no_error():
    """A thread does it: the traceback would be on stderr, and the exit code the interpreter's 120."""
    end, terminal = pty.openpty()
    os.close(end)
    with pytest.raises(OSError, match="Input/output error"):
        os.write(terminal, b"x")
    file = TerminalFile(terminal)
    writer = WriterThread(file)
    writer.start()
    for _ in range(20):
        writer.write("x" * 1000)
    while writer.is_alive() and not writer._queue.empty():
        time.sleep(0.01)
    assert writer.is_alive()
    writer.stop()
    os.close(terminal)


def test_when_nobody_reads_the_terminal(terminal):
    # Keys that draw the whole screen, until the terminal takes no more output.
    for _ in range(400):
        if not select.select([], [terminal.end], [], 0)[1]:
            break
        os.write(terminal.end, b"1234567")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.leaves(read=False) == 128 + signal.SIGTERM


def test_a_signal_while_a_slow_terminal_takes_the_last_of_it(terminal):
    """As over a line that takes seconds for a screen: who waits for the end of it loses patience."""
    keys, looks = itertools.cycle(b"1234567"), 0
    while looks < 3:  # any write waits for a moment
        os.write(terminal.end, bytes([next(keys)]))
        time.sleep(0.1)  # a screen each
        looks = looks + 1 if waits_in_write(terminal.pid) else 0
    os.write(terminal.end, b"q")
    terminal.until_restored()
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.leaves(read=False) == 128 + signal.SIGTERM
    terminal.drain()
    assert all(each in terminal.output for each in RESTORED)
