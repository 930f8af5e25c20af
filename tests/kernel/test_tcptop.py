"""TCP payload, owners and retransmissions against sockets with known byte counts."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktop.format import address
from ktop.frame import Rows
from ktop.kernel import maps
from tests.kernel.connections import connected, exchange, receive
from tests.waiting import eventually

MAPPED = "::ffff:127.0.0.1"
TCPI_RTT = 68
"""Where struct tcp_info of linux/tcp.h has it, in us."""
LIBC = ctypes.CDLL(None)
COOKIE = 37
"""iperf3 begins every stream with so many bytes that name the test (COOKIE_SIZE in its iperf.h)."""


def row(rows, end: socket.socket) -> dict[str, Any]:
    """Return the one row of a connection, by its ports."""
    local, remote = end.getsockname()[1], end.getpeername()[1]
    at = np.flatnonzero((rows["lport"] == local) & (rows["rport"] == remote))
    assert len(at) == 1
    return {name: column[at[0]] for name, column in rows.items()}


@pytest.mark.parametrize(
    ("host", "bind", "family", "shown"),
    [
        ("127.0.0.1", None, 4, "127.0.0.1"),
        ("::1", None, 6, "::1"),
        (MAPPED, "::", 4, "127.0.0.1"),
    ],
)
def test_both_directions_are_exact(observe, host, bind, family, shown):
    if family == 6 and not socket.has_dualstack_ipv6():
        pytest.skip("this host has no IPv6")
    tcptop = observe("tcptop")
    with connected(host, bind) as (client, server):
        exchange(client, server, 1_000_001, 300_007)
        rows = tcptop.sample().rows
        for end, sent, received in ((client, 1_000_001, 300_007), (server, 300_007, 1_000_001)):
            mine = row(rows, end)
            assert (mine["tx_bytes"], mine["rx_bytes"]) == (sent, received)
            assert mine["pid"] == os.getpid()
            assert mine["family"] == family
            assert address(bytes(mine["laddr"])) == address(bytes(mine["raddr"])) == shown
            assert 0 < mine["srtt_us"] < 1e6
            assert mine["retrans"] == 0
        assert len(tcptop.rows(pid=os.getpid())["pid"]) == 0  # nothing since


@pytest.mark.parametrize("last", ["client", "server"])
def test_round_trip_time_is_that_of_getsockopt(observe, last):
    """Of the end that received last: what it had sent was acknowledged by then, and nothing follows."""
    tcptop = observe("tcptop")
    with connected() as ends:
        end, other = ends if last == "client" else ends[::-1]
        for _ in range(5):
            exchange(end, other, 100, 100)
        mine = row(tcptop.sample().rows, end)
        info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert mine["srtt_us"] == int.from_bytes(info[TCPI_RTT : TCPI_RTT + 4], sys.byteorder) > 0


def test_intervals_add_up(observe):
    """Each interval has its own; those before the pane came are nobody's."""
    with connected() as (client, server):
        exchange(client, server, 5000, 5000)
        tcptop = observe("tcptop")
        sizes = [1, 70_000, 0, 12_345, 8]
        for size in sizes:
            exchange(client, server, size, 2 * size)
            rows = tcptop.rows(pid=os.getpid())
            assert rows["tx_bytes"].sum() == rows["rx_bytes"].sum() == 3 * size
            assert len(rows["pid"]) == (2 if size else 0)


def test_calls_are_those_that_moved_anything(observe):
    """A chatty client: many calls, few bytes; looking ahead and finding nothing are none of them."""
    tcptop = observe("tcptop")
    with connected() as (client, server):
        for _ in range(37):
            client.send(b"0123456789")
            assert server.recv(10, socket.MSG_PEEK) == server.recv(10) == b"0123456789"
        server.send(b"end")
        receive(client, 3)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        rows = tcptop.sample().rows
        mine, others = row(rows, client), row(rows, server)
    assert (mine["tx_calls"], mine["rx_calls"], mine["tx_bytes"]) == (37, 1, 370)
    assert (others["tx_calls"], others["rx_calls"], others["rx_bytes"]) == (1, 37, 370)


def test_only_what_calls_returned_counts(observe):
    """Failed sends, partial sends and looking ahead."""
    tcptop = observe("tcptop")
    with connected() as (client, server):
        client.setblocking(False)
        sent = failed = 0
        while failed < 5:
            try:
                sent += client.send(bytes(300_000))
            except BlockingIOError:
                failed += 1
        for _ in range(3):
            assert len(server.recv(1000, socket.MSG_PEEK)) == 1000
        receive(server, 5000)
        rows = tcptop.sample().rows
        assert row(rows, client)["tx_bytes"] == sent
        assert row(rows, server)["rx_bytes"] == 5000


def test_sendfile_counts(observe, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(50_000))
    tcptop = observe("tcptop")
    with connected() as (client, server), path.open("rb") as file:
        assert os.sendfile(client.fileno(), file.fileno(), 0, 50_000) == 50_000
        receive(server, 50_000)
        rows = tcptop.sample().rows
        assert row(rows, client)["tx_bytes"] == row(rows, server)["rx_bytes"] == 50_000


def test_other_protocols_do_not_count(observe):
    tcptop = observe("tcptop")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        datagrams.sendto(b"x" * 100, datagrams.getsockname())
        datagrams.recv(100)
    one, other = socket.socketpair()
    with one, other:
        one.send(b"x" * 100)
        other.recv(100)
    # The protocol number of NETLINK_XFRM is that of TCP.
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.IPPROTO_TCP) as netlink:
        netlink.send((16).to_bytes(4, "little") + bytes(12))
    assert len(tcptop.rows(pid=os.getpid())["pid"]) == 0


def test_short_lived_connections_count(observe):
    """Opened, used and closed between two readings, by a process that is gone too."""
    tcptop = observe("tcptop")
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listening = listener.getsockname()[1]
        client = os.fork()
        if client == 0:
            for _ in range(500):
                with socket.create_connection(listener.getsockname()) as end:
                    end.sendall(b"x" * 123)
                    receive(end, 45)
            os._exit(0)
        for _ in range(500):
            with listener.accept()[0] as end:
                receive(end, 123)
                end.sendall(b"y" * 45)
        assert os.waitpid(client, 0)[1] == 0
    rows = tcptop.sample().rows
    for pid, sent, received, port in ((client, 123, 45, "rport"), (os.getpid(), 45, 123, "lport")):
        mine = rows["pid"] == pid
        assert mine.sum() == 500
        assert set(rows["tx_bytes"][mine].tolist()) == {sent}
        assert set(rows["rx_bytes"][mine].tolist()) == {received}
        assert set(rows[port][mine].tolist()) == {listening}  # also of those that are closed
    assert tcptop.lost == 0


def test_what_is_received_after_the_end_counts(observe):
    """The peer has closed, and so the connection is closed, but its last bytes are still there."""
    tcptop = observe("tcptop")
    with connected() as (client, server):
        client.shutdown(socket.SHUT_WR)
        server.sendall(b"z" * 9000)
        server.close()
        tcptop.sample()
        receive(client, 9000)
    rows = tcptop.rows(pid=os.getpid())
    assert rows["rx_bytes"].tolist() == [9000]


def test_owner_is_who_talks(observe):
    """Not who accepts, and not who connects where another process then uses it."""
    tcptop = observe("tcptop")
    with connected() as (client, server):
        worker = os.fork()
        if worker == 0:
            receive(server, 1000)
            os._exit(0)
        client.sendall(bytes(1000))
        assert os.waitpid(worker, 0)[1] == 0
        rows = tcptop.sample().rows
        assert row(rows, client)["pid"] == os.getpid()
        assert row(rows, server)["pid"] == worker


def test_a_connection_is_whose_it_was_handed_to(observe):
    """As sshd does; but who goes on using it keeps it."""
    tcptop = observe("tcptop")
    with connected() as (client, server):
        exchange(client, server, 10, 10)
        here, there = socket.socketpair()
        worker = os.fork()
        if worker == 0:
            here.close()
            while there.recv(1):
                server.sendall(b"x")
                there.sendall(b"y")
            os._exit(0)
        there.close()

        def owner(*, with_us: bool) -> int:
            """Return whose it is after an interval in which the worker uses it, and maybe this process."""
            if with_us:
                server.sendall(b"z")
            here.sendall(b"x")
            receive(here, 1)
            receive(client, 2 if with_us else 1)
            return int(row(tcptop.sample().rows, server)["pid"])

        tcptop.sample()
        assert [owner(with_us=True) for _ in range(3)] == [os.getpid()] * 3
        owner(with_us=False)
        assert [owner(with_us=False) for _ in range(2)] == [worker] * 2
        here.close()
        assert os.waitpid(worker, 0)[1] == 0


def listens(port: int) -> bool:
    """Return whether anyone listens there: a client too early could use up the server's one turn."""
    sockets = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    fields = [line.split() for line in sockets.splitlines()]
    return any(line[1].endswith(f":{port:04X}") and line[3] == "0A" for line in fields)


def test_iperf_says_the_same(observe):
    if shutil.which("iperf3") is None:
        pytest.skip("apt install iperf3")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    tcptop = observe("tcptop")
    command = ["iperf3", "-J", "-p", port]
    server = subprocess.Popen([*command, "-s", "-1"], stdout=subprocess.PIPE, text=True)
    try:
        eventually(lambda: listens(int(port)) or server.poll() is not None)
        assert server.poll() is None, server.communicate()[0]
        client = subprocess.Popen(
            [*command, "-c", "127.0.0.1", "-n", "64M"], stdout=subprocess.PIPE, text=True
        )
        report = client.communicate(timeout=60)[0]
        assert client.returncode == 0, report
        server.communicate(timeout=60)
    finally:
        server.kill()
        server.communicate()
    rows = tcptop.sample().rows
    end = json.loads(report)["end"]
    # The other connection of each is the one on which they talk about the test.
    assert rows["tx_bytes"][rows["pid"] == client.pid].max() == end["sum_sent"]["bytes"] + COOKIE
    assert rows["rx_bytes"][rows["pid"] == server.pid].max() == end["sum_received"]["bytes"] + COOKIE
    data = np.flatnonzero(rows["pid"] == client.pid)[rows["tx_bytes"][rows["pid"] == client.pid].argmax()]
    assert rows["retrans"][data] == end["sum_sent"]["retransmits"]


def needs_network_namespaces() -> None:
    """Skip the test where there are none."""
    if (
        shutil.which("ip") is None
        or subprocess.run(["unshare", "-n", "ip", "link"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no network namespaces, or no ip command (apt install iproute2)")


NOBODY = """
ip link set lo up
ip link add near type veth peer name far
ip addr add 10.9.9.1/24 dev near
ip link set near up
ip link set far up
ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:01 dev near nud permanent
exec "$0" -c '
import socket, sys
end = socket.socket()
end.setblocking(False)
end.connect_ex(("10.9.9.2", 9))
def retransmitted():
    names, values = [line.split() for line in open("/proc/net/snmp") if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])
while retransmitted() < 2: pass
print(retransmitted(), flush=True)
sys.stdin.read()
'
"""


def test_connection_requests_are_retransmitted(observe):
    """In a network namespace of its own, whose sockets iter/tcp would not show us; nobody answers."""
    needs_network_namespaces()
    tcptop = observe("tcptop")
    command = ["unshare", "-n", "sh", "-c", NOBODY, sys.executable]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        said = int(client.stdout.readline())
        rows = tcptop.rows(pid=client.pid)
        client.stdin.close()
    assert rows["retrans"].tolist() == [said]
    assert address(bytes(rows["raddr"][0])) == "10.9.9.2"
    assert rows["rport"].tolist() == [9]
    assert rows["tx_bytes"].sum() == rows["rx_bytes"].sum() == 0
    assert np.isnan(rows["srtt_us"]).all()
    assert rows["stalled_s"] > 0, "connect(2) hangs"


@pytest.fixture
def vanishing():
    """Yield the PID of a client whose peer can vanish, and what tells it to do so and returns its answer."""
    needs_network_namespaces()
    script = Path(__file__).with_name("peer_that_vanishes.py")
    command = ["unshare", "-n", sys.executable, str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None

        def tell(what: str) -> list[str]:
            client.stdin.write(what + "\n")
            client.stdin.flush()
            return client.stdout.readline().split()

        assert client.stdout.readline()
        yield client.pid, tell
        client.stdin.close()


def test_a_connection_that_stalls_has_a_row_all_the_while(observe, vanishing, monkeypatch):
    """Between two attempts of the timer too, which lie further and further apart."""
    monkeypatch.setattr(maps, "REST", 0)
    pid, tell = vanishing
    tcptop = observe("tcptop")
    first_wait_s = float(tell("vanish")[0])
    eventually(lambda: not np.isnan(tcptop.rows(pid=pid)["stalled_s"]).all())
    eventually(lambda: int(tell("info")[0]) >= 2)
    attempts = int(tell("info")[0])
    silent = 0
    while int((before := tell("info"))[0]) <= attempts or not silent:
        rows = tcptop.rows(pid=pid)
        (stalled_s,) = rows["stalled_s"].tolist()
        after = tell("info")
        # Since the first time that it was sent again: a loss probe may come before the timer.
        assert float(before[1]) - 2 * first_wait_s - 1 < stalled_s < float(after[1])
        silent += rows["retrans"].sum() == 0
    assert tell("return") == ["2"]
    rows = tcptop.rows(pid=pid)
    assert rows["rx_bytes"].tolist() == [1]
    assert np.isnan(rows["stalled_s"]).all()
    assert len(tcptop.rows(pid=pid)["pid"]) == 0


def waits(end: socket.socket, queue: int) -> int:
    """Return how many bytes wait in one of a socket's queues, as its owner is told (tcp(7))."""
    return int.from_bytes(fcntl.ioctl(end, queue, bytes(4)), sys.byteorder)


def fill(end: socket.socket) -> int:
    """Send until the peer takes no more; return how much that was."""
    end.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += end.send(bytes(1 << 16))
    return sent


@pytest.fixture
def observe_queues(observe, monkeypatch):
    """Return a function that observes tcptop, which walks at each reading; skip where it cannot."""
    monkeypatch.setattr(maps, "REST", 0)

    def start():
        tcptop = observe("tcptop")
        if "queues" not in tcptop.family.choice.variants:
            pytest.skip("no helper to get at the socket of a file before 5.11")
        return tcptop

    return start


def both_stall(rows: Rows) -> Rows | None:
    return rows if np.isfinite(rows["stalled_s"]).sum() == 2 else None


def test_what_nobody_reads_waits_at_both_ends(observe_queues):
    """It came to wait before ktop: nothing happens any more that a hook could tell of."""
    with connected() as (client, server):
        sent = fill(client)
        began = time.monotonic()
        tcptop = observe_queues()
        rows = eventually(lambda: both_stall(tcptop.rows(pid=os.getpid())))
        mine, others = row(rows, client), row(rows, server)
        assert (mine["tx_queue_bytes"], mine["rx_queue_bytes"]) == (waits(client, termios.TIOCOUTQ), 0)
        assert (others["tx_queue_bytes"], others["rx_queue_bytes"]) == (0, waits(server, termios.FIONREAD))
        assert mine["tx_queue_bytes"] + others["rx_queue_bytes"] == sent
        for end in (mine, others):
            assert end["pid"] == os.getpid()
            assert end["tx_bytes"] == end["rx_bytes"] == 0
            assert 0 < end["stalled_s"] < time.monotonic() - began
        receive(server, sent)
        eventually(lambda: waits(client, termios.TIOCOUTQ) == 0)
        mine = row(tcptop.sample().rows, server)
        assert (mine["rx_bytes"], mine["rx_queue_bytes"]) == (sent, 0)
        assert np.isnan(mine["stalled_s"])
        assert len(tcptop.rows(pid=os.getpid())["pid"]) == 0


def test_that_a_peer_has_left_is_no_byte_that_waits(observe_queues):
    """Its end takes a sequence number, too; and what it sent before is in nobody's way."""
    tcptop = observe_queues()
    with connected() as (client, server):
        exchange(client, server, 5, 5)
        client.send(b"123")
        client.shutdown(socket.SHUT_WR)
        eventually(lambda: waits(client, termios.TIOCOUTQ) == 0)
        rows = tcptop.sample().rows
        mine, others = row(rows, client), row(rows, server)
        assert (mine["tx_queue_bytes"], mine["rx_queue_bytes"]) == (0, 0)
        assert (others["tx_queue_bytes"], others["rx_queue_bytes"]) == (0, 3)
        assert len(tcptop.rows(pid=os.getpid())["pid"]) == 0


def test_a_walk_rests_many_times_as_long_as_it_took(observe_queues, monkeypatch):
    tcptop = observe_queues()

    def walk() -> list[int]:
        ids: list[int] = tcptop.reading().maps["queues"]["id"].tolist()
        return ids

    assert len({*walk(), *walk()}) == 2, "one a reading"
    monkeypatch.setattr(maps, "REST", 1e9)
    assert walk() == walk() == walk()


def test_a_socket_that_connects_anew_has_its_new_addresses(observe):
    tcptop = observe("tcptop")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        for _ in range(2):
            client.connect(listener.getsockname())
            with listener.accept()[0] as server:
                exchange(client, server, 5, 7)
                mine = row(tcptop.sample().rows, client)
                assert (mine["tx_bytes"], mine["rx_bytes"]) == (5, 7)
            # connect(2) to AF_UNSPEC dissolves the association.
            assert LIBC.connect(client.fileno(), bytes(16), 16) == 0


def test_a_socket_that_connects_anew_is_another_connection(observe):
    """Each has its own figures, also when both were in one interval."""
    tcptop = observe("tcptop")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        ports = []
        for size in (5, 7):
            client.connect(listener.getsockname())
            ports.append(client.getsockname()[1])
            with listener.accept()[0] as server:
                exchange(client, server, size, 3)
            assert LIBC.connect(client.fileno(), bytes(16), 16) == 0
        rows = tcptop.sample().rows
    sent = {int(port): int(size) for port, size in zip(rows["lport"], rows["tx_bytes"], strict=True)}
    assert [sent[port] for port in ports] == [5, 7]
    assert len(set(rows["cookie"].tolist())) == len(rows["cookie"])
