"""ktop.kernel.heap: pages are kept while objects are loaded, and given back."""

from __future__ import annotations

import json
import subprocess
import sys

PAGES = 4096
"""16 MB."""

SCRIPT = f"""
import ctypes, json, resource, sys, threading
from pathlib import Path
from ktop.kernel import heap

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
counts = []

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

def use():
    pieces = [library.malloc({PAGES} * 1024) for _ in range(4)]
    for piece in pieces:
        ctypes.memset(piece, 1, {PAGES} * 1024)
    for piece in reversed(pieces):
        library.free(piece)

def load():
    for _ in range(2):
        begun = faults()
        use()
        counts.append(faults() - begun)

def in_thread():
    thread = threading.Thread(target=load)
    thread.start()
    thread.join()

heap.share()
before = resident()
if sys.argv[1] == "kept":
    with heap.keeping_pages():
        in_thread()
else:
    in_thread()
json.dump({{"faults": counts, "grown": resident() - before}}, sys.stdout)
"""


def _run(how: str) -> tuple[list[int], int]:
    """Return how many pages each of two loads took from the kernel, and how many were left in the end."""
    run = subprocess.run([sys.executable, "-c", SCRIPT, how], check=True, capture_output=True)
    told = json.loads(run.stdout)
    return told["faults"], told["grown"]


def test_pages_are_kept_for_the_next_object_and_then_given_back() -> None:
    (first, second), grown = _run("kept")
    assert first > PAGES - 100 > 20 * second
    assert grown < PAGES // 8


def test_without_it_each_takes_its_own() -> None:
    (_first, second), _grown = _run("left alone")
    assert second >= PAGES // 2
