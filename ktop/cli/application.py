"""`ktop`, `ktop replay` and `ktop demo`: the application, live or on a recording.

Nothing is imported here that does not serve the first paint, and nothing heavy
before ``gc.disable``.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ktop.cli.ending import OK, USAGE, Failure
from ktop.cli.preconditions import known_panes, must_allow_bpf
from ktop.cli.streams import say

if TYPE_CHECKING:
    from ktop.cli.options import Options
    from ktop.pane import Pane
    from ktop.recording.replay import Replay
    from ktop.source import Source

NICE = -10
"""With 8 hogs on 2 CPUs a key is seen after 3.0 ms (median; 99th percentile 26), at nice 0 10.4 (125)."""


_SIZES = ("COLUMNS", "LINES", "JUPYTER_COLUMNS", "JUPYTER_LINES")
_HONOURED = {"TEXTUAL_ANIMATIONS", "TEXTUAL_COLOR_SYSTEM"}


def application(options: Options) -> int:
    """Show this host live; return the exit code."""
    # Until the first paint (KtopApp switches it on again): a tenth of that time went into collections
    # that found nothing, over all that numpy and Textual make when they are imported.
    gc.disable()
    from ktop.live.sampler import Sampler

    panes = known_panes(())
    if options.pane is not None:
        known_panes([options.pane])
    _must_have_terminal("; without one: ktop run PANE, or ktop run PANE --json")
    must_allow_bpf()
    go_first()
    return _show(Sampler(panes, options.interval), panes, options)


def go_first() -> None:
    """Let keys be answered also where more threads want to run than there are CPUs.

    The threads inherit it.  ktop takes 2 % of one CPU, and gives way again at once.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)


def replay(options: Options) -> int:
    """Show a recording, from the moment that was asked for; return the exit code."""
    return _show_recording(options.file, options, loop=False)


def demo(options: Options) -> int:
    """Show the recording that comes with ktop, over and over; return the exit code."""
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
    names = [pane.name for pane in source.panes]
    if options.pane is not None and options.pane not in names:
        raise Failure(f"the recording has no pane {options.pane!r} (it has: {', '.join(names)})", USAGE)
    at = _begin_at(options, source)
    _must_have_terminal()
    code = _show(source, source.panes, options, at)
    if not loop:
        for note in source.notes:
            say(note)
    return code


def _begin_at(options: Options, source: Replay) -> float | None:
    """Have the replay begin at the moment asked for, and return that (Unix time); None: its beginning."""
    if options.at is None:
        return None
    at = options.at.within(*source.span)
    if at is None:
        from ktop.cli.moment import span

        text = options.at.text[:40]
        raise Failure(f"{text} is outside of the recording, which is of {span(*source.span)}")
    source.begin_at(at)
    return at


def _show(source: Source, panes: Sequence[Pane], options: Options, at: float | None = None) -> int:
    """Show what ``source`` publishes until the application is left; return the exit code."""
    prepare(os.environ)
    from ktop.cli import key_file
    from ktop.ui.app import KtopApp
    from ktop.ui.palette import UnknownThemeError

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
    except UnknownThemeError:
        from ktop.ui.theme import THEMES

        names = ", ".join(theme.name for theme in THEMES)
        raise Failure(f"there is no theme {options.theme!r} (ktop's own: {names})", USAGE) from None
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or OK


def prepare(environ: MutableMapping[str, str]) -> None:
    """Before Textual is imported: leave in ``environ`` what it may go by."""
    from ktop.ui.terminal import colors

    # The size the terminal had when a shell exported it.
    for name in _SIZES:
        environ.pop(name, None)
    # For who develops with Textual: drivers, logs, keys that nobody presses.
    for name in [name for name in environ if name.partition("_")[0] == "TEXTUAL" and name not in _HONOURED]:
        del environ[name]
    # Textual fails on a name that it does not know.
    environ["TEXTUAL_COLOR_SYSTEM"] = colors.detect(environ)


def _must_have_terminal(instead: str = "") -> None:
    """Raise Failure where there is none, and say what does ``instead`` if anything does."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure(f"the application needs a terminal{instead}")
