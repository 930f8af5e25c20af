"""Files of /proc that hold numbers by name."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"^([^:\s]+):?[ \t]+(\d+)( kB)?", re.MULTILINE)


def numbers(name: str) -> dict[str, int]:
    """Return the first number of each line of /proc/NAME by its label, ``kB`` as bytes.

    For files such as meminfo and vmstat.  OSError when there is no such file.
    """
    with open(f"/proc/{name}", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - at every tick
        found = _NUMBER.findall(file.read())
    return {label: int(number) * 1024 if unit else int(number) for label, number, unit in found}
