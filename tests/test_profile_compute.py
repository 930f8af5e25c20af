"""What profile makes of samples, without a kernel."""

from __future__ import annotations

import struct

from ktop.frame import Facts, Reading
from ktop.panes.profile import PANE, compute
from tests.layouts import layout, record, records

SAMPLE = layout("profile", "sample")
FACTS = Facts()


def sample(pid, kernel, user, comm=b"comm", start_ns=5):
    """Return (record, tail); stacks innermost first as the kernel writes them, or -errno."""
    in_kernel, in_user = (stack if isinstance(stack, int) else 8 * len(stack) for stack in (kernel, user))
    addresses = [address for stack in (kernel, user) if not isinstance(stack, int) for address in stack]
    who = {"start_ns": start_ns, "exec_id": 1, "pid": pid, "comm": comm, "cgroup": 9}
    made = record(SAMPLE, kernel_bytes=in_kernel, user_bytes=in_user, **who)
    return made, struct.pack(f"{len(addresses)}Q", *addresses)


def rows(*samples):
    heads = records(SAMPLE, [made for made, _tail in samples])
    reading = Reading(0, {"samples": heads}, {"samples": [tail for _made, tail in samples]})
    return compute(reading, reading, FACTS).rows


def test_none():
    found = rows()
    assert {len(column) for column in found.values()} == {0}
    assert set(found) == {column.name for column in PANE.columns}


def test_equal_stacks_are_counted():
    found = rows(
        sample(7, (3, 2, 1), (6, 5)), sample(8, (3, 2, 1), (6, 5)), sample(7, (3, 2, 1), (6, 5), b"new")
    )
    assert found["pid"].tolist() == [7, 8]
    assert found["samples"].tolist() == [2, 1]
    assert found["kernel_stack"].tolist() == [(1, 2, 3)] * 2
    assert found["user_stack"].tolist() == [(5, 6)] * 2
    assert found["comm"].tolist() == [b"new", b"comm"]


def test_where_a_stack_ends_matters():
    """The same addresses, once in the kernel and once in user space."""
    found = rows(sample(7, (2, 1), ()), sample(7, (), (2, 1)), sample(7, (2,), (1,)))
    assert found["samples"].tolist() == [1, 1, 1]
    assert found["kernel_stack"].tolist() == [(1, 2), (), (2,)]
    assert found["user_stack"].tolist() == [(), (1, 2), (1,)]


def test_a_stack_that_could_not_be_read_is_none():
    found = rows(sample(7, -14, (3, 2, 1)), sample(7, (1,), -14), sample(7, (), ()))
    assert found["kernel_stack"].tolist() == [None, (1,), ()]
    assert found["user_stack"].tolist() == [(1, 2, 3), None, ()]


def test_a_pid_used_again_is_another_process():
    found = rows(sample(7, (1,), (), start_ns=5), sample(7, (1,), (), start_ns=6))
    assert found["samples"].tolist() == [1, 1]
