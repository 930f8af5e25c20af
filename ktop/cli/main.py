"""The command line: what was asked for, who does it, and how it ends."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

# Before numpy is imported: OpenBLAS would start a thread a CPU, and ktop multiplies no matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ktop.cli import streams
from ktop.cli.ending import FAILED, NO_BPF, OK, USAGE, Failure
from ktop.cli.options import Options
from ktop.cli.streams import STDOUT, cannot_write, encoding, print_lines, say, terminal_size

if TYPE_CHECKING:
    from ktop.cli.listing import Found
    from ktop.pane import Pane
    from ktop.recording.replay import Replay
    from ktop.sampler import Sampler
    from ktop.source import Source

NICE = -10
"""With 8 hogs on 2 CPUs a key is seen after 3.0 ms (median; 99th percentile 26), at nice 0 10.4 (125)."""


def command() -> NoReturn:
    """Be the process: do what the command line says, and end."""
    code = main()
    # A thread that is still in a library (bcc is read, or reads symbols) must not be waited for, nor
    # find what it works with taken down under it.
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit code; never a traceback."""
    streams.open_missing()
    code = _do(sys.argv[1:] if argv is None else argv)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        streams.forget(streams.STDOUT)
    except OSError as error:
        code = code or FAILED
        streams.forget(streams.STDOUT)
        streams.say(str(error.strerror or error))
    return code


def _do(argv: Sequence[str]) -> int:
    """Do it, and turn whatever goes wrong into one sentence and a code."""
    try:
        options = _parsed(argv)
        code = _COMMANDS[options.command](options)
    except SystemExit as end:  # argparse, when it has printed the help
        code = end.code if isinstance(end.code, int) else OK
    except BrokenPipeError:
        code = OK
        streams.forget(streams.STDOUT)
    except Failure as error:
        code = error.code
        streams.say(str(error))
    except KeyboardInterrupt:
        code = FAILED
        streams.say("interrupted")
    except OSError as error:
        code = FAILED
        streams.say(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
        streams.forget(streams.STDOUT)
    except Exception as error:  # a defect of ktop: one sentence all the same
        if os.environ.get("KTOP_DEBUG"):
            raise
        code = FAILED
        streams.say(f"{type(error).__name__}: {error} (a defect of ktop; KTOP_DEBUG=1 shows where)")
    return code


def _parsed(argv: Sequence[str]) -> Options:
    """Return what was asked for; Failure; SystemExit after -h."""
    if not argv:
        return Options()  # the usual start: argparse would be 7 ms of the way to its first paint
    from ktop.cli import arguments

    return arguments.parse(argv)


def _panes(names: Sequence[str]) -> tuple[Pane, ...]:
    from ktop import registry

    try:
        return registry.panes(names)
    except registry.UnknownPaneError as error:
        raise Failure(str(error), USAGE) from None


def _must_allow_bpf() -> None:
    """End with 77 where the host does not allow BPF, and say where it allows only a part."""
    from ktop.kernel import checks

    refusal = checks.refusal()
    if refusal is not None:
        raise Failure(f"{refusal}; `ktop demo` shows a recording and needs no privileges", NO_BPF)
    processes = checks.processes()
    if not processes.ok:
        say(f"{processes.name}: {processes.detail}; {processes.remedy}")


# -- the application ---------------------------------------------------------


def _application(options: Options) -> int:
    # Until the first paint (KtopApp switches it on again): a tenth of that time went into collections
    # that found nothing, over all that numpy and Textual make when they are imported.
    gc.disable()
    from ktop.sampler import Sampler

    panes = _panes(())
    if options.pane is not None:
        _panes([options.pane])
    _must_have_terminal("; without one: ktop run PANE, or ktop run PANE --json")
    _must_allow_bpf()
    _go_first()
    return _show(Sampler(panes, options.interval), panes, options)


def _go_first() -> None:
    """Let keys be answered also where more threads want to run than there are CPUs.

    The threads inherit it.  ktop takes 2 % of one CPU, and gives way again at once.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)


def _replay(options: Options) -> int:
    return _show_recording(options.file, options, loop=False)


def _demo(options: Options) -> int:
    recording = Path(__file__).parents[1] / "demo.ktop"
    if not recording.exists():
        raise Failure("this copy of ktop comes without the recording for the demo")
    return _show_recording(recording, options, loop=True)


def _show_recording(path: Path, options: Options, *, loop: bool) -> int:
    gc.disable()  # as above
    from ktop.recording.file import RecordingError
    from ktop.recording.replay import Replay

    try:
        source = Replay(path, loop=loop)
    except RecordingError as error:
        raise Failure(str(error)) from None
    if not source.panes:
        raise Failure(f"{path} holds no pane that this version of ktop knows")
    if options.pane is not None and options.pane not in {pane.name for pane in source.panes}:
        raise Failure(f"the recording has no pane {options.pane}", USAGE)
    at = _moment(options, source)
    _must_have_terminal()
    code = _show(source, source.panes, options, at)
    if not loop:
        for note in source.notes:
            say(note)
    return code


def _moment(options: Options, source: Replay) -> float | None:
    """Have the replay begin at the moment asked for, and return that (Unix time); None: its beginning."""
    if options.at is None:
        return None
    at = options.at.within(*source.span)
    if at is None:
        from ktop.cli.moment import span

        raise Failure(f"{options.at.text} is outside of the recording, which is of {span(*source.span)}")
    source.begin_at(at)
    return at


def _show(source: Source, panes: Sequence[Pane], options: Options, at: float | None = None) -> int:
    from ktop.cli import key_file
    from ktop.ui.app import KtopApp

    complaint = None
    try:
        keymap = key_file.load(key_file.places())
    except key_file.KeyFileError as error:
        keymap, complaint = {}, f"{error}; the keys are the usual ones"
    try:
        app = KtopApp(
            source,
            panes,
            pane=options.pane,
            pid=options.pid,
            at=at,
            theme=options.theme,
            keymap=keymap,
            complaint=complaint,
        )
    except KeyError:
        from ktop.ui.theme import THEMES

        names = ", ".join(theme.name for theme in THEMES)
        raise Failure(f"there is no theme {options.theme!r} (ktop's own: {names})", USAGE) from None
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or OK


def _must_have_terminal(instead: str = "") -> None:
    """End where there is none, and say what does ``instead`` if anything does."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure(f"the application needs a terminal{instead}")


# -- without a screen --------------------------------------------------------


def _run(options: Options) -> int:
    from ktop.cli import batch
    from ktop.sampler import Sampler

    panes = _panes(options.panes)
    _must_allow_bpf()
    if options.pid is not None:
        for pane in panes:
            if pane.process_key not in {column.name for column in pane.columns}:
                say(f"{pane.name} does not go by process: --pid leaves it whole")
    render = (
        batch.as_json(options.pid) if options.json else batch.as_text(options.pid, encoding(), terminal_size)
    )
    source = Sampler(panes, options.interval, everything=True, hurry=False)
    _demand(source, panes, options)
    if options.pid and source.identity.all_processes and not Path(f"/proc/{options.pid}").exists():
        say(f"there is no process {options.pid} now: rows come if it has just ended, or once there is one")
    try:
        dropped = batch.run(source, panes, render, STDOUT, options.count)
    except (batch.NothingLiveError, batch.CutError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise cannot_write(error) from None
    if dropped:
        say(f"{dropped} intervals were left out: the reader of standard output was too slow")
    return OK


def _demand(source: Sampler, panes: Sequence[Pane], options: Options) -> None:
    """Have collected what is not collected unless it is asked for."""
    if not options.failed:
        return
    wanted = [pane.name for pane in panes if "failed" in pane.on_demand]
    if not wanted:
        raise Failure("--failed is for execsnoop, which is none of these panes", USAGE)
    for name in wanted:
        source.demand(name, "failed", on=True)


def _record(options: Options) -> int:
    from ktop.cli import batch
    from ktop.recording.file import RecordingError, Writer
    from ktop.sampler import Sampler

    panes = _panes(options.panes)
    _must_allow_bpf()
    source = Sampler(panes, options.interval, everything=True, hurry=False)
    _demand(source, panes, options)
    try:
        writer = Writer(options.file, source.identity, options.interval, [pane.name for pane in panes])
        if writer.cut:
            say(f"{options.file} had a damaged end: {writer.cut} bytes were cut off")
        try:
            intervals, lost = batch.record(source, panes, writer, count=options.count)
        finally:
            writer.close()
    except (RecordingError, batch.NothingLiveError) as error:
        raise Failure(str(error)) from None
    if intervals:
        how_many = "1 interval" if intervals == 1 else f"{intervals} intervals"
        say(f"{how_many} recorded in {options.file}; ktop replay {options.file} shows them")
    else:
        say(f"nothing was recorded in {options.file}: the first interval was not over")
    if lost:
        say(f"{lost} frames were lost: the disk was too slow")
    if writer.dropped:
        say(f"{writer.dropped} rows are not in it: they were of intervals with more than a recording takes")
    return OK


def _keys(_options: Options) -> int:
    from ktop.cli import key_file
    from ktop.ui.keymap import template

    own, hosts = key_file.places()
    try:
        keymap = key_file.load((own, hosts))
    except key_file.KeyFileError as error:
        raise Failure(str(error)) from None
    return _printed(
        [
            f"# Keys of ktop.  Lines of this that stand, changed, in {own}",
            f"# (or in {hosts}, for whoever has none of their own) give other keys.",
            "# ctrl+c leaves, whatever is written there.",
            *template(keymap),
        ]
    )


# -- what there is, what is allowed ------------------------------------------


def _survey() -> tuple[Sampler, list[Found]]:
    """Return what becomes of every pane here; nobody asks for figures, so they are never sampled."""
    from ktop.cli import listing
    from ktop.sampler import Sampler

    panes = _panes(())
    sampler = Sampler(panes, math.inf, everything=True, hurry=False)
    return sampler, listing.survey(sampler, panes)


def _list(options: Options) -> int:
    from ktop.cli import listing

    sampler, found = _survey()
    print_lines(listing.as_json(found) if options.json else listing.as_text(found, terminal_size()[0]))
    return _how_it_ended(sampler)


def _doctor(options: Options) -> int:
    from ktop.cli import doctor
    from ktop.kernel.checks import gather

    checks = gather()
    sampler, found = _survey()
    if options.json:
        print_lines(doctor.as_json(checks, found, verbose=options.verbose))
    else:
        print_lines(doctor.as_text(checks, found, verbose=options.verbose, width=terminal_size()[0]))
    return _how_it_ended(sampler)


def _how_it_ended(sampler: Sampler) -> int:
    from ktop.kernel import checks

    if sampler.failure is not None:
        raise Failure(sampler.failure)
    return OK if checks.refusal() is None else NO_BPF


def _printed(lines: Sequence[str]) -> int:
    print_lines(lines)
    return OK


def _version(_options: Options) -> int:
    from ktop import __version__

    return _printed([f"ktop {__version__}"])


_COMMANDS: dict[str, Callable[[Options], int]] = {
    "application": _application,
    "run": _run,
    "list": _list,
    "doctor": _doctor,
    "record": _record,
    "replay": _replay,
    "demo": _demo,
    "keys": _keys,
    "version": _version,
}
