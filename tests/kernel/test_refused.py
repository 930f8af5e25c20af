"""A host that refuses fentry: each pane ends on the best variant that is left, or says which lack and why."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable

import pytest

from ktop import registry
from ktop.kernel import checks, facts, libbpf
from ktop.kernel.choice import Choice
from ktop.kernel.family import Family
from ktop.kernel.hooks import Hooks
from ktop.live.sampler import Sampler
from ktop.pane import Pane

NEEDED = {"tcptop": b"btf_trace_sock_send_length", "cachestat": b"btf_trace_mm_filemap_get_pages"}
"""Tracepoints (6.3, 6.12) without which a pane has only functions to hang on."""
STARTS = {(5, 10): "start__getrq_queue", (6, 1): "start__getrq", (6, 12): "start__tp_btf"}
"""What biotop then ends on, on some kernels."""
BY_TRACEPOINT = [pane for pane in registry.panes() if not pane.perf_events]


def bring_up(pane: Pane) -> Sampler:
    sampler = Sampler([pane], everything=True)
    sampler.start(lambda _frame: None)
    assert sampler.wait_ready(60)
    return sampler


def test_where_the_walk_is_refused_the_pane_goes_on(monkeypatch):
    def refuse(_program: int, _options: None) -> int:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(libbpf.library(), "bpf_program__attach_iter", refuse)
    sampler = bring_up(registry.get("tcptop"))
    try:
        status = sampler.statuses()["tcptop"]
        assert status.unavailable is None
        assert {"send", "receive"} <= status.hooks.keys()
        # Before 5.11 there is none that could be refused.
        walks = [program for program in status.refused if program.startswith("queues")]
        assert bool(walks) == (facts.kernel_version() >= (5, 11)), status.refused
    finally:
        sampler.stop()


@pytest.mark.usefixtures("without_fentry")
@pytest.mark.parametrize("pane", BY_TRACEPOINT, ids=lambda pane: pane.name)
def test_each_pane_takes_what_is_left_or_says_what_lacks(pane):
    types = checks.BTF.read_bytes()
    has_tracepoints = pane.name not in NEEDED or b"\0" + NEEDED[pane.name] + b"\0" in types
    sampler = bring_up(pane)
    try:
        status = sampler.statuses()[pane.name]
        family = sampler._panes[pane.name].family
        assert isinstance(family, Family)
        on_functions = {name for name in family.choice.parts if "__fentry" in name or "__fexit" in name}
        assert not on_functions & set(family.choice.taken().values())
        if has_tracepoints:
            assert status.unavailable is None
            assert family.choice.missing() == {}
            start = family.choice.taken().get("start")
            assert start == STARTS.get(facts.kernel_version(), start) or pane.name != "biotop"
            return
        missing = family.choice.missing()
        assert missing
        assert status.unavailable
        for group in missing:
            for variant in family.choice.variants[group]:
                assert variant in status.unavailable
        # Of arm64 before 6.4 they cannot even be loaded.
        assert re.search("fexit.*: (EPERM, the kernel does not|ENOTSUPP, this kernel)", status.unavailable)
        assert status.hooks == {} or not set(missing) & set(status.hooks)
    finally:
        sampler.stop()


@pytest.mark.parametrize("name", ["runqlat", "cachestat"])
def test_where_the_iterator_is_refused_the_pane_says_so(name, monkeypatch):
    """What is read is needed, whatever hooks are live."""
    among = Choice.among

    def without_iterator(programs: Iterable[str], kernel: tuple[int, int]) -> Choice:
        choice = among(programs, kernel)
        for variant in choice.variants["processes"]:
            choice.refused[variant] = f"{variant}: EPERM, not here"
        return choice

    monkeypatch.setattr(Choice, "among", without_iterator)
    sampler = bring_up(next(pane for pane in registry.panes() if pane.name == name))
    try:
        status = sampler.statuses()[name]
        assert status.unavailable
        assert re.fullmatch(r"(processes\w*: EPERM, not here(; )?)+", status.unavailable)
        assert status.hooks == {}
    finally:
        sampler.stop()


@pytest.mark.parametrize("pane", BY_TRACEPOINT, ids=lambda pane: pane.name)
def test_where_every_hook_is_refused_it_says_which_and_why(pane, monkeypatch):
    def refuse(_hooks: Hooks, _variant: str) -> list[int]:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Hooks, "_attach_parts", refuse)
    sampler = bring_up(pane)
    try:
        status = sampler.statuses()[pane.name]
        assert status.hooks == {}
        assert status.unavailable
        family = sampler._panes[pane.name].family
        assert isinstance(family, Family)
        for group in pane.groups or {*family.choice.taken()} - {*pane.on_demand} - {*family._arrays}:
            variants = family.choice.variants[group]
            assert re.search(f"({'|'.join(variants)}): (EPERM|ENOTSUPP), ", status.unavailable)
    finally:
        sampler.stop()
