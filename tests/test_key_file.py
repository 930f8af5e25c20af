"""Where the file with other keys is looked for, and what of it can go wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ktop.cli.key_file import MOST_BYTES, NAME, KeyFileError, load, places
from tests.command import failed, ktop


def test_the_users_own_goes_before_the_hosts(tmp_path):
    own, hosts = tmp_path / "own", tmp_path / "hosts"
    assert load([own, hosts]) == {}
    hosts.write_text('app.quit = "Q"')
    assert load([own, hosts]) == {"app.quit": ["Q"]}
    own.write_text('app.quit = "X"')
    assert load([own, hosts]) == {"app.quit": ["X"]}


def test_where_it_may_be():
    hosts = Path("/etc", NAME)
    assert places({"HOME": "/home/me"}) == (Path("/home/me/.config", NAME), hosts)
    assert places({"HOME": "/home/me", "XDG_CONFIG_HOME": "/c"}) == (Path("/c", NAME), hosts)
    assert places({"HOME": ""})[0].is_absolute()


def test_what_cannot_be_read_is_said_with_its_name(tmp_path):
    path = tmp_path / "keys.toml"
    path.mkdir()
    with pytest.raises(KeyFileError, match=f"{path}: Is a directory"):
        load([path])
    path.rmdir()
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(KeyFileError, match=f"{path}: longer than"):
        load([path])
    path.write_text('app.quit = "f99"')
    with pytest.raises(KeyFileError, match=f"{path}: app.quit: f99 is no key"):
        load([path])


def test_nobody_waits_for_a_pipe(tmp_path):
    path = tmp_path / "keys.toml"
    os.mkfifo(path)
    assert load([path]) == {}


def test_ktop_keys_prints_what_is_in_force_or_says_what_is_wrong(tmp_path):
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    file = tmp_path / NAME
    file.parent.mkdir()
    file.write_text('[view]\nfilter = "f3"\n')
    printed = ktop("keys", env=environment)
    assert printed.returncode == 0
    assert str(file) in printed.stdout
    assert 'filter = "f3" ' in printed.stdout
    # What it prints is such a file.
    file.write_text(printed.stdout)
    assert ktop("keys", env=environment).stdout == printed.stdout
    file.write_text("[view\n")
    assert f"{file}: this is no TOML" in failed(ktop("keys", env=environment), 1)
