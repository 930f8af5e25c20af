"""Thousands of processes and connections, made in helper processes that end with the benchmark."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator

_PRELUDE = """
import ctypes, os, signal, socket, sys, time
libc = ctypes.CDLL(None)
libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it goes when the benchmark does
"""

# Each sleeper takes one byte from either pipe in turn, so that each runs once a line.
_SLEEPERS = (
    _PRELUDE
    + """
children = []
pipes = [os.pipe(), os.pipe()]
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        libc.prctl(1, signal.SIGKILL)
        while True:
            for take, _ in pipes:
                os.read(take, 1)
    children.append(child)
print(flush=True)
for number, line in enumerate(sys.stdin):
    os.write(pipes[number % 2][1], bytes(len(children)))
    print(flush=True)
for child in children:
    os.kill(child, signal.SIGKILL)
for child in children:
    os.waitpid(child, 0)
"""
)

# Each end of a connection sends one byte whenever a line comes on standard input.
_CONNECTIONS = (
    _PRELUDE
    + """
number, port = int(sys.argv[1]), 0
ends = []
with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
    for _ in range(number):
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        ends += [near, far]
print(flush=True)
for line in sys.stdin:
    for end in ends:
        end.send(b"x")
    for end in ends:
        end.recv(64)
    print(flush=True)
"""
)


@contextlib.contextmanager
def _helpers(program: str, number: int, most: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run ``program`` as often as ``number`` needs when each takes ``most``."""
    helpers: list[subprocess.Popen[bytes]] = []
    try:
        for begin in range(0, number, most):
            command = [sys.executable, "-I", "-S", "-c", program, str(min(most, number - begin))]
            helpers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        for helper in helpers:
            assert helper.stdout is not None
            helper.stdout.readline()
        yield helpers
    finally:
        for helper in helpers:
            assert helper.stdin is not None
            helper.stdin.close()
        for helper in helpers:
            helper.wait(120)


@contextlib.contextmanager
def sleepers(number: int) -> Iterator[Callable[[], None]]:
    """Have ``number`` more processes that sleep; the function yielded has all of them run for a moment."""
    with _helpers(_SLEEPERS, number, 8000) as helpers:
        yield lambda: talk(helpers)


@contextlib.contextmanager
def connections(number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Have ``number`` more TCP connections on loopback; ``talk`` makes them send."""
    with _helpers(_CONNECTIONS, number, 5000) as helpers:
        yield helpers


def talk(helpers: list[subprocess.Popen[bytes]]) -> None:
    """Send one byte both ways on each connection (wake each sleeper), and wait until it has arrived."""
    for helper in helpers:
        assert helper.stdin is not None
        helper.stdin.write(b"\n")
        helper.stdin.flush()
    for helper in helpers:
        assert helper.stdout is not None
        helper.stdout.readline()
