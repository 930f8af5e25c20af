"""What the least application on the same libraries costs: textual and numpy, one line, no work.

Run by the benchmarks in a terminal of its own, never imported.
"""

from __future__ import annotations

import numpy as np
from textual.app import App, ComposeResult
from textual.widgets import Static


class Idle(App[None]):
    """Shows one line."""

    def compose(self) -> ComposeResult:
        """Compose the line."""
        yield Static(f"painted {int(np.zeros(1).sum())}")


if __name__ == "__main__":
    Idle().run()
