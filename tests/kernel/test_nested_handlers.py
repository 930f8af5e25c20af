"""Handlers that call others, as those of PCI and pin controllers do: programs run by hand on one CPU."""

from __future__ import annotations

import ctypes
import subprocess
import time
from pathlib import Path

import pytest

from ktop.kernel import libbpf
from ktop.kernel.maps import CpuArray
from ktop.kernel.prepare import object_btf

build = pytest.importorskip("bpf.build")  # not in the guests of `bin/test --kernels`
ROOT = Path(__file__).parents[2]
CONTROLLER, DEVICE = 40, 41
ON_CPU = 1  # BPF_F_TEST_RUN_ON_CPU
TIMES = 100


class RunOptions(ctypes.Structure):
    """The head of struct bpf_test_run_opts."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data", ctypes.c_void_p * 2),
        ("data_sizes", ctypes.c_uint32 * 2),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
    )


@pytest.fixture
def by_hand(tmp_path):
    """Return the object of irq.bpf.c with programs that can be run by hand, as those of tp_btf cannot."""
    try:
        command = build.compile_command(build.find_tools().clang)
    except build.BuildError as error:
        pytest.skip(str(error))
    source = tmp_path / "irq.bpf.c"
    text = (ROOT / "bpf" / "irq.bpf.c").read_text()
    source.write_text(text.replace('"?tp_btf/', '"?raw_tp/'))
    target = tmp_path / "irq.bpf.o"
    subprocess.run([*command, "-c", source, "-o", target], cwd=ROOT, check=True)
    lib = libbpf.library()
    handle = lib.bpf_object__open_file(bytes(target), None)
    yield handle
    lib.bpf_object__close(handle)


def test_who_calls_others_counts_too_without_their_time(by_hand):
    lib = libbpf.library()
    programs = {
        lib.bpf_program__name(each).decode(): each
        for each in libbpf.each(lib.bpf_object__next_program, by_hand)
    }
    wanted = {"entry__tp_btf", "exit__tp_btf"}
    for name, program in programs.items():
        lib.bpf_program__set_autoload(program, name in wanted)
    maps = {lib.bpf_map__name(each).decode(): each for each in libbpf.each(lib.bpf_object__next_map, by_hand)}
    cpus = lib.libbpf_num_possible_cpus()
    for name in ("interrupts", "lost"):
        lib.bpf_map__set_max_entries(maps[name], cpus)
    lib.bpf_object__load(by_hand)
    # Of each the second argument is its action, whose name is looked for there.
    action = ctypes.create_string_buffer(256)
    arguments = {
        irq: (ctypes.c_uint64 * 3)(irq, ctypes.addressof(action) + irq, 1) for irq in (CONTROLLER, DEVICE)
    }

    def run(name: str, irq: int) -> None:
        options = RunOptions(sz=ctypes.sizeof(RunOptions), flags=ON_CPU, cpu=0)
        options.ctx_in, options.ctx_size_in = ctypes.addressof(arguments[irq]), 24
        fd = lib.bpf_program__fd(programs[name])
        assert lib.bpf_prog_test_run_opts(fd, ctypes.byref(options)) == 0

    began = time.monotonic_ns()
    for _ in range(TIMES):
        run("entry__tp_btf", CONTROLLER)
        run("entry__tp_btf", DEVICE)
        time.sleep(0.001)
        run("exit__tp_btf", DEVICE)
        run("exit__tp_btf", CONTROLLER)
    elapsed = time.monotonic_ns() - began
    dtype = object_btf(by_hand).dtype(lib.bpf_map__btf_value_type_id(maps["interrupts"]))
    lines = CpuArray(lib.bpf_map__fd(maps["interrupts"]), dtype, cpus, cpus).read()["lines"][0]
    count = {irq: int(lines["slots"][lines["irq"] == irq].sum()) for irq in arguments}
    spent = {irq: int(lines["handled_ns"][lines["irq"] == irq].sum()) for irq in arguments}
    assert count == dict.fromkeys(arguments, TIMES)
    assert spent[CONTROLLER] + spent[DEVICE] <= elapsed
    assert spent[CONTROLLER] < spent[DEVICE]
