"""Which variant is taken, without a kernel."""

from __future__ import annotations

from ktop.kernel.choice import Choice
from ktop.kernel.perf import parse_cpu_list
from ktop.kernel.prepare import lru_entries, ring_bytes
from ktop.kernel.reasons import explain

PROGRAMS = ["switch__tp_btf", "switch__raw_tp", "wakeup__tp_btf", "dump"]
NEWEST = (99, 0)


def test_the_first_of_each_group_is_taken():
    taken = Choice.among(PROGRAMS, NEWEST).taken()
    assert taken == {"switch": "switch__tp_btf", "wakeup": "wakeup__tp_btf", "dump": "dump"}


def test_a_refused_one_gives_way_to_the_next():
    choice = Choice.among(PROGRAMS, NEWEST)
    choice.refused["switch__tp_btf"] = "EPERM"
    assert choice.taken()["switch"] == "switch__raw_tp"
    assert choice.missing() == {}


def test_a_group_without_a_variant_says_why():
    choice = Choice.among(PROGRAMS, NEWEST)
    choice.refused |= {"switch__tp_btf": "EPERM", "switch__raw_tp": "ENOENT"}
    assert "switch" not in choice.taken()
    assert choice.missing() == {"switch": "EPERM; ENOENT"}


def test_the_parts_of_a_variant_go_together():
    programs = ["start__io_start", "start__getrq__bio", "start__getrq__issue", "end__tp_btf"]
    choice = Choice.among(programs, NEWEST)
    assert choice.programs() == {"start__io_start": "start__io_start", "end__tp_btf": "end__tp_btf"}
    choice.refused["start__io_start"] = "ESRCH"
    assert choice.taken()["start"] == "start__getrq"
    assert [name for name, variant in choice.programs().items() if variant == "start__getrq"] == [
        "start__getrq__bio",
        "start__getrq__issue",
    ]
    choice.refused["start__getrq"] = "EPERM"
    assert choice.missing() == {"start": "ESRCH; EPERM"}


def test_what_is_no_longer_needed_is_left_out():
    programs = ["birth__tp_btf_before_6_4", "switch__tp_btf"]
    assert "birth" in Choice.among(programs, (6, 3)).variants
    for newer in ((6, 4), (6, 12), (7, 0)):
        assert Choice.among(programs, newer).programs() == {"switch__tp_btf": "switch__tp_btf"}


def test_cpu_lists():
    assert parse_cpu_list("0-3,8\n") == [0, 1, 2, 3, 8]
    assert parse_cpu_list("0") == [0]
    assert parse_cpu_list("\n") == []


def test_rings_grow_with_the_cpus():
    sizes = {cpus: ring_bytes(4096, cpus) // 4096 for cpus in (1, 2, 8, 9, 16, 17, 128, 192)}
    assert sizes == {1: 1, 2: 1, 8: 1, 9: 2, 16: 2, 17: 4, 128: 16, 192: 32}


def test_what_the_cpus_set_aside_is_not_missing():
    assert [lru_entries(4096, cpus) - 128 * cpus for cpus in (1, 2, 64, 256)] == [4096] * 4


def test_the_kernels_own_errno_has_a_name():
    assert explain(-524, "send__fexit") == "send__fexit: ENOTSUPP, this kernel or machine does not support it"
