"""Cgroups as people call them: by the container, the machine or the unit that each is of."""

from __future__ import annotations

import re

_CONTAINER = re.compile(rb"(?:^|[-/:])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
"""The 64 hex digits with which docker, containerd, cri-o and podman name a container's cgroup."""
_MACHINE = re.compile(rb"/lxc(?:\.payload\.|/)([^/]+)|/(machine-[^/]+\.scope)(?:/|$)")
"""A whole system in a cgroup, with units of its own inside: of LXC, or registered with systemd-machined."""
_MANAGER = re.compile(rb"/(user@\d+)\.service/")
"""The service manager of a user: two users can have units of one name."""
_UNIT = re.compile(rb".*/([^/]+\.(?:service|scope|socket|mount|swap))(?:/|$)", re.DOTALL)
"""The innermost one: what it makes below itself is its own affair."""
LONGEST = 64
"""Bytes.  Names can have 255, and every row would take as many."""


def container(path: bytes) -> bytes:
    """Return the first 12 digits of the container's id, as its tools print it; empty outside containers."""
    found = _CONTAINER.search(path)
    return found.group(1)[:12] if found else b""


def label(path: bytes) -> bytes:
    """Return what the cgroup at ``path`` is called; two of one host are not called the same.

    A container's id, a machine's name, a unit's (of a user with whose it is), else the path.
    Of what is too long the end is kept.
    """
    name = container(path) or _system(path) or path.strip(b"/") or b"/"
    return name if len(name) <= LONGEST else "…".encode() + name[len(name) - LONGEST + 3 :]


def _system(path: bytes) -> bytes:
    """Return the machine or the unit that the cgroup is of; empty where it is of neither."""
    if machine := _MACHINE.search(path):
        return machine.group(1) or machine.group(2)
    unit = _UNIT.match(path)
    if unit is None:
        return b""
    manager = _MANAGER.search(path)
    return b"%s/%s" % (manager.group(1), unit.group(1)) if manager else unit.group(1)
