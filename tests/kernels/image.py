"""The guest's disks: a small Debian with Python and the tests' tools, and this project.

Nothing of another architecture runs here: Python's bytecode is the same on all, so
the native userland's Python compiles for them too.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bpf import build
from tests.kernels.machine import MACHINES
from tests.kernels.packages import Release, cache_directory, fetch

RELEASE = "trixie"
"""One userland for all kernels, so that only the kernel differs."""

PACKAGES = (
    *(
        "busybox-static",
        "bash",
        "dash",
        "coreutils",
        "util-linux",
        "mount",
        "e2fsprogs",
        "procps",
        "iproute2",
    ),
    *("python3", "python3-numpy", "python3-psutil", "python3-msgpack", "python3-zstandard", "python3-pytest"),
    *("python3-rich", "libbpf1", "fio", "iperf3"),
)
UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/include")
PROJECT = ("ktop", "tests", "bpf", "pyproject.toml")
HEADROOM_MIB = 1536
"""What tests may write."""


@dataclass(frozen=True)
class Userland:
    """The guest's root."""

    image: Path
    tree: Path
    """The directory that the image was made from."""

    @property
    def busybox(self) -> Path:
        """A static one, for the initramfs."""
        return self.tree / "usr/bin/busybox"


def userland(architecture: str, native: Userland | None = None) -> Userland:
    """Make the guest's root, unless that was done; ``native`` is the one whose Python runs here."""
    debs = fetch([Release(RELEASE, architecture)], lambda _release: PACKAGES)
    ingredients = [*(deb.name for deb in debs), Path(__file__).read_text()]
    tag = hashlib.sha256("\n".join(ingredients).encode()).hexdigest()[:16]
    place = cache_directory() / "userlands" / f"{architecture}-{tag}"
    image, tree = place / "root.ext4", place / "tree"
    if not image.exists():
        for old in place.parent.glob(f"{architecture}-*"):
            shutil.rmtree(old)
        _unpack(debs, tree)
        _compile_library(tree, native.tree if native else tree)
        used = int(subprocess.check_output(["du", "-sm", tree]).split()[0])
        make_image(tree, place / "new", used * 5 // 4 + HEADROOM_MIB)
        (place / "new").rename(image)
    return Userland(image, tree)


def project(root: Path, target: Path, architecture: str, native: Userland) -> None:
    """Make an image of what the guest needs of the project, its objects built for the architecture."""
    staging = target.with_suffix(".tree")
    shutil.rmtree(staging, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__", "*.pyc", "__snapshots__", "ui", "e2e")
    for name in PROJECT:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, staging / name, ignore=skip)
        else:
            shutil.copy(source, staging / name)
    build.build(staging, MACHINES[architecture].processor)
    _compile(native.tree, staging, "/ktop")
    make_image(staging, target, 64)
    shutil.rmtree(staging)


def make_image(tree: Path, target: Path, mib: int) -> None:
    """Make an ext4 file system of ``mib`` MiB that holds ``tree``."""
    target.unlink(missing_ok=True)
    command: list[str | Path] = ["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", tree]
    subprocess.run([*command, target, f"{mib}m"], check=True, capture_output=True)


def _unpack(debs: list[Path], tree: Path) -> None:
    tree.mkdir(parents=True)
    # As base-files has them; packages that still have files in /bin follow the link.
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    for deb in debs:
        contents = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        command: list[str | Path] = ["tar", "-x", "--keep-directory-symlink", "-C", tree]
        subprocess.run(command, stdin=contents.stdout, check=True)
        if contents.wait():
            raise OSError(f"{deb.name} cannot be unpacked")
    for name in UNNEEDED:
        shutil.rmtree(tree / name, ignore_errors=True)
    # What their scripts would choose among alternatives.
    for library in (*tree.glob("usr/lib/*/blas/*.so.3"), *tree.glob("usr/lib/*/lapack/*.so.3")):
        (library.parents[1] / library.name).symlink_to(f"{library.parent.name}/{library.name}")
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "etc", "var/tmp", "ktop"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")


def _compile_library(tree: Path, native: Path) -> None:
    """Compile Python's modules, as the packages' scripts would: emulated it would take minutes."""
    for directory in (*(tree / "usr/lib").glob("python3.*"), tree / "usr/lib/python3/dist-packages"):
        _compile(native, directory, f"/{directory.relative_to(tree)}")


def _compile(tree: Path, directory: Path, inside: str) -> None:
    """Compile ``directory``, which the guest has as ``inside``, with the Python of a native tree."""
    loader = next(tree.glob("usr/lib*/ld-linux-*.so.*"))
    libraries = ":".join(str(path.parent) for path in tree.glob("usr/lib/*/libc.so.6"))
    python = next(tree.glob("usr/bin/python3.*"))
    command: list[str | Path] = [loader, "--library-path", libraries, python, "-I", "-m", "compileall", "-q"]
    # Modules that are there to be no Python (of test-suites) fail: no reason to stop.
    subprocess.run(
        [*command, "-s", directory, "-p", inside, directory],
        env={"PYTHONHOME": str(tree / "usr"), "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
    )
