"""bin/ktop once it is set up, in a checkout whose Python only says how it was called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
printf '%s\\n' "$0" "$PWD" "$OPENBLAS_NUM_THREADS" "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"
    for directory in ("bin", "bpf", "ktop/objects", ".venv/bin"):
        (root / directory).mkdir(parents=True)
    for name in ("ktop", "test", "setup.sh"):
        shutil.copy2(ROOT / "bin" / name, root / "bin")
    for name in ("pyproject.toml", "bpf/one.bpf.c", "bpf/build.py", "ktop/objects/one.bpf.o"):
        (root / name).touch()
    (root / ".venv/bin/python").write_text(PYTHON)
    (root / ".venv/bin/python").chmod(0o755)
    (root / ".venv/stamp-ktop").write_text(f"{root}\n{Path('/usr/bin/python3').resolve()}\n")
    (root / ".venv/stamp-objects").touch()
    for path in root.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
    return root


def ktop(command: Path, *arguments: str, cwd: Path, root: bool = True) -> subprocess.CompletedProcess[str]:
    prefix = [] if root or os.geteuid() else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        [*prefix, command, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def called_as(checkout: Path, cwd: Path, *arguments: str) -> str:
    return "\n".join([str(checkout / ".venv/bin/python"), str(cwd), "1", "-I", "-m", "ktop", *arguments, ""])


@pytest.mark.parametrize("way", ["directly", "through a link", "through a link to a link"])
def test_it_becomes_ktop_where_the_caller_stands(checkout, tmp_path, way):
    command = checkout / "bin/ktop"
    if way != "directly":
        (tmp_path / "link").symlink_to(command)
        command = tmp_path / "link"
    if way == "through a link to a link":
        (tmp_path / "second").symlink_to("link")
        command = tmp_path / "second"
    done = ktop(command, "run", "two words", "*", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == called_as(checkout, tmp_path, "run", "two words", "*")


def test_it_starts_no_process_but_python(checkout, tmp_path):
    # Without a PATH nothing but the shell's own commands and absolute paths work.
    done = subprocess.run(
        [checkout / "bin/ktop"], cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (called_as(checkout, tmp_path), "")


def make_newer(path: Path) -> None:
    os.utime(path, (2_000_000, 2_000_000))


@pytest.mark.parametrize(
    "stale",
    ["pyproject.toml", "bin/setup.sh", "bpf/one.bpf.c", "bpf/new.h", "bpf/build.py", "lost object", "moved"],
)
def test_what_is_out_of_date_is_noticed_and_who_may_not_mend_it_is_told_how(checkout, tmp_path, stale):
    if stale == "lost object":
        (checkout / "ktop/objects/one.bpf.o").unlink()
    elif stale == "moved":
        checkout = checkout.rename(tmp_path / "elsewhere")
    else:
        (checkout / stale).touch()
        make_newer(checkout / stale)
    for directory in (*checkout.parents[:3], checkout):
        directory.chmod(0o755)
    (checkout / ".venv").chmod(0o555)
    done = ktop(checkout / "bin/ktop", cwd=Path("/"), root=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("ktop: ")
    assert done.stderr.endswith(f" with: sudo {checkout}/bin/ktop\n")
    assert done.stderr.count("\n") == 1
