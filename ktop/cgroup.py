"""Cgroups as people call them: by the container, or by the unit, that each is of."""

from __future__ import annotations

import re

_CONTAINER = re.compile(rb"(?:^|[-/:])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
"""The 64 hex digits with which docker, containerd, cri-o and podman name a container's cgroup."""


def container(path: bytes) -> bytes:
    """Return the first 12 digits of the container's id, as its tools print it; empty outside containers."""
    found = _CONTAINER.search(path)
    return found.group(1)[:12] if found else b""


def label(path: bytes) -> bytes:
    """Return the container's id, else the last part of ``path``, which for the root is a slash."""
    return container(path) or path.rstrip(b"/").rpartition(b"/")[2] or b"/"
