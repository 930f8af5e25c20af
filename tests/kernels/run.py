"""Runs the tests of the real kernel on every supported kernel: ``bin/test --kernels [VERSION...]``."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.kernels import closing, image, kernel, report
from tests.kernels.boot import Boot, boot
from tests.kernels.machine import MACHINES, NATIVE
from tests.kernels.packages import PackageError, cache_directory

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 2000
MEMORY_MIB = 1600
"""Of one guest, with QEMU's own."""


def main() -> int:
    """Return 0 when all is well, 1 when something failed, 2 when nothing could be run."""
    arguments = parse()
    versions = arguments.versions or list(kernel.DEFAULT)
    machines = {MACHINES[kernel.VERSIONS[version].architecture] for version in versions}
    if lacking := [machine.package for machine in machines if shutil.which(machine.emulator) is None]:
        print(f"QEMU is missing: apt-get install {' '.join(lacking)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    boots = Matrix(arguments.only).run(versions, arguments.at_once or guests_at_once())
    boots.sort(key=lambda one: list(kernel.VERSIONS).index(one.version))
    summary = report.summarise(boots)
    report.write(summary, cache_directory())
    counts = closing.Counts()
    for one, kernel_report in zip(boots, summary["kernels"], strict=True):
        of_kernel = report.counts(kernel_report)
        counts += of_kernel
        if of_kernel.failed:
            print(report.console_of(one))
    print(report.as_text(summary))
    print(f"{len(boots)} kernels in {time.monotonic() - began:.0f} s")
    if arguments.after is not None:
        counts += closing.of_suite(ROOT / ".venv/suite.xml", arguments.after)
    print(counts)
    return 1 if counts.failed else 0


def parse() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(prog="bin/test --kernels")
    parser.add_argument(
        "versions",
        nargs="*",
        metavar="VERSION",
        help=f"of {', '.join(kernel.VERSIONS)}; default: {' '.join(kernel.DEFAULT)}",
    )
    parser.add_argument(
        "--at-once", type=int, default=0, help="guests that run at once; default: as memory allows, 2 at most"
    )
    parser.add_argument(
        "--only", action="append", default=[], help="a file or test of tests/kernel; default: all"
    )
    parser.add_argument(
        "--after", type=int, metavar="STATUS", help="of bin/test, whose tests are to be in the closing line"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.versions) - kernel.VERSIONS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))} (known: {', '.join(kernel.VERSIONS)})")
    return arguments


def guests_at_once() -> int:
    """Return how many guests fit into the memory that is free, or would be when it is asked for."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    available = {name: int(kib) >> 10 for name, kib, *_unit in lines}["MemAvailable:"]
    return max(1, min(2, available // MEMORY_MIB))


class Matrix:
    """Prepares and boots kernels; while one is prepared another may run."""

    def __init__(self, only: list[str]) -> None:
        """``only``: what guest_run.py is to run; all when empty."""
        self._only = only
        self._runs = cache_directory() / "runs"
        self._runs.mkdir(exist_ok=True)
        self._preparing = threading.Lock()
        self._disks: dict[str, tuple[image.Userland, Path]] = {}

    def run(self, versions: list[str], at_once: int) -> list[Boot]:
        """Return what came of each version, in their order."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self._one, versions))

    def _one(self, version: str) -> Boot:
        began = time.monotonic()
        try:
            with self._preparing:
                userland, project = self._prepare(kernel.VERSIONS[version].architecture)
                ready = kernel.prepare(version, userland.busybox)
        except (OSError, PackageError, subprocess.CalledProcessError) as error:
            print(f"{version}: {error}", flush=True)
            return Boot(version, failure=str(error))
        print(
            f"booting {version} ({ready.release}), ready after {time.monotonic() - began:.0f} s", flush=True
        )
        result = boot(ready, (userland.image, project), self._runs / version, self._only, TIMEOUT)
        print(f"{version}: {result.failure or 'done'} after {result.seconds:.0f} s", flush=True)
        return result

    def _prepare(self, architecture: str) -> tuple[image.Userland, Path]:
        """Return the guest's root and the disk with the project."""
        if architecture not in self._disks:
            native = image.userland(NATIVE) if architecture == NATIVE else self._prepare(NATIVE)[0]
            userland = native if architecture == NATIVE else image.userland(architecture, native)
            project = self._runs / f"project-{architecture}.ext4"
            image.project(ROOT, project, architecture, native)
            self._disks[architecture] = userland, project
        return self._disks[architecture]


if __name__ == "__main__":
    sys.exit(main())
