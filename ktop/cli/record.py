"""`ktop record`: Frames of the live host to a file, until enough of them or a signal."""

from __future__ import annotations

from ktop.cli import batch
from ktop.cli.ending import OK, Failure
from ktop.cli.options import Options
from ktop.cli.preconditions import known_panes, must_allow_bpf
from ktop.cli.streams import say
from ktop.recording.file import RecordingError, Writer


def record(options: Options) -> int:
    """Append what is sampled to the file and say what became of it; return the exit code."""
    panes = known_panes(options.panes)
    must_allow_bpf()
    source = batch.sampler(panes, options)
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
        replayed = f"; ktop replay {options.file} shows them" if options.file.is_file() else ""
        say(f"{how_many} recorded in {options.file}{replayed}")
    else:
        say(f"nothing was recorded in {options.file}: the first interval was not over")
    if lost:
        say(f"{lost} frames were lost: the disk was too slow")
    if writer.dropped:
        say(f"{writer.dropped} rows are not in it: they were of intervals with more than a recording takes")
    return OK
