"""A thread whose file descriptors are nobody else's."""

from __future__ import annotations

import errno
import os

import pytest

from ktop.kernel import own_files
from ktop.kernel.own_files import OwnFiles


@pytest.fixture
def files():
    files = OwnFiles("own files")
    yield files
    files.stop()


def test_it_has_none_of_the_processs_but_the_first_three(files):
    reader, writer = os.pipe()
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            files.call(os.fstat, reader)
        for fd in range(3):
            assert os.path.samestat(files.call(os.fstat, fd), os.fstat(fd))
    finally:
        os.close(reader)
        os.close(writer)


def test_what_it_closes_stays_open_elsewhere(files):
    mine = os.open(os.devnull, os.O_RDONLY)
    its = files.call(os.open, os.devnull, os.O_WRONLY)
    try:
        while its < mine:  # it takes the first number that is free, so comes by mine in the end
            its = files.call(os.dup, its)
        assert its == mine
        files.call(os.close, its)
        os.fstat(mine)
    finally:
        os.close(mine)


def test_it_keeps_nothing_open(files):
    """A program stays attached as long as anyone has its link open."""
    reader, writer = os.pipe()
    another = OwnFiles("own files")
    os.close(writer)
    try:
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)
        another.stop()


def test_errors_are_the_callers(files):
    with pytest.raises(ZeroDivisionError):
        files.call(divmod, 1, 0)
    assert files.call(divmod, 7, 2) == (3, 1)


def test_where_the_kernel_refuses_it(monkeypatch):
    monkeypatch.setattr(own_files, "_CLOSE_RANGE", 100_000)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)):
        OwnFiles("own files")
