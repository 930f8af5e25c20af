"""The part of libbpf that ktop uses: what it says, thread by thread."""

from __future__ import annotations

import contextlib
import ctypes
import threading

from ktop.kernel import libbpf


def test_each_thread_has_its_own_messages() -> None:
    """libbpf has one print function for all: it comes and goes while others are in it."""
    found: dict[int, set[str]] = {number: set() for number in range(2)}
    done = threading.Event()

    def fail(number: int) -> None:
        with contextlib.suppress(OSError):
            libbpf.library().bpf_object__open_file(f"/nowhere/{number}".encode(), None)

    def collect(number: int) -> None:
        for _ in range(2000):
            with libbpf.messages() as lines:
                fail(number)
            found[number].update(lines)

    def chatter() -> None:
        while not done.is_set():
            fail(9)

    chatterers = [threading.Thread(target=chatter) for _ in range(3)]
    collectors = [threading.Thread(target=collect, args=(number,)) for number in found]
    for thread in [*chatterers, *collectors]:
        thread.start()
    for thread in collectors:
        thread.join()
    done.set()
    for thread in chatterers:
        thread.join()
    for number, lines in found.items():
        assert len(lines) == 1
        assert f"/nowhere/{number}" in lines.pop()


def test_there_is_always_a_print_function() -> None:
    """libbpf 1.5.0 jumps to NULL when it is taken away between its look and its call."""
    libbpf.library()
    replace = ctypes.CDLL(libbpf.SONAME).libbpf_set_print
    replace.restype = ctypes.c_void_p
    silence = ctypes.c_void_p(replace(libbpf._SILENCE))
    assert silence.value
    with libbpf.messages():
        collect = ctypes.c_void_p(replace(silence))
        assert collect.value not in {None, silence.value}
    assert replace(silence) == silence.value
