"""Cgroups as people call them."""

from __future__ import annotations

import pytest

from ktop.cgroup import container, label

ID = b"3f29e6ac" * 8
SHORT = b"3f29e6ac3f29"


@pytest.mark.parametrize(
    "path",
    [
        b"/docker/" + ID,
        b"/system.slice/docker-" + ID + b".scope",
        b"/system.slice/docker-" + ID + b".scope/system.slice/nginx.service",
        b"/machine.slice/libpod-" + ID + b".scope/container",
        b"/kubepods.slice/kubepods-pod7b1c_2f.slice/cri-containerd-" + ID + b".scope",
        b"/kubepods/burstable/pod7b1c-2f/" + ID,
        b"/kubepods.slice/kubepods-pod7.slice/crio-" + ID + b".scope",
        b"/system.slice/containerd.service/kubepods-pod7.slice:cri-containerd:" + ID,
    ],
)
def test_a_container_has_its_id(path: bytes) -> None:
    assert container(path) == label(path) == SHORT


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/", b"/"),
        (b"", b"/"),
        (b"/system.slice/postgresql@15-main.service", b"postgresql@15-main.service"),
        (b"/user.slice/user-1000.slice/session-3.scope", b"session-3.scope"),
        (b"/init.scope", b"init.scope"),
        (b"/a/" + ID[:63], ID[:63]),
        (b"/a/x" + ID, b"x" + ID),
        (b"/\xff\x1b[2J", b"\xff\x1b[2J"),
    ],
)
def test_everything_else_its_own_name(path: bytes, name: bytes) -> None:
    assert container(path) == b""
    assert label(path) == name
