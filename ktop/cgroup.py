"""Cgroups as people call them: by the container, the machine or the unit that each is of.

Whoever has a cgroup delegated makes what he likes below it, of any name: so the outermost machine and
unit count, and what a user made says whose it is.
"""

from __future__ import annotations

import re
from zlib import crc32

_CONTAINER = re.compile(rb"(?:^|[-/:])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
"""The 64 hex digits with which docker, containerd, cri-o and podman name a container's cgroup."""
_MACHINE = re.compile(rb"/lxc(?:\.payload\.|/)([^/]+)|/machine\.slice/(machine-[^/]+\.scope)(?:/|$)")
"""A whole system in a cgroup, with units of its own inside: of LXC, or registered with systemd-machined."""
_USERS = re.compile(rb"/user\.slice/user-(\d+)\.slice/user@\1\.service(?=/.)")
"""Where a user's service manager, and with it the user, has the say."""
_UNIT = re.compile(rb"/([^/]+\.(?:service|scope|socket|mount|swap))(?:/|$)")
LONGEST = 40
"""Bytes.  Names can have 255, and every row would take as many."""


def container(path: bytes) -> bytes:
    """Return the first 12 digits of the container's id, as its tools print it; empty outside containers."""
    found = _CONTAINER.search(path)
    return found.group(1)[:12] if found else b""


def label(path: bytes) -> bytes:
    """Return what the cgroup at ``path`` is called; what is not of the same owner is not called the same.

    A container's id (``UNIT/`` before that of one below a unit), a machine's name, a unit's, else the path;
    ``user@UID/`` before what is a user's.  Of what is too long the beginning, and a number that tells it
    from others.
    """
    users = _USERS.match(path)
    if users:
        name = b"user@%s/%s" % (users.group(1), _owner(path[users.end() :]))
    else:
        machine = _MACHINE.match(path)
        name = (machine.group(1) or machine.group(2)) if machine else _owner(path)
    return name if len(name) <= LONGEST else _short(name)


def _owner(path: bytes) -> bytes:
    """Return the outermost of containers and units, of a container below a unit both; else the path."""
    unit, found = _UNIT.search(path), _CONTAINER.search(path)
    if unit is None or (found is not None and found.start(1) < unit.end(1)):
        return container(path) or path.strip(b"/") or b"/"
    # Some services do have their containers below themselves; in others anybody may have called it so.
    return b"%s/%s" % (unit.group(1), container(path)) if found else unit.group(1)


def _short(name: bytes) -> bytes:
    # Not within a character.
    begin = re.sub(rb"[\x80-\xff]+$", b"", name[: LONGEST - 11])
    return b"%s%s%08x" % (begin, "…".encode(), crc32(name))
