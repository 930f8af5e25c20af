"""The command line: what was asked for, who does it, and how it ends."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

# Before numpy is imported: OpenBLAS would start a thread a CPU, and ktop multiplies no matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ktop.cli import streams
from ktop.cli.ending import FAILED, OK, Failure
from ktop.cli.options import Options


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
    try:
        options = _parsed(sys.argv[1:] if argv is None else argv)
        code = _function(options.command)(options)
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
        streams.say(_of_the_host(error))
        streams.forget(streams.STDOUT)
    except Exception as error:  # one sentence all the same
        if os.environ.get("KTOP_DEBUG"):
            raise
        code = FAILED
        streams.say(_in_words(error))
    return code


def _of_the_host(error: OSError) -> str:
    """Return what the operating system refused."""
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return "no more files can be opened: raise the limit (ulimit -n 4096)"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _in_words(error: Exception) -> str:
    """Return what an exception that nobody expected means: a limit of the host's, or a defect."""
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return (
            "no thread can be started: raise the limit of processes (ulimit -u, or pids.max of the container)"
            " or of memory (ulimit -v)"
        )
    # What the dynamic linker says of a library for which there is none.
    no_room = isinstance(error, ImportError) and "failed to map segment" in str(error)
    if no_room or isinstance(error, MemoryError):
        return "there is not enough memory (ulimit -v?)"
    return f"{type(error).__name__}: {error} (a defect of ktop; KTOP_DEBUG=1 shows where)"


def _parsed(argv: Sequence[str]) -> Options:
    """Return what was asked for; Failure; SystemExit after -h."""
    if not argv:
        return Options()  # the usual start: argparse would be 7 ms of the way to its first paint
    from ktop.cli import arguments

    return arguments.parse(argv)


def _function(name: str) -> Callable[[Options], int]:
    """Return what does the command; only now its module is imported, with all that this one needs."""
    function: Callable[[Options], int]
    match name:
        case "application":
            from ktop.cli.application import application as function
        case "replay":
            from ktop.cli.application import replay as function
        case "demo":
            from ktop.cli.application import demo as function
        case "run":
            from ktop.cli.run import run as function
        case "record":
            from ktop.cli.record import record as function
        case "list":
            from ktop.cli.listing import list_panes as function
        case "doctor":
            from ktop.cli.doctor import doctor as function
        case "keys":
            from ktop.cli.keys import keys as function
        case _:
            function = _version
    return function


def _version(_options: Options) -> int:
    from ktop import __version__
    from ktop.cli.printing import print_lines

    print_lines([f"ktop {__version__}"])
    return OK
