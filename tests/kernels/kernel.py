"""A Debian kernel ready to boot: its image, and an initramfs that mounts the guest's disks."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.kernels import cpio
from tests.kernels.packages import PackageError, Release, cache_directory, fetch

RELEASES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "newest": "sid"}
"""Where Debian has the kernels that are supported: the release by version."""
VERSIONS = {
    name + suffix: Release(release, architecture)
    for suffix, architecture in (("", "amd64"), ("-arm64", "arm64"))
    for name, release in RELEASES.items()
}
"""All that can be asked for."""
DEFAULT = ("5.10", "6.1", "6.12-arm64", "6.12", "newest")
"""The slowest first: two run at once, and none is to run alone at the end."""

META = "linux-image-cloud-"
PARTS = r"linux-(?:image|binary|modules)-\d\S+"
MODULES = ("virtio_pci", "virtio_blk", "loop", "veth", "xfrm_user", "mq_deadline")
"""Where they are not built in: the disks, and what tests use; the scheduler last, or the disks had it."""

INIT = Path(__file__).with_name("guest_init.sh")


@dataclass(frozen=True)
class Kernel:
    """What QEMU boots."""

    version: str
    """As asked for: a key of VERSIONS."""
    architecture: str
    release: str
    """As ``uname -r`` says."""
    image: Path
    initramfs: Path


def prepare(version: str, busybox: Path) -> Kernel:
    """Download the newest kernel of ``version``; PackageError where that fails.

    ``busybox`` is a static one of the kernel's architecture.
    """
    newest = VERSIONS[version]
    # Mirrors have been seen without some security update of an old release.
    debs = fetch([newest, replace(newest, security=False)], _packages, alone=True)
    place = cache_directory() / "kernels" / debs[0].stem
    if not (place / "vmlinuz").exists():
        _unpack(debs, place)
    directory = next(place.glob("**/lib/modules/*"))
    _write_initramfs(place / "initramfs", directory, busybox)
    return Kernel(version, newest.architecture, directory.name, place / "vmlinuz", place / "initramfs")


def _packages(archive: Release) -> list[str]:
    """Return the names of the newest kernel's packages; PackageError where there is none."""
    names = archive.depends(META + archive.architecture, PARTS)
    if not names:
        raise PackageError(f"{archive.name} has no kernel behind {META}{archive.architecture}")
    return names


def _unpack(debs: list[Path], place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", deb, place], check=True)
    image = next(path for path in place.rglob("vmlinuz*") if path.is_file())
    image.rename(place / "vmlinuz")


def _write_initramfs(target: Path, modules: Path, busybox: Path) -> None:
    files = {"init": INIT.read_bytes(), "bin/busybox": busybox.read_bytes()}
    for number, (name, content) in enumerate(_modules(modules).items()):
        files[f"modules/{number:02}-{name}.ko"] = content
    target.write_bytes(cpio.archive(files))


def _modules(directory: Path) -> dict[str, bytes]:
    """Return the content of MODULES and of what they need, in the order to load them."""
    paths = {path.name.partition(".ko")[0].replace("-", "_"): path for path in directory.rglob("*.ko*")}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in found or name not in paths:  # the latter are built in
            return
        content = paths[name].read_bytes()
        if paths[name].suffix == ".xz":
            content = lzma.decompress(content)
        needed = re.search(rb"\0depends=([^\0]*)\0", content)
        for other in needed[1].decode().split(",") if needed and needed[1] else []:
            add(other.replace("-", "_"))
        found[name] = content

    for name in MODULES:
        add(name)
    return found
