"""`ktop keys`: every key and what it does, as the file that can give them others."""

from __future__ import annotations

from ktop.cli import key_file
from ktop.cli.ending import OK, Failure
from ktop.cli.options import Options
from ktop.cli.printing import print_lines


def keys(_options: Options) -> int:
    """Print the keys in force; return the exit code."""
    from ktop.ui.keymap import template

    own, hosts = key_file.places()
    try:
        keymap = key_file.load((own, hosts))
    except key_file.KeyFileError as error:
        raise Failure(f"{error}: mend or remove it") from None
    print_lines(
        [
            f"# Keys of ktop.  Lines of this that you put, changed, into {own}",
            f"# (or into {hosts}, for whoever has none of their own) give other keys.",
            "# ctrl+c leaves, whatever is written there.",
            *template(keymap),
        ]
    )
    return OK
