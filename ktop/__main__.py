"""``python -m ktop``."""

from __future__ import annotations

import sys

try:
    from ktop.cli.main import command

    command()
except KeyboardInterrupt:  # while modules are imported; later main says the same
    sys.exit("ktop: interrupted")
