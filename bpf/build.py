"""Compiles bpf/FAMILY.bpf.c to ktop/objects/FAMILY.bpf.o; also the package's build hook.

``python bpf/build.py`` builds what is out of date.  As a hatchling hook it does
the same for wheels and editable installs, so an installed ktop needs neither
compiler nor headers.  A source distribution carries the C files instead.

A wheel is tagged with the machine it was built on: the bytecode itself runs on
any of the same byte order, but uprobes and profiles read the registers of
``struct pt_regs``, and those are chosen at compile time.  It carries no code
that runs in user space, so any Python 3 and any libc will do.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

TARGET_ARCH = {"x86_64": "x86", "aarch64": "arm64"}
"""libbpf's name of the registers' layout, by machine."""

# The directory given for debug information keeps this machine's paths out of the objects.
FLAGS = ("-target", "bpf", "-O2", "-g", "-mcpu=v3", "-Wall", "-Werror", "-fdebug-compilation-dir=.", "-Ibpf")
SYSTEM_HEADERS = (Path("/usr/include/bpf"), Path("/usr/include/linux"))
DEBIAN = "on Debian: apt-get install clang llvm libbpf-dev linux-libc-dev"


class BuildError(Exception):
    """What went wrong, in words for the user."""


class Tools(NamedTuple):  # a dataclass needs its module in sys.modules, where hatchling puts none
    """The commands found on this machine."""

    clang: str
    strip: str | None
    """None: the objects keep their DWARF, which costs space and nothing else."""


def find_command(name: str) -> str | None:
    """Return the path of ``name``, or else of the newest ``name-NN``; None when there is neither."""
    if found := shutil.which(name):
        return found
    versions: dict[int, str] = {}
    for directory in os.get_exec_path():
        for path in Path(directory).glob(f"{name}-*"):
            match = re.fullmatch(rf"{re.escape(name)}-(\d+)", path.name)
            if match and os.access(path, os.X_OK):
                versions.setdefault(int(match[1]), str(path))
    return versions[max(versions)] if versions else None


def find_tools() -> Tools:
    """Return the commands; BuildError when the compiler or a header is missing."""
    clang = find_command("clang")
    if clang is None:
        raise BuildError(f"clang is not installed ({DEBIAN})")
    for header in ("bpf/bpf_helpers.h", "linux/bpf.h"):
        if not Path("/usr/include", header).exists():
            raise BuildError(f"<{header}> is not installed ({DEBIAN})")
    strip = find_command("llvm-strip")
    if strip is None:
        # Debian's clang brings no link in the PATH, but llvm's own directory may be there.
        beside = Path(clang).resolve().with_name("llvm-strip")
        strip = str(beside) if beside.exists() else None
    return Tools(clang, strip)


def compile_command(clang: str, machine: str = platform.machine()) -> list[str]:
    """Return the compiler's command, to be run in the project's root, but for source and target."""
    if machine not in TARGET_ARCH:
        raise BuildError(f"ktop knows the registers of {' and '.join(TARGET_ARCH)}, not of {machine}")
    command = [clang, *FLAGS, f"-D__TARGET_ARCH_{TARGET_ARCH[machine]}"]
    # <linux/bpf.h> wants <asm/types.h>, the same on all; Debian keeps it by architecture, where
    # `-target bpf` does not look.
    multiarch = Path(f"/usr/include/{platform.machine()}-linux-gnu")
    return [*command, "-idirafter", str(multiarch)] if multiarch.is_dir() else command


def fingerprint(source: Path, command: list[str], tools: Tools) -> str:
    """Return a digest of all that decides what the object is: sources, command, compiler, system headers."""
    digest = hashlib.sha256("\0".join(command).encode())
    for path in (*sorted(source.parent.glob("*.h")), source):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for path in (*SYSTEM_HEADERS, *(Path(tool) for tool in (tools.clang, tools.strip) if tool)):
        if path.exists():
            stat = path.stat()
            digest.update(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def run(command: list[str], root: Path, what: str) -> None:
    """Run ``command`` in ``root``; BuildError with all it says when it fails."""
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise BuildError(f"{what} failed:\n{done.stderr or done.stdout}")


def build_one(root: Path, source: Path, tools: Tools, machine: str) -> bool:
    """Bring the object of ``source`` up to date; return whether there was anything to do."""
    target = object_of(root, source)
    stamp = target.with_suffix(".stamp")
    command = compile_command(tools.clang, machine)
    wanted = fingerprint(source, command, tools)
    if target.exists() and stamp.exists() and stamp.read_text() == wanted:
        return False
    temporary = target.with_suffix(".new")
    try:
        relative = [str(source.relative_to(root)), "-o", str(temporary.relative_to(root))]
        run([*command, "-c", *relative], root, f"compiling {source.name}")
        if tools.strip:
            # -g drops .debug_*, which libbpf never reads, and leaves .BTF and .BTF.ext.
            run([tools.strip, "-g", str(temporary)], root, f"stripping {target.name}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    stamp.write_text(wanted)
    return True


def object_of(root: Path, source: Path) -> Path:
    """Return where the object of ``source`` belongs."""
    return root / "ktop/objects" / f"{source.stem}.o"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold ``directory`` for oneself: two set-ups may run at once."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def build(root: Path, machine: str = platform.machine()) -> list[str]:
    """Build all objects of the project in ``root`` for ``machine``; return the names of what was out of date.

    BuildError names everything that failed; the other objects are built.
    """
    tools = find_tools()
    sources = sorted(root.glob("bpf/*.bpf.c"))
    objects = root / "ktop/objects"
    objects.mkdir(exist_ok=True)
    with locked(objects):
        families = {source.name.removesuffix(".bpf.c") for source in sources}
        for file in objects.iterdir():
            if file.name.partition(".")[0] not in families:
                file.unlink()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = {source: pool.submit(build_one, root, source, tools, machine) for source in sources}
    if failures := [str(error) for job in jobs.values() if (error := job.exception())]:
        raise BuildError("\n".join(failures))
    return [object_of(root, source).name for source, job in jobs.items() if job.result()]


def main() -> int:
    """Build, say what was built, and return the exit code."""
    try:
        built = build(Path(__file__).resolve().parent.parent)
    except (BuildError, OSError) as error:
        sys.stderr.write(f"bpf/build.py: {error}\n")
        return 1
    sys.stdout.write(f"built {', '.join(built)}\n" if built else "objects are up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Below only for hatchling, which is not installed where this runs as a command.
from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # noqa: E402 - see above


class ObjectsHook(BuildHookInterface):  # type: ignore[type-arg] # generic only for the type checker
    """Puts the objects into wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface
        """Build, and add the objects to what the wheel carries."""
        if self.target_name != "wheel":
            return
        try:
            build(Path(self.root))
        except BuildError as error:
            self.app.abort(f"ktop: {error}")
        build_data["artifacts"].append("/ktop/objects/*.bpf.o")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-linux_{platform.machine()}"
