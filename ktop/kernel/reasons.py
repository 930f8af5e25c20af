"""What an errno of BPF or perf means for an operator, and what mends it."""

from __future__ import annotations

import errno
import os

_ENOTSUPP = 524
"""The kernel's own, that no C library knows; its BPF says it of what the architecture lacks."""
_MEANINGS: dict[int, str] = {
    errno.EPERM: "the kernel does not permit it to this user: run as root (CAP_BPF and CAP_PERFMON)",
    errno.EACCES: "the verifier or a security policy refused it: `ktop doctor -v` shows the log",
    errno.ESRCH: "this kernel has no such hook",
    errno.ENOENT: "this kernel or machine has no such hook or event",
    errno.EINVAL: "this kernel does not know this kind of program or map",
    errno.ENOTSUP: "this kernel or machine does not support it",
    _ENOTSUPP: "this kernel or machine does not support it",
    errno.ENOMEM: "the kernel has no memory for it (or RLIMIT_MEMLOCK is too low before 5.11)",
    errno.E2BIG: "the program is too large for this kernel's verifier",
    errno.EBUSY: "somebody else holds it",
    errno.EMFILE: "ktop may not have more files open: raise the limit (ulimit -n 4096)",
}


def explain(code: int, what: str = "") -> str:
    """Return one clause: errno by name, what it means here, what to do."""
    code = abs(code)
    name = "ENOTSUPP" if code == _ENOTSUPP else errno.errorcode.get(code, str(code))
    meaning = _MEANINGS.get(code) or os.strerror(code)
    if code == errno.EPERM and os.geteuid() == 0:
        meaning = "the kernel does not permit it, not even to root (lockdown, a hardened guest or container)"
    return f"{what}: {name}, {meaning}" if what else f"{name}, {meaning}"


def in_words(error: Exception) -> str:
    """Return one clause: what an exception says, and what to do where that is known."""
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return explain(errno.EMFILE)
    return f"{type(error).__name__}: {error}"
