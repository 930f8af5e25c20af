"""What is looked at of the host before ktop runs, and what is said of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ktop.kernel import checks


@pytest.mark.parametrize(
    ("why", "remedy"),
    [("cannot open shared object file: No such file or directory", True), ("Too many open files", False)],
)
def test_a_library_is_to_be_installed_only_where_it_is_not_there(monkeypatch, why, remedy):
    def library():
        raise OSError(why)

    monkeypatch.setattr("ktop.kernel.libbpf.library", library)
    check = next(check for check in checks.checks_needed() if check.name == "libbpf")
    assert (check.ok, check.detail, bool(check.remedy)) == (False, why, remedy)


def test_types_that_are_not_to_be_seen_are_not_said_to_be_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "BTF", tmp_path / "btf/vmlinux")
    assert "CONFIG_DEBUG_INFO_BTF" in checks.refusal()
    monkeypatch.setattr(checks, "SYS", tmp_path / "kernel")
    assert checks.refusal().endswith("/sys is not mounted; mount -t sysfs sysfs /sys")


def test_a_pid_namespace_of_its_own_is_told():
    """iter/task lists only the tasks of the reader's namespace."""
    check = "from ktop.kernel.checks import gather; print(*(c for c in gather() if c.name == 'processes'))"
    command = [sys.executable, "-c", check]
    command = ["unshare", "--pid", "--fork", "--mount-proc", *command]
    inside = subprocess.run(command, capture_output=True, text=True, check=False)
    if inside.stderr.startswith("unshare: "):  # not permitted, or in a chroot: then / is no mount
        pytest.skip(inside.stderr.strip())
    assert "ok=False" in inside.stdout
    assert "--pid=host" in inside.stdout
