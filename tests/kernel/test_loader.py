"""The loader on the real kernel: variants, reasons, and nothing left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ktop.kernel import cpus, maps
from ktop.kernel.loader import LoadError, load
from tests.kernel_objects import programs
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]

SOURCE = r"""
#include "ktop.bpf.h"
struct hits { u64 count; u32 more[3]; char name[5]; };
CPU_ARRAY(hits, struct hits);
struct event { u64 number; u8 flag; };
RING_BUFFER(events, struct event, 4096);
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 100); __type(key, u32); __type(value, u64); }
	keyed SEC(".maps");
const volatile u32 step;
static __always_inline int hit(void)
{
	struct hits *mine = this_cpu(hits);
	struct event event = {};
	u64 zero = 0, *value;
	u32 key;

	if (!mine)
		return 0;
	mine->count += step;
	event.number = mine->count;
	if (bpf_ringbuf_output(&events, &event, sizeof(event), BPF_RB_NO_WAKEUP))
		count_lost(ring_full);
	key = mine->count % 1000;
	bpf_map_update_elem(&keyed, &key, &zero, BPF_NOEXIST);
	value = bpf_map_lookup_elem(&keyed, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	else
		count_lost(map_full);
	return 0;
}
SEC("?tp_btf/no_such_hook") int BPF_PROG(leave__absent) { return hit(); }
SEC("?tp_btf/sched_switch") int BPF_PROG(leave__too_many, int a, int b, int c, int d, int e, int f, int g)
{ return g ? 0 : hit(); }
SEC("?tp_btf/sched_switch") int BPF_PROG(leave__good, bool preempt) { return hit(); }
SEC("?tp_btf/no_such_hook") int BPF_PROG(only__absent) { return hit(); }
char LICENSE[] SEC("license") = "GPL";
"""


def build_module():
    spec = importlib.util.spec_from_file_location("ktop_build", ROOT / "bpf/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """An object whose groups have variants that this kernel refuses."""
    source = tmp_path_factory.mktemp("bpf") / "variants.bpf.c"
    source.write_text(SOURCE)
    return compiled(source)


def compiled(source: Path) -> Path:
    build = build_module()
    target = source.with_suffix(".o")
    command = build.compile_command(build.find_tools().clang)
    subprocess.run([*command, "-c", str(source), "-o", str(target)], cwd=ROOT, check=True)
    return target


@pytest.fixture(scope="module")
def absent(tmp_path_factory):
    """An object of which this kernel refuses every variant."""
    source = tmp_path_factory.mktemp("bpf") / "absent.bpf.c"
    source.write_text("\n".join(line for line in SOURCE.splitlines() if "leave__good" not in line))
    return compiled(source)


def live_programs(name: bytes = b"leave__good") -> set[int]:
    """Return the ids of the kernel's BPF programs of that name."""
    return {number for number, info in programs().items() if info.name == name}


def test_exactly_one_variant_of_a_group_is_taken(variants):
    family = load("variants", {"step": 1}, path=variants)
    try:
        assert family.choice.taken() == {"leave": "leave__good"}
        assert family.hooks.attach(["leave", "only"], {}) == {}
        assert family.hooks.live() == {"leave": "tp_btf/sched_switch"}
        assert "ESRCH" in family.choice.refused["leave__absent"]
        assert "EACCES" in family.choice.refused["leave__too_many"]
        assert "no such hook" in family.choice.missing()["only"]
        # What the verifier said is kept for `ktop doctor -v`.
        assert any("doesn't have 7-th argument" in line for line in family.log)
    finally:
        family.close()


def test_where_every_variant_is_refused_each_is_named_with_its_reason(absent):
    with pytest.raises(LoadError) as refusal:
        load("absent", path=absent)
    reason = str(refusal.value)
    assert "leave__absent: ESRCH, this kernel has no such hook" in reason
    assert "leave__too_many: EACCES" in reason


def test_constants_types_and_losses(variants):
    family = load("variants", {"step": 7}, path=variants)
    try:
        family.hooks.attach(["leave"], {})
        eventually(lambda: family.read()[0]["hits"]["count"].sum() >= 7 * 600)
        family.hooks.detach()
        maps, tails, lost = family.read()
        hits = maps["hits"]
        assert hits.shape == (cpus.present(),)
        assert hits.dtype["more"].shape == (3,)
        assert hits.dtype["name"] == np.dtype("S5")
        assert (hits["count"] % 7 == 0).all()
        assert maps["keyed"].dtype["key"] == np.dtype("u4")
        assert len(maps["events"]) == len(tails["events"])
        # A full hash map and a ring nobody drained: each failure is counted, none is silent.
        family.hooks.attach(["leave"], {})
        eventually(lambda: family.read()[2].get("map_full", 0) > lost.get("map_full", 0))
        assert len(family.read()[0]["keyed"]) == 100
    finally:
        family.close()


def test_ring_overrun_is_counted(variants):
    """4 KiB hold 170 events of 24 bytes: the rest are lost, and the sum is what happened."""
    family = load("variants", {"step": 1}, path=variants)
    try:
        family.hooks.attach(["leave"], {})
        counter = family._arrays["hits"]
        eventually(lambda: counter.read()["count"].sum() >= 2000)
        family.hooks.detach()
        settle(counter)
        losses = family._arrays["lost"].read()
        assert family.drain(), "it was full: the next time should be sooner"
        assert not family.drain()
        maps, _tails, lost = family.read()
        assert len(maps["events"]) + losses["ring_full"].sum() == maps["hits"]["count"].sum()
        assert losses["ring_full"].sum() > 1000
        assert lost["ring_full"] == losses["ring_full"].sum()
    finally:
        family.close()


def test_a_drained_ring_loses_nothing(variants):
    """What was taken between two reads comes with the second, in order, and made room."""
    family = load("variants", {"step": 1}, path=variants)
    try:
        family.hooks.attach(["leave"], {})
        counter = family._arrays["hits"]
        drain_until(family, 2000)
        family.hooks.detach()
        settle(counter)
        maps, _tails, _lost = family.read()
        losses = family._arrays["lost"].read()
        assert len(maps["events"]) > 1000
        assert len(maps["events"]) + losses["ring_full"].sum() == maps["hits"]["count"].sum()
        assert len(family.read()[0]["events"]) == 0
    finally:
        family.close()


def test_what_waits_for_a_read_is_bounded_and_the_rest_counted(variants, monkeypatch):
    monkeypatch.setattr(maps, "GATHERED_MAX", 100 * 16)
    monkeypatch.setattr(maps, "RINGS", 0)
    family = load("variants", {"step": 1}, path=variants)
    try:
        family.hooks.attach(["leave"], {})
        counter = family._arrays["hits"]
        drain_until(family, 500)
        family.hooks.detach()
        settle(counter)
        found, _tails, lost = family.read()
        failures = family._arrays["lost"].read()
        assert len(found["events"]) == 100
        surplus = found["hits"]["count"].sum() - 100 - failures["ring_full"].sum()
        assert lost["untaken"] == surplus > 0
    finally:
        family.close()


def test_nothing_is_left_after_close(variants):
    before = live_programs()
    family = load("variants", {"step": 1}, path=variants)
    family.hooks.attach(["leave"], {})
    assert live_programs() - before
    family.close()
    eventually(lambda: not live_programs() - before)


def test_nothing_is_left_after_kill_9(variants):
    before = live_programs()
    code = (
        "import sys,time; from pathlib import Path; from ktop.kernel.loader import load\n"
        f"f=load('variants', {{'step': 1}}, path=Path({str(variants)!r})); f.hooks.attach(['leave'], {{}})\n"
        "print('on', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout.readline() == b"on\n"
    assert live_programs() - before
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    eventually(lambda: not live_programs() - before)


def test_silence(variants, capfd):
    """libbpf's and the verifier's words never reach the terminal, not even when a load fails."""
    load("variants", {"step": 1}, path=variants).close()
    with pytest.raises(LoadError, match="build it"):
        load("variants", path=variants.with_name("absent.o"))
    assert capfd.readouterr() == ("", "")


def test_damaged_object(tmp_path):
    path = tmp_path / "damaged.o"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(LoadError):
        load("damaged", path=path)


def drain_until(family, count):
    """Empty the ring again and again until so many events were counted."""

    def drained():
        family.drain()
        return family._arrays["hits"].read()["count"].sum() >= count

    eventually(drained, every=0.0001)  # a switch away, and one back


def settle(counter):
    """Wait for the runs that were under way when the program was detached."""
    before = None
    while (now := counter.read()["count"].tolist()) != before:
        before = now
        time.sleep(0.02)
