"""Lines on standard output.

For those who sample first: all of it is imported by then, for the descriptors may be used up.
"""

from __future__ import annotations

from collections.abc import Sequence

from ktop.cli.streams import STDOUT, cannot_write, encoding
from ktop.export.output import write_all


def print_lines(lines: Sequence[str]) -> None:
    """Write ``lines`` to stdout; BrokenPipeError when the reader left, Failure for any other reason."""
    try:
        write_all(STDOUT, "".join(f"{line}\n" for line in lines).encode(encoding(), "replace"))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(error) from None
