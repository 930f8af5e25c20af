"""Opens a family's object and picks one variant a hook group by trying.

What an object says by its names:

- a program ``GROUP__VARIANT`` in ``SEC("?...")``: variants of one hook, in order
  of preference; exactly one of a group is attached.  Without ``__`` the
  program is its group's only variant.  ``iter/...`` programs are read, not attached;
  panes can do without those over all files (``iter/task_file``, a ``Walk``).
  The programs ``GROUP__VARIANT__PART`` are one variant: all of them, or none.
  One whose name ends in ``_before_6_4`` is not needed from that version on, and not loaded;
  one whose name ends in ``_since_5_11`` cannot be had before.
- a hash map ``_NAME``: what stands in for the task or socket storage ``NAME``
  where the kernel has none; only one of the two is created.
- an array with BPF_F_MMAPABLE: one element a CPU (``CPU_ARRAY``); ``lost`` is
  the one whose counters are all losses.
- an array of maps: what comes and goes, in slots (``SLOTS``); the stack ``NAME_free`` has the free ones.
- ``RECORD(name, type)``: what a ring buffer, an iterator or slots of that name hold.
- ``epoch``: a global that grows just before each read (``update_max``).
- ``anew``: a global of those that have one; 1 in a read after which differences begin.  What iterators
  give then stands in later reads too, as ``NAME_at_first``.
- ``const volatile`` variables are set from what the caller passes.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ktop.kernel import libbpf
from ktop.kernel.choice import Choice
from ktop.kernel.facts import kernel_version
from ktop.kernel.family import Family
from ktop.kernel.prepare import prepare
from ktop.kernel.reasons import explain

OBJECTS = Path(__file__).resolve().parent.parent / "objects"

_CULPRIT = re.compile(r"libbpf: prog '([^']+)': .*(?:failed|error)")
_ERRNO = re.compile(r"libbpf: prog '[^']+': failed to (?:load|prepare|attach).*?(-\d+)\s*$")


class LoadError(Exception):
    """A family cannot be loaded; the text says why and what to do."""

    def __init__(self, reason: str, log: Iterable[str] = ()) -> None:
        """``log``: what libbpf and the verifier said."""
        super().__init__(reason)
        self.log = list(log)


def _open(path: Path) -> int:
    try:
        handle: int = libbpf.library().bpf_object__open_file(os.fsencode(path), None)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise LoadError(f"there is no {path.name}: build it with bpf/build.py") from error
        raise LoadError(explain(error.errno or 0, f"{path.name} cannot be opened")) from error
    return handle


def load(
    name: str,
    constants: Mapping[str, int] | None = None,
    sizes: Mapping[str, int] | None = None,
    path: Path | None = None,
) -> Family:
    """Load bpf/NAME.bpf.c's object with the best variant of each group that this kernel takes.

    ``constants`` sets ``const volatile`` variables, ``sizes`` max_entries by
    map; of slots, how many are expected.  Nothing is attached yet.  LoadError when no combination loads.
    """
    path = path or OBJECTS / f"{name}.bpf.o"
    choice: Choice | None = None
    tried: set[str] = set()
    log: list[str] = []
    lines: list[str] = []
    try:
        lib = libbpf.library()
    except OSError as error:
        raise LoadError(f"libbpf cannot be had: {error}") from error
    while True:
        handle = _open(path)
        if choice is None:
            programs = libbpf.each(lib.bpf_object__next_program, handle)
            names = [lib.bpf_program__name(program).decode() for program in programs]
            choice = Choice.among(names, kernel_version())
        try:
            prepare(handle, choice, constants or {}, sizes or {})
        except BaseException:
            lib.bpf_object__close(handle)
            raise
        try:
            if log:  # the second time on, to know who is to blame
                with libbpf.messages() as lines:
                    lib.bpf_object__load(handle)
            else:
                lib.bpf_object__load(handle)
        except OSError as error:
            lib.bpf_object__close(handle)
            if not log:
                log.append(f"{name}: {error.strerror}")
                continue
            log.extend(lines)
            _blame(choice, lines, error, log)
            if not choice.taken():
                raise LoadError(next(iter(choice.missing().values()), str(error)), log) from error
            continue
        try:  # which closes the object where it fails
            family = Family(name, handle, choice, log, sizes or {})
        except OSError as error:
            raise LoadError(explain(error.errno or 0, name), log) from error
        untried = family.hooks.function_variants() - tried
        if not untried:
            return family
        for variant, reason in family.hooks.try_to_attach(untried).items():
            choice.refused[variant] = explain(reason.errno or 0, variant)
            log.append(f"{choice.refused[variant]} (attach)")
        tried |= untried
        # And load again: before 5.13, f3a95075549e, such a program can be attached only once.
        family.close()


def _blame(choice: Choice, lines: list[str], error: OSError, log: list[str]) -> None:
    """Refuse the variant that libbpf's messages name; LoadError when they name none."""
    probe = libbpf.library().libbpf_probe_bpf_map_type
    if choice.storage and not probe(libbpf.MAP_TYPE_TASK_STORAGE, None):
        choice.storage = False
        return
    taken = choice.programs()
    culprit = next((m[1] for line in lines if (m := _CULPRIT.match(line)) and m[1] in taken), None)
    if culprit is None:
        if any("Error loading vmlinux BTF" in line for line in lines):
            # libbpf gives ESRCH for whatever kept it from that; the file is there (checks.refusal).
            raise LoadError("the kernel's types (BTF) cannot be read: memory is short (ulimit -v?)", log)
        last = next((line.removeprefix("libbpf: ") for line in reversed(lines)), "")
        # Out of files for a map, libbpf tries once more without BTF, and fails for that.
        no_files = any(f"({-errno.EMFILE})" in line for line in lines)
        raise LoadError(
            explain(errno.EMFILE if no_files else error.errno or 0, last or "load"), log
        ) from error
    numbers = [int(m[1]) for line in lines if (m := _ERRNO.match(line))]
    choice.refused[taken[culprit]] = explain(numbers[0] if numbers else error.errno or 0, culprit)
