"""A connection whose peer vanishes: two network namespaces, and an address that leads nowhere for a time.

Answers with a line each time that stdin says what to do: ``vanish``, with the timer's first wait (s), and a
byte is sent; ``info``, with how often in a row the timer has sent it again, and the seconds since the first
time; ``return``, with what the peer sends back then.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE, THERE, PORT = "10.9.9.1", "10.9.9.2", 9
TCPI_RETRANSMITS, TCPI_RTO = 2, 8
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
        try:
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
                print(end.recv(1).decode(), flush=True)
                began = 0.0
                for line in sys.stdin:
                    began = _do(line.strip(), end, began)
        finally:
            peer.kill()  # what it waits for may never come


def _namespace(process: int | str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _do(what: str, end: socket.socket, began: float) -> float:
    """Do ``what``; return when the byte that is not answered was sent (by the monotonic clock)."""
    info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 100)
    if what == "vanish":
        ip(f"neigh replace {THERE} lladdr 02:00:00:00:00:01 dev near nud permanent")
        began = time.monotonic()
        end.send(b"2")
        print(struct.unpack_from("=I", info, TCPI_RTO)[0] / 1e6, flush=True)
    elif what == "return":
        ip(f"neigh del {THERE} dev near")
        print(end.recv(1).decode(), flush=True)
    else:
        print(info[TCPI_RETRANSMITS], time.monotonic() - began, flush=True)
    return began


if __name__ == "__main__":
    main()
