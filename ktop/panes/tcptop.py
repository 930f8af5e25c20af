"""TCP by connection: who sends and receives how much, how far away the peer is, what is retransmitted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ktop.format import V4_MAPPED
from ktop.frame import Array, Facts, Reading, Sample
from ktop.pane import CGROUP, STARTED, Column, Fold, Lines, Pane, Unit
from ktop.stats import match

COUNTERS = ("tx_bytes", "rx_bytes", "tx_calls", "rx_calls", "retrans")
STALL_NS = 1_000_000_000
"""What waits for less is under way: to the other side of the world and back, or to a process that is busy."""
_V4_MAPPED = np.frombuffer(V4_MAPPED, "u4")


def compute(previous: Reading, current: Reading, _facts: Facts) -> Sample:
    """Return what each connection did between two Readings, those that did anything."""
    before, closed = previous.maps["connections"], current.maps["closed"]
    # One that was closed while they were read is here twice, and the last record has it all.
    stayed = np.isin(current.maps["connections"]["cookie"], closed["cookie"], invert=True)
    parts = current.maps["connections"][stayed], closed

    def column(name: str, of: str | None = None) -> Array:
        # By columns: numpy copies whole records field by field, ten times as slow.
        return np.concatenate([part[of][name] if of else part[name] for part in parts])

    place = match(before["cookie"], column("cookie"))
    grew: dict[str, Array] = {}
    for name in COUNTERS:
        has = column(name, "now")
        had = np.where(place >= 0, before["now"][name][place], 0) if len(before) else np.zeros_like(has)
        grew[name] = has - np.minimum(had, has)
    # Kernels before 5.11 have no walk.
    seen = np.isin(column("walk"), current.maps["queues"]["id"] if "queues" in current.maps else [])
    since_ns = _stalled_since(column, seen, previous.time_ns, current.time_ns)
    stalled = ~np.isnan(since_ns)
    active = stalled | (grew["tx_bytes"] > 0) | (grew["rx_bytes"] > 0) | (grew["retrans"] > 0)
    grew = {name: growth[active] for name, growth in grew.items()}
    same = ("pid", "start_ns", "comm", "cgroup", "cookie", "lport", "rport")
    rows = {name: column(name)[active] for name in same}
    rows["laddr"], rows["raddr"] = _address(column("laddr")[active]), _address(column("raddr")[active])
    rows["family"] = _family(rows["raddr"])
    srtt_us = column("srtt_us")[active]
    rows["srtt_us"] = np.where(srtt_us > 0, srtt_us.astype(np.float64), np.nan)
    rows["stalled_s"] = (current.time_ns - since_ns[active]) / 1e9
    for name in ("rx_queue", "tx_queue"):
        rows[f"{name}_bytes"] = np.where(seen, column(name), np.nan)[active]
    host = {name: float(growth.sum()) for name, growth in grew.items()}
    return Sample({**rows, **grew}, host, unattributed_ratio=_unattributed(rows["pid"], grew))


def _stalled_since(column: Callable[..., Array], seen: Array, began_ns: int, ended_ns: int) -> Array:
    """Return since when nothing moves on each connection though something waits; float64, NaN where it does.

    ``seen``: which the last walk has found.  The interval is that from ``began_ns`` to ``ended_ns``.
    """
    # Whose peer has sent anything since the timer did, was answered.
    unanswered = (column("due_ns") > began_ns) & (column("rx_bytes", "now") == column("rx_bytes"))
    since_ns = np.where(unanswered, column("stalled_ns").astype(np.float64), np.nan)
    for name in ("rx_still_ns", "tx_still_ns"):
        still_ns = column(name)
        waits = seen & (still_ns > 0) & (still_ns < min(began_ns, ended_ns - STALL_NS))
        since_ns = np.fmin(since_ns, np.where(waits, still_ns.astype(np.float64), np.nan))
    return since_ns


def derive(rows: dict[str, Array]) -> dict[str, Array]:
    """Add what was sent and received together: who only receives is no less of an answer."""
    rows["bytes"] = rows["tx_bytes"] + rows["rx_bytes"]
    return rows


def _address(words: Array) -> Array:
    """Return addresses (connections, 4 words in network order) as V16."""
    return np.ascontiguousarray(words).view("V16").reshape(len(words))


def _family(addresses: Array) -> Array:
    """Return 4 for IPv4, mapped into IPv6 or not, and 6 for the rest."""
    words = addresses.view("u4").reshape(len(addresses), 4).T
    first, second, third = (word == mapped for word, mapped in zip(words, _V4_MAPPED, strict=False))
    return np.where(first & second & third, 4, 6).astype(np.uint8)


def _unattributed(pids: Array, grew: dict[str, Array]) -> float | None:
    """Return the share of bytes on connections without an owner; None without traffic."""
    size = grew["tx_bytes"] + grew["rx_bytes"]
    total = int(size.sum())
    return int(size[pids == 0].sum()) / total if total else None


_PAYLOAD = (
    "what calls returned, so failed and partial ones count right. Of TLS in the kernel it is the plain "
    "text, and before Linux 6.3 nothing. Multipath TCP is not seen. A connection within this host is there "
    "twice, once for each end. "
)

_QUEUES = (
    "When the files that processes have open were last walked through: in each interval, or where they are "
    "many less often, so that it takes half a per cent of a CPU. – of what no process had open then, and "
    "before Linux 5.11."
)

PANE = Pane(
    name="tcptop",
    question="Who talks TCP to whom, how much, and does it get through?",
    family="tcp",
    columns=(
        Column(
            "pid",
            "PID",
            Unit.NUMBER,
            "Process that first sent or received on the connection, or called connect before; another that "
            "does has it from then on that this one let an interval pass. Of what waits before any did, the "
            "one that has it open. 0: none (only retransmissions were seen).",
        ),
        Column(
            "comm", "COMMAND", Unit.TEXT, "Name of that process when it first sent or received.", Fold.LAST
        ),
        Column(
            "family",
            "IP",
            Unit.NUMBER,
            "4 or 6; IPv4 in an IPv6 socket is 4.",
            Fold.LAST,
            width=2,
            from_width=110,
        ),
        Column("laddr", "LOCAL", Unit.ADDRESS, "Address at this end.", Fold.LAST, from_width=100),
        Column("lport", "LPORT", Unit.NUMBER, "Port at this end.", Fold.LAST, width=5),
        Column("raddr", "REMOTE", Unit.ADDRESS, "Address of the peer.", Fold.LAST),
        Column("rport", "RPORT", Unit.NUMBER, "Port of the peer.", Fold.LAST, width=5),
        Column(
            "tx_bytes",
            "SENT",
            Unit.BYTES,
            "Payload that the application handed over: " + _PAYLOAD + "sendfile and splice count "
            "(but on 6.3 and 6.4).",
        ),
        Column(
            "rx_bytes",
            "RECEIVED",
            Unit.BYTES,
            "Payload that the application took: " + _PAYLOAD + "Looking ahead (MSG_PEEK) does not count; "
            "what is taken by splice, mapped pages (TCP_ZEROCOPY_RECEIVE) or inside the kernel is not seen.",
            width=8,
        ),
        Column(
            "srtt_us",
            "RTT",
            Unit.US,
            "Smoothed round-trip time that TCP itself reckons with, when the process last sent or received; "
            "of several connections the longest. – before the first measurement.",
            Fold.MAX,
        ),
        Column(
            "retrans",
            "RETR",
            Unit.COUNT,
            "Segments sent again, of connection requests too; answers to those (SYN-ACK) are not among them.",
            alarm=True,
        ),
        Column(
            "stalled_s",
            "STALLED",
            Unit.SECONDS,
            "Since when nothing moves though something waits; as long the connection has a row. The peer "
            "takes nothing (SEND-Q) or the process does not read (RECV-Q), for a second and a whole interval "
            "at least; or the peer does not answer: TCP's timer sends again, from the second time in a row "
            "on. Before Linux 5.11 only that is seen, and an answer without payload only by the timer not "
            "sending again when it is due.",
            Fold.MAX,
            alarm=True,
            behind=True,
        ),
        Column(
            "rx_queue_bytes",
            "RECV-Q",
            Unit.BYTES,
            "Bytes that have arrived and that the process has not read; of several connections the most. "
            + _QUEUES,
            Fold.MAX,
            explains="stalled_s",
            behind=True,
        ),
        Column(
            "tx_queue_bytes",
            "SEND-Q",
            Unit.BYTES,
            "Bytes that the process handed over and the peer has not acknowledged, sent or not; of several "
            "connections the most. " + _QUEUES,
            Fold.MAX,
            explains="stalled_s",
            behind=True,
        ),
        Column(
            "tx_calls",
            "SENDS",
            Unit.COUNT,
            "Calls that sent any of it: many with few bytes are a chatty client.",
            from_width=110,
        ),
        Column("rx_calls", "RECVS", Unit.COUNT, "Calls that took any of it.", from_width=110),
        Column("bytes", "TOTAL", Unit.BYTES, "SENT and RECEIVED together.", Fold.DERIVED_SUM),
        CGROUP,
        STARTED,
        Column(
            "cookie",
            "SOCKET",
            Unit.NUMBER,
            "A number of the connection, never used again.",
            Fold.LAST,
            hidden=True,
        ),
    ),
    key=("cookie",),
    sort="bytes",
    compute=compute,
    derive=derive,
    chart=Lines("TCP payload and retransmitted segments", (("tx_bytes", "rx_bytes"), ("retrans",))),
    groups=("send", "receive"),
    counted=Column(
        "connections",
        "CONNS",
        Unit.COUNT,
        "Connections of the process that sent, received or sent again anything, or stall; also those closed "
        "meanwhile.",
    ),
)
