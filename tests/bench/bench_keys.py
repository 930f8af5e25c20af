"""From a key press to the changed screen, with 10,000 rows that all change each second.

    .venv/bin/python -m tests.bench.bench_keys [PRESSES]

Goal: at most 50 ms at the 99th percentile.  A press counts as shown when the
line in the cursor's colours carries the name of the row that the cursor must
now be on; presses come at random moments, so they meet ticks, too.
"""

from __future__ import annotations

import random
import re
import statistics
import sys
import time
from collections.abc import Iterable

from tests.bench.many_rows import ROWS, name
from tests.bench.pty_app import PtyApp

MANY = (sys.executable, "-m", "tests.bench.many_rows")
DOWN, UP, END, HOME = b"j", b"k", b"G", b"g"
PAGE = b"\x1b[6~"


def presses(number: int) -> Iterable[tuple[bytes, int | None]]:
    """Yield keys and the row that each leads to; None where the page's height decides."""
    at = 0
    for index in range(number):
        if index % 20 == 10:
            at = ROWS - 1
            yield END, at
        elif index % 20 == 15:
            at = 0
            yield HOME, at
        elif index % 20 == 16:
            yield PAGE, None
            at = -1
        elif at == -1:
            at = 0
            yield HOME, at
        elif at == ROWS - 1 or 10 < index % 20 < 15:
            at -= 1
            yield UP, at
        else:
            at += 1
            yield DOWN, at


def line(style: bytes, row: int | None) -> re.Pattern[bytes]:
    """Return what the line of ``row`` begins with in colours that match ``style``; None: not the first."""
    cells = rb"\d+  row-(?!00000)" if row is None else b"%d  %s" % (row + 1, name(row).encode())
    return re.compile(rb"\x1b\[(%s)m *%s" % (style, cells))


def cursor_style(app: PtyApp) -> bytes:
    """Return the colours of the cursor's line, by moving it down and up again."""
    found = []
    for key, row in ((DOWN, 1), (UP, 0)):
        app.press(key)
        app.wait_match(line(rb"[0-9;]*", row))
        match = line(rb"[0-9;]*", row).search(app.output)
        assert match is not None
        found.append(match[1])
        time.sleep(0.5)
    assert found[0] == found[1], "a tick came between: start again"
    return re.escape(found[0])


def main() -> None:
    """Print the percentiles."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    moments = random.Random(1)
    times: dict[bytes, list[float]] = {}
    with PtyApp(MANY) as app:
        app.wait_for(name(20).encode())
        time.sleep(3)
        style = cursor_style(app)
        for key, row in presses(number):
            time.sleep(moments.uniform(0.05, 0.2))
            before = app.press(key)
            shown = app.wait_match(line(style, row))
            times.setdefault(key, []).append(1e3 * (shown - before))
    every = sorted(value for values in times.values() for value in values)
    for key, values in [*times.items(), (b"all", every)]:
        ordered = sorted(values)
        p99 = ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)]
        print(f"{key!r:12} {len(ordered):4} p50 {statistics.median(ordered):6.1f} ms  p99 {p99:6.1f} ms")
    print("goal: p99 50 ms")


if __name__ == "__main__":
    main()
