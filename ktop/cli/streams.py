"""The standard streams, wherever they lead: nowhere, to a terminal, a full disk, a reader that left."""

from __future__ import annotations

import os
import sys

from ktop.cli.ending import Failure

STDOUT, STDERR = 1, 2


def open_missing() -> None:
    """Give a process that was started without one of its three streams one that leads nowhere."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            forget(fd)
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False))  # noqa: SIM115 - as long as we


def forget(fd: int) -> None:
    """Let the interpreter's last flush go nowhere, instead of complaining about the reader."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
    except OSError:  # no descriptor to be had but its own
        os.close(fd)
        nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != fd:
        os.dup2(nowhere, fd)
        os.close(nowhere)


def say(sentence: str) -> None:
    """Write one sentence to stderr, wherever that leads."""
    # Names that were given (files, panes) may hold anything.
    text = "".join(each if each.isprintable() else repr(each)[1:-1] for each in " ".join(sentence.split()))
    try:
        sys.stderr.write(f"ktop: {text}\n")
        sys.stderr.flush()
    except OSError:
        forget(STDERR)


def cannot_write(error: OSError) -> Failure:
    """Return the end of a command whose output is not taken."""
    return Failure(f"cannot write to standard output: {error.strerror}")


def encoding() -> str:
    """Return what text on stdout is encoded with."""
    return sys.stdout.encoding or "utf-8"


def terminal_size() -> tuple[int, int]:
    """Return the columns and lines of the terminal on stdout; 0 where there is none."""
    try:
        size = os.get_terminal_size(STDOUT)
    except OSError:
        return 0, 0
    return size.columns, size.lines
