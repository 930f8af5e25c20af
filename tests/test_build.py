"""The build of the BPF objects, on throw-away programs."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
HEADER = "#define ANSWER 42\n"
PROGRAM = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "answer.h"
struct { int answer; } state SEC(".bss");
SEC("raw_tp/sys_enter") int enter(void *ctx) { state.answer = ANSWER; return 0; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ktop_bpf_build", ROOT / "bpf/build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bpf").mkdir()
    (tmp_path / "ktop").mkdir()
    (tmp_path / "bpf/answer.h").write_text(HEADER)
    for name in ("one", "two"):
        (tmp_path / f"bpf/{name}.bpf.c").write_text(PROGRAM)
    return tmp_path


def test_builds_once_and_keeps_types_but_no_dwarf(hook, project):
    assert hook.build(project) == ["one.bpf.o", "two.bpf.o"]
    assert hook.build(project) == []
    built = (project / "ktop/objects/one.bpf.o").read_bytes()
    assert b".BTF.ext" in built
    assert b".debug_info" not in built
    assert bytes(project) not in built, "this machine's paths are in the object"


def test_a_changed_header_or_source_or_a_lost_object_is_rebuilt(hook, project):
    hook.build(project)
    (project / "bpf/two.bpf.c").write_text(PROGRAM + "\n/* new */\n")
    assert hook.build(project) == ["two.bpf.o"]
    (project / "ktop/objects/one.bpf.o").unlink()
    assert hook.build(project) == ["one.bpf.o"]
    (project / "bpf/answer.h").write_text(HEADER.replace("42", "43"))
    assert hook.build(project) == ["one.bpf.o", "two.bpf.o"]


def test_a_changed_command_is_rebuilt(hook, project, monkeypatch):
    hook.build(project)
    monkeypatch.setattr(hook, "FLAGS", (*hook.FLAGS, "-DMORE"))
    assert hook.build(project) == ["one.bpf.o", "two.bpf.o"]


def test_an_error_names_the_file_keeps_the_old_object_and_builds_the_others(hook, project):
    hook.build(project)
    before = (project / "ktop/objects/one.bpf.o").read_bytes()
    (project / "bpf/one.bpf.c").write_text(PROGRAM.replace("ANSWER", "WRONG"))
    (project / "bpf/two.bpf.c").write_text(PROGRAM + "\n/* new */\n")
    with pytest.raises(hook.BuildError, match=r"compiling one\.bpf\.c failed:(.|\n)*WRONG"):
        hook.build(project)
    assert (project / "ktop/objects/one.bpf.o").read_bytes() == before
    assert [file.name for file in (project / "ktop/objects").glob("*.new")] == []
    (project / "bpf/one.bpf.c").write_text(PROGRAM)
    assert hook.build(project) == [], "the other one was built, and this one is what it was"


def test_warnings_are_errors(hook, project):
    (project / "bpf/one.bpf.c").write_text(PROGRAM + "static int unused(void) { return 0; }\n")
    with pytest.raises(hook.BuildError, match="unused"):
        hook.build(project)


def test_the_object_of_a_removed_family_goes(hook, project):
    hook.build(project)
    (project / "bpf/two.bpf.c").unlink()
    assert hook.build(project) == []
    assert sorted(file.name for file in (project / "ktop/objects").iterdir()) == [
        "one.bpf.o",
        "one.bpf.stamp",
    ]


def test_without_a_compiler_it_names_the_packages(hook, project, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(hook.BuildError, match=r"^clang is not installed \(on Debian: apt-get install clang "):
        hook.build(project)


def test_a_compiler_with_a_version_in_its_name_is_found_newest_first(hook, monkeypatch, tmp_path):
    for name in ("clang-9", "clang-19", "clang-format-20", "clang-21"):
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / "clang-21").chmod(0o644)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hook.find_command("clang") == str(tmp_path / "clang-19")


def test_without_strip_the_objects_keep_their_dwarf(hook, project, monkeypatch):
    monkeypatch.setattr(hook, "find_tools", lambda: hook.Tools(hook.find_command("clang"), None))
    hook.build(project)
    assert b".debug_info" in (project / "ktop/objects/one.bpf.o").read_bytes()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_program_compiles_for_every_machine_without_a_warning(hook, project, machine):
    """A system vector is x86's own, and so on: what one machine has the other's object must not ask for."""
    for source in (ROOT / "bpf").glob("*.[ch]"):
        shutil.copy(source, project / "bpf")
    built = hook.build(project, machine)
    assert {f"{source.stem}.o" for source in (ROOT / "bpf").glob("*.bpf.c")} <= set(built)
    interrupts = (project / "ktop/objects/irq.bpf.o").read_bytes()
    assert (b"ipi_entry" in interrupts) == (machine == "aarch64")
    assert (b"reschedule_entry" in interrupts) == (machine == "x86_64")


def test_a_source_distribution_carries_all_that_is_built_and_tested(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for directory in ("bin", "bpf", "screenshots", "tests"):
        files = {str(path.relative_to(ROOT)) for path in (ROOT / directory).glob("*.*")}
        assert files
        assert files <= names
    assert not [name for name in names if name.endswith((".o", ".stamp", ".pyc"))]


def test_a_wheel_carries_the_objects_and_says_for_which_machine(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert "-py3-none-linux_" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    families = {source.name.removesuffix(".bpf.c") for source in (ROOT / "bpf").glob("*.bpf.c")}
    assert families
    assert {f"ktop/objects/{family}.bpf.o" for family in families} <= set(names)
    assert not [name for name in names if name.endswith((".stamp", ".pyc"))]
