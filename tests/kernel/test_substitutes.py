"""Before 5.11 a hash stands in for task storage.  Its room is small: what has ended must leave it."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import numpy as np
import pytest

from ktop.kernel import facts, libbpf
from ktop.kernel.maps import KeyedMap

KEY = np.dtype([("start_ns", np.uint64), ("pid", np.uint32), ("pad", np.uint32)])

THREADS = """
import ctypes, os, sys, threading, time
fd = os.open("/etc/passwd", os.O_RDONLY)
found = []
def read():
    found.append(threading.get_native_id())
    os.pread(fd, 100, 0)
for _ in range(30):
    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
while len(os.listdir("/proc/self/task")) > 1:  # join() returns before they have come to their end
    time.sleep(0.001)
print(*found, flush=True)
input()

# At its end, past the exit hook, it sleeps and is woken: inotify waits for its marks to be freed.
libc = ctypes.CDLL(None)
if libc.inotify_add_watch(libc.inotify_init(), b"/etc/passwd", 1) < 0:
    sys.exit("no inotify")
"""


def pids(family, name: str) -> set[int]:
    """Return the threads that a substitute has an entry of."""
    library, bpf_map = libbpf.library(), family._maps[name]
    value = np.dtype((np.void, library.bpf_map__value_size(bpf_map)))
    reader = KeyedMap(family.map_fd(name), KEY, value, library.bpf_map__max_entries(bpf_map))
    return set(reader.read()["key"]["pid"].tolist())


@pytest.mark.parametrize(("pane", "name"), [("runqlat", "_waits"), ("cachestat", "_uses")])
def test_what_has_ended_takes_no_room(observe, pane, name):
    family = observe(pane).family
    is_made = ctypes.CDLL(libbpf.SONAME).bpf_map__autocreate
    is_made.restype, is_made.argtypes = ctypes.c_bool, [ctypes.c_void_p]
    assert is_made(family._maps[name]) == (facts.kernel_version() < (5, 11))
    if not is_made(family._maps[name]):
        pytest.skip("this kernel has task storage (from 5.11 on), and no substitute is made")
    child = subprocess.Popen(
        [sys.executable, "-c", THREADS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    threads = {int(word) for word in child.stdout.readline().split()}
    living = pids(family, name)
    child.communicate("\n")
    assert child.returncode == 0
    assert len(threads) == 30
    assert child.pid in living
    assert not threads & living
    assert child.pid not in pids(family, name)
