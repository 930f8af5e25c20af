"""However ktop ends: at once, with a clean terminal, and with nothing left in the kernel."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
from collections.abc import Callable

import pytest

from ktop.ui.terminal.driver import RESTORED
from tests.e2e.terminal import KTOP, PROMPT, ROOT, Modes, Terminal
from tests.kernel_objects import held_by, ids
from tests.proc import is_alive, waits_in_write
from tests.waiting import eventually

pytestmark = pytest.mark.kernel

CLEAN = Modes(alternate_screen=False, cursor_shown=True, mouse=False, keypad=False)


def started(terminal: Terminal) -> tuple[int, set[int], set[int]]:
    """Start ktop, and return its PID and what it has in the kernel once figures are on the screen."""
    pid = terminal.start()
    terminal.wait_for_figures()
    programs, maps = eventually(
        lambda: held if (held := held_by(pid))[0] else None, "no programs were loaded"
    )
    assert programs <= ids("prog")
    assert maps <= ids("map")
    return pid, programs, maps


def nothing_left(programs: set[int], maps: set[int]) -> None:
    """Wait until the kernel has freed them: it does so after a grace period."""
    eventually(lambda: not (programs & ids("prog") or maps & ids("map")), "programs or maps outlive ktop")


def the_shell_works(terminal: Terminal) -> None:
    """The prompt is back and echoes what is typed: no mode of ktop's is left on."""
    terminal.wait(lambda lines: PROMPT in [line.strip() for line in lines], "the prompt")
    assert terminal.modes() == CLEAN
    terminal.text("echo it $((40 + 2)) works; stty -a | tr ';' '\\n' | grep -cw -e '-echo' -e '-icanon'")
    terminal.keys("Enter")
    terminal.wait_for("it 42 works")
    terminal.wait(lambda lines: "0" in [line.strip() for line in lines], "a cooked terminal that echoes")


@pytest.mark.parametrize("how", ["q", "C-c", "C-q", "SIGTERM", "SIGHUP"])
def test_leaves_the_terminal_clean(terminal: Terminal, gone: Callable[[int], None], how: str) -> None:
    pid, programs, maps = started(terminal)
    assert terminal.modes() != CLEAN
    if how.startswith("SIG"):
        os.kill(pid, signal.Signals[how])
    else:
        terminal.keys(how)
    gone(pid)
    the_shell_works(terminal)
    nothing_left(programs, maps)
    assert not any("Traceback" in line for line in terminal.screen())


@pytest.mark.parametrize("how", ["q", "SIGTERM"])
def test_leaves_nothing_of_it_on_a_terminal_with_one_screen(
    terminal: Terminal, gone: Callable[[int], None], how: str
) -> None:
    """As the Linux console is: the shell goes on at the top of an empty screen."""
    terminal.tmux("set-option", "-g", "alternate-screen", "off")
    pid = terminal.start("demo")
    terminal.wait_for_figures()
    if how == "SIGTERM":
        os.kill(pid, signal.SIGTERM)
    else:
        terminal.keys(how)
    gone(pid)
    # SIGTERM has the shell say so.
    terminal.wait(
        lambda lines: {line.strip() for line in lines} <= {PROMPT, "Terminated", ""} and PROMPT in str(lines),
        "nothing but the prompt",
    )


@pytest.mark.parametrize("how", ["kill-pane", "kill-server"])
def test_does_not_outlive_its_terminal(terminal: Terminal, gone: Callable[[int], None], how: str) -> None:
    pid, programs, maps = started(terminal)
    terminal.tmux(how)
    gone(pid)
    nothing_left(programs, maps)


def test_kill_9_leaves_nothing_in_the_kernel(terminal: Terminal, gone: Callable[[int], None]) -> None:
    pid, programs, maps = started(terminal)
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    nothing_left(programs, maps)


def test_leaves_before_anything_is_loaded(terminal: Terminal, gone: Callable[[int], None]) -> None:
    """A key that comes before the first paint is obeyed, too."""
    terminal.type_command(*KTOP)
    pid = eventually(terminal.child, "the shell started nothing")
    terminal.wait(lambda _lines: terminal.modes().alternate_screen, "the application")
    terminal.keys("q")
    gone(pid)
    the_shell_works(terminal)


def test_leaves_from_every_screen(terminal: Terminal, gone: Callable[[int], None]) -> None:
    """ctrl+c leaves while a filter is typed, from the help and from the process screen."""
    for keys, sign in ((["/", "a"], "a"), (["?"], "Esc back"), (["Enter"], "Esc back")):
        pid, _programs, _maps = started(terminal)
        for key in keys:
            terminal.keys(key)
        terminal.wait_for(sign)
        terminal.keys("C-c")
        gone(pid)
        the_shell_works(terminal)
        terminal.type_command("clear")
        terminal.wait_gone("works")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_leaves_a_terminal_that_takes_no_more_output(how: signal.Signals) -> None:
    """A stalled ssh: nobody reads, so the driver's writes wait for ever; signals are obeyed all the same.

    If it was only slow, what comes out of it next gives the terminal back.
    """
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*KTOP, "--interval", "0.1"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        os.close(follower)
        seen = b""
        while b"quit" not in seen:
            assert select.select([leader], [], [], 30)[0], "nothing was painted"
            seen += os.read(leader, 65536)
        # A terminal's buffer holds some kilobytes: from now on it fills up until a write waits.
        eventually(lambda: waits_in_write(process.pid), "the terminal takes everything")
        os.kill(process.pid, how)
        assert process.wait(30) in {128 + how, -how}
        assert _all_of(leader).endswith(RESTORED)
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def _all_of(leader: int) -> bytes:
    """Return what a terminal holds that nobody writes to any more."""
    held = b""
    with contextlib.suppress(OSError):  # the end of it
        while piece := os.read(leader, 65536):
            held += piece
    return held


def test_a_dead_process_is_told_apart_from_a_live_one() -> None:
    """The check that the tests above rely on."""
    assert is_alive(os.getpid())
    process = subprocess.Popen(["true"])
    eventually(lambda: not is_alive(process.pid))
    process.wait()
    assert not is_alive(process.pid)
