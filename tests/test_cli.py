"""The command line as others see it: exit codes, one sentence, never a traceback."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ktop.cli import arguments
from ktop.cli import main as cli
from ktop.cli.doctor import as_json as doctor_json
from ktop.cli.doctor import as_text as doctor_text
from ktop.cli.listing import as_text
from ktop.cli.survey import Found, survey
from ktop.frame import Status
from ktop.kernel.checks import Check
from ktop.recording.file import Writer
from ktop.registry import get, panes
from ktop.source import Identity, Publish
from tests.command import ROOT, failed, ktop
from tests.rows import frame_of


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--interval 0", "0.1 to 3600"),
        ("--interval -1", "0.1 to 3600"),
        ("--interval nan", "0.1 to 3600"),
        ("--interval inf", "0.1 to 3600"),
        ("--interval 1e300", "0.1 to 3600"),
        ("--interval soon", "0.1 to 3600"),
        ("--interval ٣", "0.1 to 3600"),
        ("--interval 1_0", "0.1 to 3600"),
        ("--interval \u20031", "0.1 to 3600"),
        ("--pid x", "a PID is a number"),
        ("--pid 0", "a PID is a number"),
        ("--pid 99999999", "a PID is a number from 1 to 4194304, not '99999999'"),
        ("record", "required: FILE (see"),
        ("--pid 99999999999999999999999999", "a PID is a number"),
        ("--pid ٣", "a PID is a number"),
        ("--pane runqat", "did you mean runqlat"),
        ("bogus", "there is no command 'bogus'"),
        ("run", "PANE"),
        ("run runqat", "did you mean runqlat"),
        ("run zzz", "known: runqlat"),
        ("run runqlat -n 0", "1 or more"),
        ("run runqlat -n 1.5", "1 or more"),
        ("run runqlat -i 0.01", "0.1 to 3600"),
        ("run runqlat --interv 1", "unrecognized"),
        ("run runqlat -n 1 --bogus biotop", "unrecognized"),
        ("run runqlat -n 1 bogus", "there is no pane 'bogus'"),
        ("run runqlat --by disk", "by process or by cgroup, not 'disk'"),
        ("list now", "unrecognized"),
        ("record", "FILE"),
        ("record ", "a file has a name"),
        ("replay ", "a file has a name"),
        ("record a.ktop nothing", "there is no pane 'nothing'"),
        ("replay", "FILE"),
        ("replay a.ktop --at soon", "a moment is HH:MM, HH:MM:SS or a date and time"),
        ("replay a.ktop --at 24:00", "not '24:00'"),
        ("replay a.ktop --at 2026-13-01T10:00", "a moment is"),
        ("replay a.ktop --at 0001-01-01T10:00", "a moment is"),
        ("replay a.ktop --at 10:00Z", "a moment is"),
        ("replay a.ktop --at ٣٣:00", "a moment is"),
        ("demo --at 10:00", "unrecognized"),
        ("--interval 3 demo", "ktop demo takes no --interval"),
        ("--interval 3 replay a.ktop", "ktop replay takes no --interval"),
        ("--pid 3 record a.ktop", "ktop record takes no --pid"),
        ("--pane biotop run biotop", "ktop run takes no --pane"),
        ("--theme x list", "ktop list takes no --theme"),
        ("demo --pane nosuch", "the recording has no pane 'nosuch' (it has: runqlat, biotop"),
    ],
)
def test_wrong_usage(words: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split(" ")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "parser"),
    [
        ("--bogus", "ktop"),
        ("bogus", "ktop"),
        ("run", "ktop run"),
        ("run runqlat --bogus", "ktop run"),
        ("run runqlat -i 0", "ktop run"),
        ("record a.ktop --bogus", "ktop record"),
        ("replay a.ktop b.ktop", "ktop replay"),
        ("replay --bogus", "ktop replay"),
        ("list now", "ktop list"),
        ("doctor --bogus", "ktop doctor"),
        ("demo --at 10:00", "ktop demo"),
        ("keys all", "ktop keys"),
        ("--theme x list", "ktop list"),
    ],
)
def test_wrong_usage_names_the_help_of_its_command(words, parser, capsys):
    assert cli.main(words.split(" ")) == 2
    assert f" (see {parser} -h)\n" in capsys.readouterr().err


def test_hostile_words_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["run", "\x1b[31m\n"], ["\x1b[31m"], ["--interval", "\x1b[31m"], ["replay", "/\x1b[31m"]):
        assert cli.main(words) in {1, 2}
        err = capsys.readouterr().err
        assert "\x1b" not in err
        assert err.count("\n") == 1


def test_defaults() -> None:
    for options in (cli._parsed([]), arguments.parse([])):
        assert (options.command, options.interval, options.pane) == ("application", 1.0, None)
        assert (options.pid, options.theme) == (None, None)
    options = arguments.parse(["run", "biotop", "tcptop", "-i", "0.5", "-n", "3", "--pid", "7", "--json"])
    assert (options.panes, options.interval, options.count) == (["biotop", "tcptop"], 0.5, 3)
    assert (options.pid, options.json) == (7, True)
    options = arguments.parse(["--interval", "2", "--pane", "biotop"])
    assert (options.command, options.interval, options.pane) == ("application", 2.0, "biotop")


def test_options_may_stand_between_panes():
    options = arguments.parse(["run", "biotop", "-n", "3", "tcptop", "--json", "runqlat"])
    assert (options.panes, options.count, options.json) == (["biotop", "tcptop", "runqlat"], 3, True)
    options = arguments.parse(["record", "a.ktop", "-n", "3", "tcptop"])
    assert (options.file, options.panes, options.count) == (Path("a.ktop"), ["tcptop"], 3)
    assert arguments.parse(["-i", "2"]).interval == 2


def test_what_is_said_before_a_command_counts():
    options = arguments.parse(["--interval", "2", "--pid", "7", "run", "biotop"])
    assert (options.interval, options.pid, options.panes, options.count) == (2, 7, ["biotop"], None)
    options = arguments.parse(["--pid", "7", "run", "biotop", "--pid", "8", "-i", "3"])
    assert (options.interval, options.pid, options.json) == (3, 8, False)
    assert arguments.parse(["--pane", "biotop", "demo"]).pane == "biotop"
    assert arguments.parse(["run", "biotop"]).interval == 1


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_a_stream_that_is_closed_from_the_start_is_no_error(fd):
    command = f'exec "$0" -m ktop --version {fd}>&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (fd != 1)


def test_help_and_version() -> None:
    shown = ktop("-h")
    assert shown.returncode == 0
    for word in ("run", "list", "doctor", "record", "replay", "demo", "77", "--theme"):
        assert word in shown.stdout
    assert "-n" in ktop("run", "-h").stdout
    version = ktop("--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert re.fullmatch(r"ktop \d+\.\d+\.\d+\n", version.stdout)


def test_a_checkout_that_is_not_installed_knows_its_version() -> None:
    # -S: without site-packages there is no package's metadata to ask.
    bare = [sys.executable, "-S", "-m", "ktop", "--version"]
    result = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == ktop("--version").stdout


def test_no_such_file_and_no_recording(tmp_path: Path) -> None:
    assert "No such file" in failed(ktop("replay", str(tmp_path / "x")), 1)
    assert "not a recording" in failed(ktop("replay", str(ROOT / "pyproject.toml")), 1)
    assert "directory" in failed(ktop("replay", str(tmp_path)), 1)


def test_the_application_needs_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.ktop"
    writer = Writer(path, Identity("h", "k", 2), 1.0, ["runqlat"])
    writer.write([frame_of(get("runqlat"), 3)])
    writer.close()
    assert failed(ktop("replay", str(path)), 1) == "ktop: the application needs a terminal\n"
    assert "needs a terminal; without one: ktop run PANE" in failed(ktop(), 1)
    unknown = failed(ktop("replay", str(path), "--pane", "biotop"), 2)
    assert unknown == "ktop: the recording has no pane 'biotop' (it has: runqlat)\n"


def test_a_moment_outside_of_the_recording_is_told_with_its_span(tmp_path: Path) -> None:
    path = tmp_path / "a.ktop"
    writer = Writer(path, Identity("h", "k", 2), 1.0, ["runqlat"])
    for ts in (0.5, 61.0):
        writer.write([replace(frame_of(get("runqlat"), 3), ts=ts)])
    writer.close()
    environment = {**os.environ, "TZ": "UTC"}
    outside = failed(ktop("replay", str(path), "--at", "1970-01-01T00:02", env=environment), 1)
    assert "1970-01-01T00:02 is outside of the recording" in outside
    assert "1970-01-01 00:00:00 to 00:01:01" in outside
    outside = failed(ktop("replay", str(path), "--at", f"23:00:00.{'9' * 3000}", env=environment), 1)
    assert f"ktop: 23:00:00.{'9' * 31} is outside of the recording" in outside
    assert "terminal" in failed(ktop("replay", str(path), "--at", "00:01", env=environment), 1)


def test_without_privileges_it_says_what_to_do_and_ends_with_77() -> None:
    # Root without any capability is nobody, and can still read the checkout.
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    for words in (["run", "runqlat", "-n", "1"], ["record", os.devnull]):
        said = failed(ktop(*words, prefix=drop), 77)
        assert "as root, with sudo" in said
        assert "ktop demo" in said
    listed = ktop("list", prefix=drop)
    assert listed.returncode == 77
    assert "as root, with sudo" in " ".join(listed.stdout.split())
    checked = ktop("doctor", prefix=drop)
    assert checked.returncode == 77
    assert "MISSING" in checked.stdout
    assert "Traceback" not in checked.stderr + listed.stderr


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["doctor"], ["--version"], ["-h"]])
def test_a_closed_pipe_ends_quietly(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = ktop(*words, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "words", [["list"], ["doctor"], ["doctor", "--json"], ["keys"], ["--version"], ["-h"]]
)
def test_a_full_disk_is_one_sentence(words: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        result = ktop(*words, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr == "ktop: cannot write to standard output: No space left on device\n"


def test_no_stderr_is_no_trouble() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        assert ktop("run", "zzz", capture_output=False, stdout=subprocess.PIPE, stderr=full).returncode == 2


@pytest.mark.parametrize("words", [["list"], ["run", "runqlat", "-n", "1", "-i", "0.1"], ["doctor"], ["-h"]])
def test_without_a_screen_textual_is_not_imported(words: list[str]) -> None:
    script = (
        "import sys\nfrom ktop.cli.main import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        "sys.exit(any(name.partition('.')[0] in {'textual', 'bcc'} for name in sys.modules))"
    )
    result = ktop_script(script)
    assert result.returncode == 0, result.stderr


def test_the_usual_start_does_not_pay_for_argparse() -> None:
    script = "import sys\nfrom ktop.cli.main import main\nmain([])\nsys.exit('argparse' in sys.modules)"
    result = ktop_script(script)
    assert (result.returncode, b"needs a terminal" in result.stderr) == (0, True)


def ktop_script(script: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60, check=False
    )


def test_with_all_descriptors_used_up_a_stream_can_still_lead_nowhere() -> None:
    script = (
        "import os, resource\nfrom ktop.cli import streams\n"
        "nowhere = os.stat(os.devnull).st_rdev\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "streams.forget(1)\n"
        "assert os.fstat(1).st_rdev == nowhere"
    )
    result = ktop_script(script)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("module", ["listing", "doctor"])
def test_what_prints_is_there_before_anything_is_sampled(module: str) -> None:
    """Loading uses up the descriptors where they are few, and what is imported takes one."""
    script = f"import sys, ktop.cli.{module}\nsys.exit('ktop.export.output' not in sys.modules)"
    assert ktop_script(script).returncode == 0


def test_an_interrupt_while_modules_are_imported_is_one_sentence() -> None:
    # One of the first stands for all of them.
    script = (
        "import runpy, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_rest):\n"
        "        if name == 'ktop.cli.options': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "runpy.run_module('ktop', run_name='__main__')"
    )
    result = ktop_script(script)
    assert (result.returncode, result.stderr) == (1, b"ktop: interrupted\n")


def test_a_defect_is_one_sentence_and_a_traceback_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_options: object) -> int:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("ktop.cli.listing.list_panes", broken)
    monkeypatch.delenv("KTOP_DEBUG", raising=False)
    assert cli.main(["list"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("KTOP_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main(["list"])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "there is not enough memory (ulimit -v?)"),
        (ImportError("Read this! x.so: failed to map segment"), "there is not enough memory (ulimit -v?)"),
        (ImportError("no such module"), "a defect of ktop"),
        (OSError(errno.EMFILE, "Too many open files", "/x.py"), "more files can be opened: raise the limit"),
        (RuntimeError("can't start new thread"), "no thread can be started: raise the limit of processes"),
    ],
)
def test_what_the_host_is_short_of_is_no_defect(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short(_options: object) -> int:
        raise error

    monkeypatch.setattr("ktop.cli.listing.list_panes", short)
    monkeypatch.delenv("KTOP_DEBUG", raising=False)
    assert cli.main(["list"]) == 1
    err = capsys.readouterr().err
    assert sentence in err
    assert ("defect" in err) == ("defect" in sentence)


class Probe:
    """What `list` sees of a sampler."""

    def __init__(self) -> None:
        self.stopped = False

    def start(self, publish: Publish) -> None: ...

    def wait_ready(self, timeout: float) -> bool:
        return timeout > 0

    def statuses(self) -> dict[str, Status]:
        bad = Status({}, {"x__kprobe": "EPERM, no"}, "no\x1b PMU; buy one")
        good = Status({"switch": "tp_btf/sched_switch", "wakeup": "tp_btf/sched_wakeup"})
        return {pane.name: bad if pane.name != "runqlat" else good for pane in panes()}

    def logs(self) -> dict[str, list[str]]:
        return {pane.name: ["line 1\nline \x1b2"] for pane in panes()}

    def stop(self) -> None:
        self.stopped = True


def test_the_list() -> None:
    probe = Probe()
    found = survey(probe, panes())
    assert probe.stopped
    lines = as_text(found, 80)
    assert all(len(line) <= 80 and line.isprintable() for line in lines)
    assert lines[0].split() == ["runqlat", *get("runqlat").question.split()]
    assert lines[1].strip() == "live: tp_btf sched_switch, sched_wakeup"
    assert any("not live: no\\x1b PMU; buy one" in line for line in lines)


@pytest.mark.parametrize("command", ["list", "doctor"])
def test_a_sampler_that_failed_is_a_failure(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failed(Probe):
        failure = "sampling ended: of a test"

    monkeypatch.setattr("ktop.cli.survey.Sampler", lambda *_arguments, **_options: Failed())
    monkeypatch.setattr("ktop.cli.printing.write_all", lambda *_chunk: None)
    assert cli.main([command]) == 1
    assert capsys.readouterr().err == "ktop: sampling ended: of a test\n"


def test_what_was_not_loaded_in_time_is_not_live() -> None:
    class Slow(Probe):
        def wait_ready(self, timeout: float) -> bool:
            return timeout < 0

        def statuses(self) -> dict[str, Status]:
            return {**super().statuses(), "biotop": Status()}

    found = {each.pane.name: each.status.unavailable for each in survey(Slow(), panes())}
    assert found["biotop"] == "not loaded within 30 s"
    assert found["runqlat"] is None


CHECKS = [
    Check("privileges", ok=True, detail="may load BPF programs"),
    Check("hardware counters", ok=False, detail="no PMU", remedy="use a machine that has one"),
    Check("libbpf", ok=False, detail="not found", remedy="apt install libbpf1", needed=True),
]


def test_the_doctor() -> None:
    found = survey(Probe(), panes())
    lines = doctor_text(CHECKS, found, verbose=False)
    text = "\n".join(lines)
    assert all(line.isprintable() for line in lines)
    assert "-> apt install libbpf1" in text
    assert "-> use a machine that has one" in text
    assert "x__kprobe refused: EPERM, no" in text
    assert "Nothing live on this host without: libbpf" in lines[-1]
    assert "| line" not in text
    assert "| line \\x1b2" in "\n".join(doctor_text(CHECKS, found, verbose=True))
    assert f"1 of {len(found)} panes" in doctor_text(CHECKS[:2], found, verbose=False)[-1]


def test_the_doctor_says_once_what_the_whole_host_lacks() -> None:
    found = [Found(pane, Status(unavailable="not allowed here")) for pane in panes()]
    text = "\n".join(doctor_text(CHECKS, found, verbose=False, width=80))
    assert text.count("not allowed here") == 1
    assert "all" in text
    mixed = [*found[1:], Found(panes()[0], Status())]
    assert "\n".join(doctor_text(CHECKS, mixed, verbose=False)).count("not allowed here") == len(found) - 1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_doctor_keeps_to_the_width_of_the_terminal(width: int) -> None:
    hooks = {f"group_{n}": f"tp_btf/some_rather_long_name_{n}" for n in range(12)}
    found = [Found(pane, Status(hooks=hooks)) for pane in panes()]
    assert max(map(len, doctor_text(CHECKS, found, verbose=False, width=width))) <= width


def test_the_doctor_in_json() -> None:
    found: list[Found] = survey(Probe(), panes())
    objects = [json.loads(line) for line in doctor_json(CHECKS, found, verbose=True)]
    checks = [each for each in objects if each["kind"] == "check"]
    assert [each["ok"] for each in checks] == [True, False, False]
    assert checks[0]["remedy"] is None
    pane = next(each for each in objects if each.get("pane") == "runqlat")
    assert pane["live"] is True
    assert pane["log"] == ["line 1\\nline \\x1b2"]
