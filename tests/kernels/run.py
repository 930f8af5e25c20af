"""Runs the tests of the real kernel on every supported kernel: ``bin/test --kernels [VERSION...]``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.kernels import image, kernel, report
from tests.kernels.boot import PACKAGE, QEMU, Boot, boot
from tests.kernels.packages import PackageError, cache_directory

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 900
MEMORY_MIB = 1600
"""Of one guest, with QEMU's own."""


def main() -> int:
    """Return 0 when all is well, 1 when a test failed, 2 when nothing could be run."""
    parser = argparse.ArgumentParser(prog="bin/test --kernels")
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help=f"of {', '.join(kernel.RELEASES)}; default: all"
    )
    parser.add_argument(
        "--at-once", type=int, default=0, help="guests that run at once; default: as memory allows, 2 at most"
    )
    parser.add_argument(
        "--only", action="append", default=[], help="a file or test of tests/kernel; default: all"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.versions) - kernel.RELEASES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))} (known: {', '.join(kernel.RELEASES)})")
    if shutil.which(QEMU) is None:
        print(f"{QEMU} is missing: apt-get install {PACKAGE}", file=sys.stderr)
        return 2
    try:
        boots = run(
            arguments.versions or list(kernel.RELEASES), arguments.only, arguments.at_once or guests_at_once()
        )
    except PackageError as error:
        print(error, file=sys.stderr)
        return 2
    summary = report.summarise(boots)
    report.write(summary, cache_directory())
    for one in boots:
        if one.failure:
            print(report.console_of(one))
    print(report.as_text(summary))
    return 0 if report.is_green(summary) else 1


def guests_at_once() -> int:
    """Return how many guests fit into the memory that is free."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(1, min(2, free // MEMORY_MIB))


def run(versions: list[str], only: list[str], at_once: int) -> list[Boot]:
    """Prepare and boot ``versions``; return what came of each, in their order."""
    runs = cache_directory() / "runs"
    runs.mkdir(exist_ok=True)
    root, tree = image.userland()
    project = runs / "project.ext4"
    image.project(ROOT, project, tree)
    kernels = [kernel.prepare(version, tree / "usr/bin/busybox") for version in versions]

    def one(each: kernel.Kernel) -> Boot:
        print(f"booting {each.version} ({each.release})", flush=True)
        result = boot(each, (root, project), runs / each.version, only, TIMEOUT)
        print(f"{each.version}: {result.failure or 'done'} after {result.seconds:.0f} s", flush=True)
        return result

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, kernels))


if __name__ == "__main__":
    sys.exit(main())
