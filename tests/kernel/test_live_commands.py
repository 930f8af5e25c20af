"""`run`, `record` and `list` on this kernel, as commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import pytest

from ktop import registry
from ktop.recording.file import blocks, describe
from ktop.recording.replay import Replay
from ktop.source import HOST
from tests.kernel_objects import held_by
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
NOWHERE = "/nonexistent/ktop-test"


def start(*words: str, stdout: int | IO[Any] = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ktop", *words]
    env = {**os.environ, **environment}
    return subprocess.Popen(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, env=env)


def finish(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return out, err, process.returncode


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def live_panes() -> list[str]:
    """The panes that this host has figures for."""
    out, err, code = finish(start("list", "--json"))
    assert (code, err) == (0, "")
    listed = objects(out)
    assert [each["pane"] for each in listed] == list(registry.names())
    return [each["pane"] for each in listed if each["live"]]


def test_every_live_pane_gives_one_status_an_interval() -> None:
    live = live_panes()
    assert "runqlat" in live
    out, err, code = finish(start("run", *registry.names(), "-n", "2", "-i", "0.3", "--json"))
    assert (code, err) == (0, "")
    statuses = [each for each in objects(out) if each["kind"] == "status"]
    for name in registry.names():
        mine = [each for each in statuses if each["pane"] == name]
        if name in live:
            assert len(mine) == 2
            assert all(each["interval_s"] > 0 and each["hooks"] for each in mine)
        else:
            assert mine
            assert all(each["unavailable"] for each in mine)
    rows = [each for each in objects(out) if each["pane"] == "runqlat" and each["kind"] == "row"]
    assert rows
    # What kept a CPU all the time did not wait for one.
    assert all((each["waits"] > 0 or each["cpu_us"] > 0) and each["pid"] > 0 for each in rows)


def test_text_is_for_people() -> None:
    out, err, code = finish(start("run", "runqlat", "-n", "1", "-i", "0.3"))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split()[1] == "runqlat"
    assert lines[1].split()[:2] == ["PID", "COMMAND"]
    assert all(line.isprintable() for line in lines)


def test_text_has_the_latency_of_the_host() -> None:
    out, err, code = finish(start("run", "runqlat", "-n", "1", "-i", "0.5"))
    assert (code, err) == (0, "")
    assert re.search(r"runqlat  \d\.\d\d s  .*p50 \S+s  p95 \S+s  p99 \S+s$", out.splitlines()[0])


def test_one_process_alone() -> None:
    out, _, code = finish(
        start("run", "runqlat", "-n", "2", "-i", "0.3", "--json", "--pid", str(os.getpid()))
    )
    assert code == 0
    found = objects(out)
    assert {each["kind"] for each in found} <= {"row", "status"}
    assert {each["pid"] for each in found if each["kind"] == "row"} <= {os.getpid()}


def test_totals_leave_no_wait_out_and_say_what_has_none() -> None:
    out, err, code = finish(
        start("run", "runqlat", "hardirqs", "-n", "1", "-i", "2", "--json", "--by", "cgroup")
    )
    assert (code, err) == (0, "ktop: hardirqs has no totals by cgroup: --by leaves it whole\n")
    found = objects(out)
    host = next(each for each in found if each["kind"] == "histogram" and each["cpu"] is None)
    rows = [each for each in found if each["pane"] == "runqlat" and each["kind"] == "row"]
    assert len({each["cgroup"] for each in rows}) == len(rows) > 0
    # Rows are read a moment after the histogram: not a tenth of so long.
    assert sum(each["waits"] for each in rows) == pytest.approx(sum(host["counts"]), rel=0.1, abs=100)
    assert all("irq" in each for each in found if each["pane"] == "hardirqs" and each["kind"] == "row")


@pytest.mark.parametrize("asked", [False, True])
def test_failed_execs_are_there_when_asked_for(tmp_path: Path, asked: bool) -> None:
    words = ("--failed",) if asked else ()
    path = tmp_path / "out"
    with path.open("w") as out:  # where much is started, a pipe that nobody reads yet would hold it up
        process = start("run", "execsnoop", "-n", "8", "-i", "0.3", "--json", *words, stdout=out)
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            os.posix_spawn(NOWHERE, ["ktop-test"], {})
        time.sleep(0.05)
    _, err, code = finish(process)
    assert (code, err) == (0, "")
    found = objects(path.read_text())
    failed = [each for each in found if each["kind"] == "event" and each["argv"] == [NOWHERE]]
    assert bool(failed) == asked
    assert all(each["error"] == "ENOENT" for each in failed)


def test_failed_execs_are_execsnoop_s() -> None:
    out, err, code = finish(start("run", "runqlat", "-n", "1", "--failed"))
    assert (out, code) == ("", 2)
    assert err == "ktop: --failed is for execsnoop, which is none of these panes\n"


def test_a_process_that_there_is_not_is_said_to_be_none() -> None:
    out, err, code = finish(
        start("run", "runqlat", "-n", "1", "-i", "0.1", "--json", "--pid", str(2**22 - 1))
    )
    assert code == 0
    assert err.startswith(f"ktop: there is no process {2**22 - 1} now")
    assert err.count("\n") == 1
    assert [each["kind"] for each in objects(out)] == ["status"]


def test_a_reader_that_takes_one_line_ends_it_quietly() -> None:
    process = start("run", "runqlat", "--json", "-i", "0.1")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["pane"] == "runqlat"
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


CUT = "ktop: standard output was not read to its end: its last line may be cut\n"


def test_a_reader_that_takes_nothing_does_not_keep_it() -> None:
    """Stopped by a signal, it does not wait for whoever reads."""
    reader, writer = os.pipe()
    process = start("run", "runqlat", "--json", "-i", "0.1", stdout=writer)
    os.close(writer)
    first = os.read(reader, 1)
    assert first == b"{"
    process.send_signal(signal.SIGTERM)
    _, err, code = finish(process)
    # In the seconds until then the pipe may have had room for all.
    assert (code, err) in {(0, ""), (1, CUT)}
    os.close(reader)


def test_names_that_are_still_looked_for_are_not_waited_for(tmp_path: Path) -> None:
    """On a host that suffers bcc takes seconds to be imported, most of them in C."""
    (tmp_path / "bcc").mkdir()
    begun = tmp_path / "begun"
    (tmp_path / "bcc/__init__.py").write_text(f"import time\nopen({str(begun)!r}, 'w')\ntime.sleep(60)\n")
    took: list[float] = []
    while not took or (took[-1] >= 1.5 and len(took) < 4):  # the host may stand still for as long
        begun.unlink(missing_ok=True)
        process = start("run", "profile", "--json", "-i", "0.1", PYTHONPATH=str(tmp_path))
        eventually(begun.exists, patience=60)
        process.send_signal(signal.SIGTERM)
        before = time.monotonic()
        _, err, code = finish(process)
        took.append(time.monotonic() - before)
        assert (code, err) == (0, "")
    assert took[-1] < 1.5, took


def test_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        _, err, code = finish(start("run", "runqlat", "--json", "-i", "0.1", stdout=full))
    assert code == 1
    assert err == "ktop: cannot write to standard output: No space left on device\n"
    _, err, code = finish(start("record", "/dev/full", "runqlat"))
    assert code == 1
    assert "No space left on device" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_recording_that_is_then_whole(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.ktop"
    process = start("record", str(path), "runqlat", "-i", "0.1")
    wait_for_blocks(path, process, 3)
    process.send_signal(number)
    _, err, code = finish(process)
    assert code == 0
    assert f"recorded in {path}" in err
    assert describe(path).damage is None


def test_a_recording_without_an_interval_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.ktop"
    process = start("record", str(path), "runqlat", "-i", "60")
    # From before it loads them on, signals are waited for.
    while not held_by(process.pid)[0]:
        assert process.poll() is None, process.stderr and process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, err, code = finish(process)
    assert code == 0
    assert err == f"ktop: nothing was recorded in {path}: the first interval was not over\n"


def wait_for_blocks(path: Path, process: subprocess.Popen[str], count: int) -> None:
    while not path.exists() or path.stat().st_size < 100 or len(list(blocks(path))) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A recording whose ktop was killed."""
    path = tmp_path / "a.ktop"
    process = start("record", str(path), "-i", "0.1")
    wait_for_blocks(path, process, 8)
    process.kill()
    process.communicate()
    return path


def test_killed_while_recording_it_replays_and_can_be_gone_on_with(killed: Path) -> None:
    before = describe(killed)
    assert before.seconds > 0
    found: list[str] = []
    source = Replay(killed, speed=float("inf"))
    source.start(lambda frame: found.append(frame.pane))
    assert source.finished.wait(20)
    assert HOST in found
    assert "runqlat" in found
    assert not source.unknown
    _, err, code = finish(start("record", str(killed), "-i", "0.1", "-n", "2"))
    assert code == 0
    assert "2 intervals" in err
    after = describe(killed)
    assert after.damage is None
    assert after.end > before.end
