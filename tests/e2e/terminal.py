"""A real terminal: a tmux server of its own, with a shell at its prompt."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.waiting import PATIENCE_S, eventually

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PROMPT = "e2e$"
LOOK_S = 0.05
KTOP = (sys.executable, "-m", "ktop")

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Modes:
    """What an application may have left a terminal in."""

    alternate_screen: bool
    cursor_shown: bool
    mouse: bool
    keypad: bool


class Terminal:
    """One window of a tmux server; gone, with all that runs in it, after ``close``."""

    def __init__(
        self,
        width: int = 120,
        height: int = 40,
        *,
        term: str = "tmux-256color",
        environment: dict[str, str] | None = None,
    ) -> None:
        """Open a shell in a window of that size; ``environment`` is added to a bare one."""
        self._socket = f"ktop-test-{os.getpid()}-{next(_numbers)}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SHELL": "/bin/sh",
            "XDG_CONFIG_HOME": "/nonexistent",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PS1": PROMPT + " ",
            **(environment or {}),
        }
        # /dev/null: the settings of whoever runs the tests decide nothing here.
        self.tmux(
            *("start-server", ";"),
            *("set-option", "-g", "default-terminal", term, ";"),
            *("new-session", "-d", "-x", str(width), "-y", str(height), "-c", str(ROOT), "exec /bin/sh"),
        )
        self.shell_pid = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        self.wait_for(PROMPT)

    def tmux(self, *arguments: str) -> str:
        """Give the server a command and return what it says."""
        command = ["tmux", "-u", "-L", self._socket, "-f", "/dev/null", *arguments]
        # A server that this command ends may hang up before it answers.
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode and arguments[0] not in {"kill-server", "kill-pane"}:
            raise RuntimeError(f"tmux {shlex.join(arguments)}: {done.stderr}")
        return done.stdout.rstrip("\n")

    def close(self) -> None:
        """End the server and the shell; the tests see to it that ktop follows."""
        self.tmux("kill-server")

    # -- what runs in it -----------------------------------------------------

    def type_command(self, *command: str) -> None:
        """Type a command at the prompt."""
        self.tmux("send-keys", "-l", shlex.join(command))
        self.tmux("send-keys", "Enter")

    def start(self, *arguments: str) -> int:
        """Start ktop and return its PID once it has painted."""
        self.type_command(*KTOP, *arguments)
        pid = eventually(self.child, "the shell started nothing")
        self.wait_for("q quit")
        return pid

    def child(self) -> int | None:
        """Return the PID of what the shell runs; None while it waits for a command."""
        children = Path(f"/proc/{self.shell_pid}/task/{self.shell_pid}/children").read_text("ascii").split()
        return int(children[0]) if children else None

    # -- keys and screen -----------------------------------------------------

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self.tmux("send-keys", *keys)

    def text(self, text: str) -> None:
        """Type ``text`` as it is."""
        self.tmux("send-keys", "-l", text)

    def filter(self, text: str) -> None:
        """Type a filter, and leave its line."""
        self.keys("/")
        self.wait_for("text, pid:123")
        self.text(text)
        self.keys("Enter")
        self.wait_for(text)

    def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, *options: str) -> list[str]:
        """Return the lines on the screen; with ``-e`` also their colours."""
        return self.tmux("capture-pane", "-p", *options).split("\n")

    def wait(self, what: Callable[[list[str]], T], why: str = "", patience: float = PATIENCE_S) -> T:
        """Return the first true result of ``what`` on the screen's lines."""
        lines: list[str] = []

        def look() -> T:
            lines[:] = self.screen()
            return what(lines)

        try:
            return eventually(look, patience=patience, every=LOOK_S)
        except AssertionError:
            shown = "\n".join(lines)
            raise AssertionError(f"{why or 'what was waited for'} never came; the screen:\n{shown}") from None

    def wait_for(self, text: str, patience: float = PATIENCE_S) -> str:
        """Return the first line that has ``text``, once there is one."""
        return self.wait(
            lambda lines: next((line for line in lines if text in line), ""), repr(text), patience
        )

    def wait_for_figures(self) -> None:
        """Return once the pane in sight shows those of an interval."""
        self.wait(lambda lines: re.search(r"measured \d", "\n".join(lines)), "the first figures")

    def wait_gone(self, text: str) -> None:
        """Return once no line has ``text``."""
        self.wait(lambda lines: not any(text in line for line in lines), f"the end of {text!r}")

    def modes(self) -> Modes:
        """Return the modes the terminal is in."""
        names = ("alternate_on", "cursor_flag", "mouse_any_flag", "keypad_flag")
        answer = self.tmux("display-message", "-p", " ".join(f"#{{{name}}}" for name in names))
        return Modes(*(word == "1" for word in answer.split()))
