"""A connection whose peer vanishes: two network namespaces, and an address that leads nowhere for a time.

Says on a line each what it is told to do on stdin: ``vanish``, ``info`` (how often in a row the timer sent
again, and ms since anything was acknowledged, as struct tcp_info has them), ``return`` (and what came then).
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE, THERE, PORT = "10.9.9.1", "10.9.9.2", 9
TCPI_RETRANSMITS, TCPI_LAST_ACK_RECV = 2, 56
"""Where struct tcp_info of linux/tcp.h has them."""
ECHO = f"""
import socket, sys
sys.stdin.readline()
with socket.create_server(("{THERE}", {PORT})) as server:
    print(flush=True)
    end = server.accept()[0]
    while data := end.recv(100):
        end.send(data)
"""


def ip(words: str, *, inside: int | None = None) -> None:
    """Call ip(8), in the network namespace of a process."""
    enter = [] if inside is None else ["nsenter", "-t", str(inside), "-n"]
    subprocess.run([*enter, "ip", *words.split()], check=True)


def main() -> None:
    """Do as told until stdin ends."""
    command = ["unshare", "-n", sys.executable, "-c", ECHO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        while _namespace(peer.pid) == _namespace("self"):
            time.sleep(0.01)
        ip("link add near type veth peer name far")
        ip(f"link set far netns {peer.pid}")
        for link, address, inside in (("near", HERE, None), ("far", THERE, peer.pid)):
            ip(f"addr add {address}/24 dev {link}", inside=inside)
            ip(f"link set {link} up", inside=inside)
        peer.stdin.write("\n")
        peer.stdin.flush()
        peer.stdout.readline()
        with socket.create_connection((THERE, PORT)) as end:
            end.send(b"1")
            print(end.recv(1).decode(), end.getsockname()[1], flush=True)
            for line in sys.stdin:
                _do(line.strip(), end)


def _namespace(process: int | str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _do(what: str, end: socket.socket) -> None:
    if what == "vanish":
        ip(f"neigh replace {THERE} lladdr 02:00:00:00:00:01 dev near nud permanent")
        end.send(b"2")
        print(flush=True)
    elif what == "return":
        ip(f"neigh del {THERE} dev near")
        print(end.recv(1).decode(), flush=True)
    else:
        info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 100)
        print(info[TCPI_RETRANSMITS], *struct.unpack_from("=I", info, TCPI_LAST_ACK_RECV), flush=True)


if __name__ == "__main__":
    main()
