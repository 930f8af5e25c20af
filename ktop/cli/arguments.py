"""What may stand on the command line.

argparse: 5 ms to import where click takes 19, and nothing here needs more.
"""

from __future__ import annotations

import math
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ktop.cli.ending import USAGE, Failure
from ktop.cli.options import Options
from ktop.cli.printing import print_lines

if TYPE_CHECKING:
    from ktop.cli.moment import Moment

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.1, 3600.0
_MAX_PID = 1 << 22
"""The kernel's PID_MAX_LIMIT."""

_EPILOG = """\
without a command: the application, live on this host

  ktop run PANE...    the same without a screen: aligned text, or JSON lines
  ktop list           every pane: what it answers, live or why not, which hooks
  ktop doctor         what this host allows, what is missing, and what mends it
  ktop record FILE    append what is sampled to a recording
  ktop replay FILE    the application on a recording; --at HH:MM begins at that moment of it
  ktop demo           the application on a recording that comes with ktop; needs no privileges
  ktop keys           every key and what it does, as a file that can give them others

exit codes: 0; 1 failure; 2 wrong usage; 77 this host does not allow BPF"""


_VIEW = ("pane", "pid", "theme")
"""What is said of the application."""


class _Parser(ArgumentParser):
    def print_help(self, _file: object = None) -> None:
        # As all else is printed, so that it fails as all else does.
        print_lines(self.format_help().splitlines())

    def error(self, message: str) -> NoReturn:
        # argparse speaks of its own parts where a command is misspelt.
        if message.startswith("argument COMMAND: invalid choice: "):
            word = message.removeprefix("argument COMMAND: invalid choice: ").split(" (", 1)[0]
            message = f"there is no command {word}"
        raise Failure(f"{message} (see {self.prog} -h)", USAGE)


def parse(argv: Sequence[str]) -> Options:
    """Return the options; Failure (2) when the words make none; SystemExit after -h."""
    top, commands = _parser()
    options, more = top.parse_known_args(argv, namespace=Options())
    if more:
        # What stands behind an option (run runqlat -n 1 biotop) argparse leaves to us.
        if options.command not in {"run", "record"} or any(word.startswith("-") for word in more):
            commands.get(options.command, top).error(f"unrecognized arguments: {' '.join(more)}")
        options.panes = [*options.panes, *more]
    if options.command in commands:
        _must_be_known(options, commands[options.command])
    if options.version:
        options.command = "version"
    return options


def _must_be_known(options: Options, command: ArgumentParser) -> None:
    """Raise Failure (2) for what stands before a command that can do nothing with it."""
    known = {action.dest for action in command._actions}  # noqa: SLF001 - there is no other way to ask
    for name in ("interval", *_VIEW):
        if name in vars(options) and name not in known:
            raise Failure(f"{command.prog} takes no --{name} (see {command.prog} -h)", USAGE)


def _parser() -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """Return the parser, and those of its commands by name."""
    top = _Parser(
        prog="ktop",
        description="top for the kernel: what the kernel is doing, and to whom",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("-i", "--interval", metavar="S", type=interval, help="seconds between samples (1)")
    _add_view(top)
    top.add_argument("--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(metavar="COMMAND", title="commands", help=SUPPRESS, parser_class=_Parser)

    def command(name: str, summary: str) -> ArgumentParser:
        # Without defaults: they would take the place of what was said before the command.
        parser = commands.add_parser(name, description=summary, allow_abbrev=False, argument_default=SUPPRESS)
        parser.set_defaults(command=name)
        return parser

    run = command("run", "The panes without a screen, as aligned text or as JSON lines.")
    run.add_argument("panes", metavar="PANE", nargs="+", help="what to show: ktop list names them")
    _add_sampling(run)
    run.add_argument("--pid", metavar="PID", type=pid, help="only this process")
    run.add_argument(
        "--by",
        metavar="WHAT",
        type=added_up_by,
        help="add the rows of an interval up: by process, or by cgroup (container or unit)",
    )
    run.add_argument("--json", action="store_true", help="one JSON object a line")

    listing = command("list", "Every pane: what it answers, live or why not, which hooks.")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")

    doctor = command("doctor", "What this host allows, what is missing, and the command that mends it.")
    doctor.add_argument("-v", "--verbose", action="store_true", help="with what libbpf and the verifier said")
    doctor.add_argument("--json", action="store_true", help="one JSON object a line")

    record = command("record", "Append what is sampled to FILE, until -n intervals or ctrl+c.")
    record.add_argument("file", metavar="FILE", type=file)
    # Without a default argparse would say that it is required.
    record.add_argument("panes", metavar="PANE", nargs="*", default=SUPPRESS, help="what to record (all)")
    _add_sampling(record)

    replay = command("replay", "The application on a recording.")
    replay.add_argument("file", metavar="FILE", type=file)
    replay.add_argument(
        "--at",
        metavar="TIME",
        type=moment,
        help="begin paused at HH:MM[:SS], or at a date and time (2026-09-21T14:13:20, also with Z or +02:00)",
    )
    _add_view(replay)
    _add_view(command("demo", "The application on a recording that comes with ktop."))
    command("keys", "Every key and what it does, as the file that can give them others.")
    return top, dict(commands.choices)


def _add_view(parser: ArgumentParser) -> None:
    parser.add_argument("--pane", metavar="NAME", help="the pane to begin with")
    parser.add_argument("--pid", metavar="PID", type=pid, help="begin with this process")
    parser.add_argument("--theme", metavar="NAME", help="colours: ktop-dark, ktop-light or ktop-ansi")


def _add_sampling(parser: ArgumentParser) -> None:
    parser.add_argument("-i", "--interval", metavar="S", type=interval, help="seconds between samples (1)")
    parser.add_argument("-n", "--count", metavar="COUNT", type=count, help="end after so many intervals")
    parser.add_argument(
        "--failed", action="store_true", help="execsnoop: failed execs too; all system calls are slower then"
    )


def interval(text: str) -> float:
    """Return ``text`` as seconds between two samples."""
    seconds = math.nan
    with suppress(ValueError):
        if not text.strip("0123456789.eE+-"):  # float takes spaces, underscores and any script's digits
            seconds = float(text)
    if not MIN_INTERVAL_S <= seconds <= MAX_INTERVAL_S:
        raise ArgumentTypeError(
            f"an interval is {MIN_INTERVAL_S:g} to {MAX_INTERVAL_S:g} seconds, not {text[:40]!r}"
        )
    return seconds


def count(text: str) -> int:
    """Return ``text`` as a number of intervals."""
    return _whole(text, 1, 1 << 31, "a number of intervals is 1 or more")


def pid(text: str) -> int:
    """Return ``text`` as a process."""
    return _whole(text, 1, _MAX_PID, f"a PID is a number from 1 to {_MAX_PID}")


def added_up_by(text: str) -> str:
    """Return ``text`` as what rows are added up by."""
    if text not in {"process", "cgroup"}:
        raise ArgumentTypeError(f"rows are added up by process or by cgroup, not {text[:40]!r}")
    return text


def moment(text: str) -> Moment:
    """Return ``text`` as a moment of a recording."""
    from ktop.cli.moment import moment as typed  # late: calendars are for those who ask for one

    return typed(text)


def file(text: str) -> Path:
    """Return ``text`` as the path of a file."""
    if not text:
        raise ArgumentTypeError("a file has a name, not ''")
    return Path(text)


def _whole(text: str, lowest: int, highest: int, what: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and lowest <= int(text) <= highest:
        return int(text)
    raise ArgumentTypeError(f"{what}, not {text[:40]!r}")
