"""Which variant is taken, without a kernel."""

from __future__ import annotations

import errno
import os
import resource

import pytest

from ktop.kernel.choice import Choice
from ktop.kernel.loader import LoadError, _blame, _open
from ktop.kernel.prepare import lru_entries, ring_bytes, substitute_entries
from ktop.kernel.reasons import explain, in_words

PROGRAMS = ["switch__tp_btf", "switch__raw_tp", "wakeup__tp_btf", "dump"]
NEWEST = (99, 0)


def test_types_that_cannot_be_read_are_no_missing_hook():
    lines = ["libbpf: Error loading vmlinux BTF: -3", "libbpf: failed to load object 'x.bpf.o'"]
    choice = Choice.among(["switch__tp_btf"], NEWEST)
    choice.storage = False
    with pytest.raises(LoadError, match="memory is short"):
        _blame(choice, lines, OSError(errno.ESRCH, "No such process"), [])


def test_a_map_for_which_there_was_no_file_is_not_one_that_the_kernel_does_not_know():
    lines = [
        "libbpf: Error in bpf_create_map_xattr(usages):Too many open files(-24). Retrying without BTF.",
        "libbpf: map 'usages': failed to create: Invalid argument(-22)",
    ]
    choice = Choice.among(["switch__tp_btf"], NEWEST)
    choice.storage = False
    with pytest.raises(LoadError, match=r"EMFILE.*ulimit -n"):
        _blame(choice, lines, OSError(errno.EINVAL, "Invalid argument"), [])


def test_a_limit_of_files_is_named_with_what_to_do():
    error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert "ulimit -n" in in_words(error)
    assert in_words(ValueError("x")) == "ValueError: x"


def test_an_object_is_to_be_built_only_where_it_is_not_there(tmp_path):
    with pytest.raises(LoadError, match="build it"):
        _open(tmp_path / "x.bpf.o")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    (tmp_path / "x.bpf.o").touch()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(LoadError, match="ulimit -n"):
            _open(tmp_path / "x.bpf.o")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


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


def test_what_cannot_be_had_yet_is_left_out():
    programs = ["queues__since_5_11", "switch__tp_btf"]
    assert "queues" in Choice.among(programs, (5, 11)).variants
    for older in ((5, 10), (5, 9), (4, 18)):
        assert Choice.among(programs, older).programs() == {"switch__tp_btf": "switch__tp_btf"}


def test_rings_grow_with_the_cpus():
    sizes = {cpus: ring_bytes(4096, cpus) // 4096 for cpus in (1, 2, 8, 9, 16, 17, 128, 192)}
    assert sizes == {1: 1, 2: 1, 8: 1, 9: 2, 16: 2, 17: 4, 128: 16, 192: 32}


def test_what_stands_in_for_storage_has_room_for_twice_what_there_is():
    sizes = [substitute_entries(16384, tasks) for tasks in (0, 9000, 100_000, 10**6)]
    assert sizes == [16384, 18000, 200_000, 1 << 18]


def test_what_the_cpus_set_aside_is_not_missing():
    assert [lru_entries(4096, cpus, (6, 12)) - 128 * cpus for cpus in (1, 2, 64, 256)] == [4096] * 4
    # From 6.17 on half of them are never aside.
    assert [lru_entries(4096, cpus, (6, 17)) for cpus in (2, 32, 256)] == [4352, 8192, 8192]


def test_the_kernels_own_errno_has_a_name():
    assert explain(-524, "send__fexit") == "send__fexit: ENOTSUPP, this kernel or machine does not support it"
