"""TCP connections within this host, and bytes over them."""

from __future__ import annotations

import contextlib
import socket


@contextlib.contextmanager
def connected(host: str = "127.0.0.1", bind: str | None = None):
    """Yield (client, server), the two ends of a connection within this host."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((bind or host, 0), family=family, dualstack_ipv6=bind == "::") as listener,
        socket.socket(family) as client,
    ):
        client.connect((host, listener.getsockname()[1]))
        with listener.accept()[0] as server:
            yield client, server


def receive(end: socket.socket, size: int) -> None:
    while size:
        size -= len(end.recv(min(size, 1 << 16)))


def exchange(client: socket.socket, server: socket.socket, there: int, back: int) -> None:
    """Send ``there`` bytes to the server and ``back`` to the client, in pieces that never block."""
    for source, target, size in ((client, server, there), (server, client, back)):
        left = size
        while left:
            sent = source.send(bytes(min(left, 1 << 14)))
            receive(target, sent)
            left -= sent
