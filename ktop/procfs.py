"""Files of /proc that hold numbers by name."""

from __future__ import annotations

from pathlib import Path


def numbers(name: str) -> dict[str, int]:
    """Return the first number of each line of /proc/NAME by its label, ``kB`` as bytes.

    For files such as meminfo and vmstat.  OSError when there is no such file.
    """
    found: dict[str, int] = {}
    for line in Path("/proc", name).read_text(encoding="ascii", errors="replace").splitlines():
        label, _, rest = line.replace(":", " ", 1).partition(" ")
        words = rest.split()
        if words and words[0].isdigit():
            found[label] = int(words[0]) * (1024 if words[-1] == "kB" else 1)
    return found
