"""What other people's tools need of the file system, in a mount namespace of this process alone.

ktop needs none of it: libbpf-tools' perf tracepoints and bpftrace want tracefs,
bcc wants debugfs and the headers of the running kernel.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_TRACEFS = Path("/sys/kernel/tracing")
_DEBUGFS = Path("/sys/kernel/debug")
_MODULES = Path("/lib/modules")


def _call(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} ({what})")


@cache
def prepare() -> str:
    """Mount what is missing, once; return which headers bcc's tools get, "" for none at all.

    Call it before there are threads: the new namespace is the calling thread's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _call(libc.unshare(_CLONE_NEWNS), "unshare")
    _call(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "private mounts")
    for kind, place in ((b"debugfs", _DEBUGFS), (b"tracefs", _TRACEFS)):
        if not any(place.iterdir()):
            _call(libc.mount(kind, bytes(place), kind, 0, None), kind.decode())
    own = _MODULES / os.uname().release
    if (own / "build").exists() or (own / "kernel").exists():
        return "the running kernel's" if (own / "build").exists() else ""
    # Not a distribution's kernel: headers of one of Debian's let bcc's programs compile at least,
    # which is what is measured; the figures that such a tool prints may be wrong.
    found = sorted(Path("/usr/src").glob("linux-headers-*-cloud-*"))
    if not found:
        return ""
    common = found[-1].with_name(found[-1].name.partition("-cloud-")[0] + "-common")
    if not _MODULES.exists():
        return ""
    _call(libc.mount(b"tmpfs", bytes(_MODULES), b"tmpfs", 0, None), "tmpfs")
    own.mkdir()
    (own / "build").symlink_to(found[-1])
    (own / "source").symlink_to(common)
    return f"those of Debian's {found[-1].name.removeprefix('linux-headers-')}, as a stand-in"
