"""An initramfs as bytes: cpio's "newc" format (the kernel's buffer-format.rst)."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import PurePosixPath


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of ``files``, executable and root's, with their directories and /dev/console."""
    directories = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
    parts = [_entry(name, stat.S_IFDIR | 0o755) for name in sorted(directories | {"dev"})]
    # The kernel opens it for init before anything is mounted.
    parts.append(_entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)))
    parts += [_entry(name, stat.S_IFREG | 0o755, content) for name, content in files.items()]
    parts.append(_entry("TRAILER!!!", 0))
    return b"".join(parts)


def _entry(name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    # inode, mode, uid, gid, links, mtime, size, its file system's device, its own, name's size, sum
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name.encode() + b"\0") + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
