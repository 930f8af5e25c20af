"""What /proc says of a process whose names were made to mislead."""

from __future__ import annotations

from pathlib import Path

from ktop.process import read

STAT = b"7 (x\rVmSwap: x) S 1 " + b"0 " * 15 + b"1 0 500 " + b"0 " * 30
STATUS = b"Name:\tx\rVmSwap: x\nUid:\t12\t12\t12\t12\nVmRSS:\t    8 kB\nVmSwap:\t    4 kB\n"


def test_a_carriage_return_in_a_name_ends_no_line(tmp_path: Path) -> None:
    for pid, comm in ((7, b"x\rVmSwap: x\n"), (1, b"in\rit\n\n")):
        base = tmp_path / str(pid)
        base.mkdir()
        (base / "stat").write_bytes(STAT)
        (base / "status").write_bytes(STATUS)
        (base / "cmdline").write_bytes(b"")
        (base / "cgroup").write_bytes(b"1:cpu:/long/and/wrong/a\n0::/a\rb\n")
        (base / "comm").write_bytes(comm)
    (tmp_path / "stat").write_bytes(b"cpu 0\nbtime 100\n")
    process = read(7, tmp_path)
    assert process is not None
    assert process.comm == b"x\rVmSwap: x"
    assert (process.uid, process.rss_bytes, process.swap_bytes) == (12, 8192, 4096)
    assert process.cgroup == b"/a\rb"
    assert process.parent == b"in\rit\n"
    assert process.threads == 1
