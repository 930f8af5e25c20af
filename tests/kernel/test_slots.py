"""What comes and goes in slots: there are more as they are needed, and nothing counts twice or is missed."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ktop.kernel import libbpf, slots
from ktop.kernel.slots import SlotArrays
from tests.kernel.connections import connected, exchange

ATTEMPTS = 12
"""Until nobody else on this host uses a connection meanwhile, which would have one of the few slots."""


def refuse_memory(*_arguments: object) -> int:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


@pytest.fixture
def few_slots(observe, monkeypatch):
    """Return a pane that begins with 64 slots, and has 2,048 at most."""
    monkeypatch.setattr(slots, "SLOTS", 64)
    monkeypatch.setattr(slots, "SPARE", 32)
    monkeypatch.setattr(slots, "MOST_ARRAYS", 32)
    return observe("tcptop")


def talk(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    for client, server in pairs:
        exchange(client, server, 5, 7)


def test_there_are_more_slots_as_connections_come(few_slots):
    """As many again each time they are read; each connection comes once."""
    with contextlib.ExitStack() as stack:
        pairs: list[tuple[socket.socket, socket.socket]] = []
        for more in (6, 5, 7, 8, 10, 12, 15, 16, 20, 24):
            pairs += (new := [stack.enter_context(connected()) for _ in range(more)])
            talk(new)
            rows = few_slots.rows(pid=os.getpid())
            assert sorted(rows["lport"].tolist()) == sorted(end.getsockname()[1] for p in new for end in p)
            assert sorted(rows["tx_bytes"].tolist()) == [5] * more + [7] * more
            assert few_slots.lost == 0
        talk(pairs)
        rows = few_slots.rows(pid=os.getpid())
        assert len(rows["pid"]) == len(set(rows["cookie"].tolist())) == 2 * len(pairs)
        assert rows["tx_bytes"].sum() == rows["rx_bytes"].sum() == 12 * len(pairs)
    assert len(few_slots.rows(pid=os.getpid())["pid"]) == 0


def test_only_arrays_in_use_are_resident(few_slots):
    slots = few_slots.family._arrays["connections"]
    slots._make_room(700)
    with connected() as pair:
        talk([pair])
        mine = few_slots.sample().rows["pid"] == os.getpid()
    assert mine.sum() == 2
    assert len(slots._fds) > 10
    others = (~mine).sum()  # each may have its slot in another array
    assert 1 <= len(slots._mapped) <= 1 + others


def test_slots_are_used_again(few_slots):
    """Five times as many connections as there are slots, one after the other."""
    for _ in range(160):
        with connected() as pair:
            talk([pair])
    rows = few_slots.rows(pid=os.getpid())
    assert len(rows["pid"]) == len(set(rows["cookie"].tolist())) == 320
    assert rows["tx_bytes"].sum() == rows["rx_bytes"].sum() == 160 * 12
    assert few_slots.lost == 0


@pytest.mark.usefixtures("few_slots")
def test_what_finds_no_slot_is_lost_and_told(observe, monkeypatch):
    """Each event by itself, until there are more slots."""
    found: object = None
    for _ in range(ATTEMPTS):
        tcptop = observe("tcptop")
        with contextlib.ExitStack() as stack, monkeypatch.context() as patch:
            patch.setattr(libbpf.library(), "bpf_map_create", refuse_memory)
            # Each client has a slot as it connects; each server asks for one as it receives, then as it
            # sends.
            pairs = [stack.enter_context(connected()) for _ in range(60)]
            talk(pairs)
            rows = tcptop.rows(pid=os.getpid())
            short = len(rows["pid"]), tcptop.lost, (rows["tx_bytes"] == 5).sum()
            patch.undo()
            tcptop.begin()
            talk(pairs)
            rows = tcptop.rows(pid=os.getpid())
        found = short, (len(rows["pid"]), tcptop.lost)
        if found == ((64, 2 * (120 - 64), 60), (120, 0)):
            break
    else:
        pytest.fail(f"others had slots, again and again, or it is not as it should be: {found}")


def test_without_memory_at_the_start_it_goes_on_when_there_is_some(observe, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(libbpf.library(), "bpf_map_create", refuse_memory)
        tcptop = observe("tcptop")
        with connected() as pair:
            talk([pair])
        assert len(tcptop.rows(pid=os.getpid())["pid"]) == 0
        assert tcptop.lost > 0
    tcptop.begin()
    with connected() as pair:
        talk([pair])
        assert sorted(tcptop.rows(pid=os.getpid())["tx_bytes"].tolist()) == [5, 7]


def during(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have ``act`` called while slots are read: before each array."""
    values = SlotArrays._values

    def act_and_read(self: SlotArrays, memory: mmap.mmap) -> np.ndarray[Any, Any]:
        act()
        return values(self, memory)

    monkeypatch.setattr(SlotArrays, "_values", act_and_read)


def test_connections_that_come_and_go_while_they_are_read_count_once(few_slots, monkeypatch):
    sent: Counter[tuple[int, int]] = Counter()
    received: Counter[tuple[int, int]] = Counter()
    with contextlib.ExitStack() as stack:
        few_slots.family._arrays["connections"]._make_room(700)
        pairs = [stack.enter_context(connected()) for _ in range(300)]

        def exchange_on(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
            talk(pairs)
            for client, server in pairs:
                near, far = client.getsockname()[1], server.getsockname()[1]
                sent.update({(near, far): 5, (far, near): 7})
                received.update({(near, far): 7, (far, near): 5})

        def stir() -> None:
            pairs.append(stack.enter_context(connected()))
            exchange_on([*pairs[:10], *pairs[-50:]])
            for pair in pairs[:10]:
                for end in pair:
                    end.close()
            del pairs[:10]

        exchange_on(pairs)
        with monkeypatch.context() as patch:
            during(patch, stir)
            both = [few_slots.rows(pid=os.getpid())]
        assert len(pairs) < 300 - 8 * 10  # it was read in many steps
        both.append(few_slots.rows(pid=os.getpid()))
    for name, expected in (("tx_bytes", sent), ("rx_bytes", received)):
        found: Counter[tuple[int, int]] = Counter()
        for rows in both:
            assert len(set(rows["cookie"].tolist())) == len(rows["cookie"])
            ports = zip(rows["lport"].tolist(), rows["rport"].tolist(), strict=True)
            for connection, size in zip(ports, rows[name].tolist(), strict=True):
                found[connection] += size
        assert found == expected


def test_a_slot_that_is_given_back_and_taken_while_it_is_copied_is_left_out(few_slots, monkeypatch):
    """The copy may be half of one connection and half of the other."""
    flatnonzero = np.flatnonzero
    with contextlib.ExitStack() as stack:
        old, new = (stack.enter_context(connected()) for _ in range(2))
        talk([old])

        def replace(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            for end in old:
                end.close()
            talk([new])
            return flatnonzero(values)

        with monkeypatch.context() as patch:
            patch.setattr("ktop.kernel.slots.np.flatnonzero", replace)
            now = few_slots.reading()
        # The client has had its slot since it connected, the server has taken the one given back last.
        client, server = (end.getsockname()[1] for end in new)
        ports = now.maps["connections"]["lport"].tolist()
        assert client in ports
        assert server not in ports
        rows = few_slots._computed(now).rows
        assert sorted(rows["tx_bytes"].tolist()) == [5, 5, 7]
        rows = few_slots.rows(pid=os.getpid())
        assert rows["lport"].tolist() == [server]
        assert rows["tx_bytes"].tolist() == [7]


def test_a_reading_that_fails_loses_nothing(few_slots, monkeypatch):
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(connected()) for _ in range(10)]
        talk(pairs)

        def fail() -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        for end in pairs.pop():
            end.close()
        with monkeypatch.context() as patch:
            during(patch, fail)
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                few_slots.reading()
        talk(pairs)
        rows = few_slots.rows(pid=os.getpid())
    assert len(rows["pid"]) == 20
    assert rows["tx_bytes"].sum() == rows["rx_bytes"].sum() == (10 + 9) * 12
