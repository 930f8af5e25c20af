"""The lines at the top: which host, how it fares, which moment is shown, and whether that is the last."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ktop.format import NOT_MEASURED, clock, size
from ktop.source import HOST, Identity
from ktop.text import escape
from ktop.ui.blocks import Parts, cells, ends
from ktop.ui.bridge import Arrived, Bridge
from ktop.ui.line_widget import Drawn
from ktop.ui.palette import Palette, Words
from ktop.ui.view import View

WIDE = 116
"""From this many columns on there is room for meters and words in full."""
METER_CELLS = 10


class Header(Drawn):
    """Host and load in two lines, from the HOST Frames; a third one when no more of them come."""

    DEFAULT_CSS = "Header { height: 2; } Header.-ended { height: 3; }"

    def __init__(self, identity: Identity, bridge: Bridge, view: View) -> None:
        """Show the host of ``identity`` at the moment of ``view``."""
        super().__init__()
        self._identity = identity
        self._bridge = bridge
        self._view = view

    def on_mount(self) -> None:
        """Follow the host's Frames."""
        self._bridge.watch(HOST, self)
        self._make_room()

    def on_unmount(self) -> None:
        """Follow them no longer."""
        self._bridge.unwatch(self)

    def on_arrived(self, _event: Arrived) -> None:
        """Draw the newest figures."""
        self._make_room()
        self.redraw()

    def _make_room(self) -> None:
        """Have a line for the reason where the source has failed."""
        self.set_class(self._bridge.ended is not None, "-ended")

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the lines."""
        del height  # it is as many as there are
        # Before the first Frame there is no history, and none must be made for the first paint.
        frame = self._bridge.newest(HOST) if self._bridge.now else None
        figures = frame.host if frame is not None else {}
        at = frame.ts if frame is not None else None
        who, when = self._who(figures, width), self._when(at)
        # What is known anyway is the first to go: states of what is shown must not get lost.
        if cells(who) + 1 + cells(when) > width:
            when = self._when(at, often=False)
        if cells(who) + 1 + cells(when) > width:
            who = self._who(figures, width, age=False)
        load = _load(figures, width)
        if cells(load) > width:
            # A host with much to say needs the room of the meters.
            load = _load(figures, min(width, WIDE - 1))
        lines = [ends(look.parts(who), look.parts(when), width), look.parts(load)]
        if self._bridge.ended is not None:
            why = escape(self._bridge.ended)
            what = " replay ended " if self._identity.recorded else " no more figures "
            lines.append(look.parts([(what, "warn bold reverse"), (f"  {why}", "warn")]))
        return lines

    def _who(self, figures: Mapping[str, float], width: int, *, age: bool = True) -> Words:
        """Return name, kernel, CPUs and, with ``age``, uptime of the host."""
        identity = self._identity
        words = [
            ("ktop ", "muted"),
            (escape(identity.hostname), "strong bold"),
            ("  " + escape(identity.kernel), "muted"),
        ]
        if width >= WIDE:
            cpus = figures.get("cpus", math.nan)
            words.append((f"  {identity.cpus if math.isnan(cpus) else cpus:.0f} CPUs", "muted"))
        if age:
            words += [("  up ", "muted"), (uptime(figures.get("uptime_s", math.nan)), "")]
        if not identity.all_processes:
            words.append(("  own PID namespace" if width >= WIDE else "  own PIDs", "warn bold"))
        if identity.recorded:
            words.append(("  recording", "warn bold"))
        return words

    def _when(self, shown: float | None, *, often: bool = True) -> Words:
        """Return the moment shown, how far back it is, and, with ``often``, the interval."""
        view = self._view
        words: list[tuple[str, str]] = []
        if view.at is not None:
            back = max(self._bridge.now - view.at, 0.0)
            held = f"{ago(back)} · paused" if view.is_reached(self._bridge.now) else "reading …"
            words += [(f" {held} ", "warn bold reverse"), ("  ", "")]
        at = view.at if view.at is not None else shown
        time = clock(at) if at else NOT_MEASURED
        interval_s = self._identity.recorded_s or view.interval_s
        if interval_s != view.interval_s:
            speed = interval_s / view.interval_s
            words += [("played ", "muted"), (f"{speed:.2g}×  " if speed < 10 else f"{speed:.0f}×  ", "")]
        if not often:
            return [*words, (time, "")]
        return [*words, ("every ", "muted"), (f"{interval_s:g} s  {time}", "")]


PRESSURE = 0.10, 0.40
"""Shares of time in which tasks waited from which that is worth a look, and is bad."""


def _load(figures: Mapping[str, float], width: int) -> Words:
    """Return the second line: load, CPU, memory, pressure."""
    wide = width >= WIDE
    gap = "    " if wide else "  "
    load = " ".join(_number(figures.get(name)) for name in ("load1", "load5", "load15"))
    words = [("load ", "muted"), (load, "")]
    words += [(gap + "cpu ", "muted"), *_share(figures.get("cpu_ratio"), 0.75, 0.95, meter=wide)]
    used, total = figures.get("memory_used_bytes"), figures.get("memory_total_bytes")
    share = used / total if used is not None and total else None
    words.append((gap + "mem ", "muted"))
    if wide:
        words += [*_meter(share, 0.85, 0.95), (" ", "")]
    words.append((f"{_bytes(used)}/{_bytes(total)}", _alarm(share, 0.85, 0.95)))
    swap = figures.get("swap_used_bytes")
    if swap and width >= 100:
        words += [(gap + "swap ", "muted"), (_bytes(swap), "")]
    if any(f"pressure_{name}" in figures for name in ("cpu", "io", "memory")):
        words.append((gap + ("pressure" if width >= 90 else "psi"), "muted"))
        for name, label in (("cpu", " cpu "), ("io", "  io "), ("memory", "  mem ")):
            words += [(label, "muted"), *_share(figures.get(f"pressure_{name}"), *PRESSURE)]
    return words


def _share(value: float | None, warn: float, hot: float, *, meter: bool = False) -> Words:
    """Return a share in per cent, coloured from ``warn`` and ``hot`` on, behind a meter when asked for."""
    if value is None or math.isnan(value):
        return [(f"{NOT_MEASURED:>2} ", "muted")]
    text = (f"{100 * value:2.0f}%", _alarm(value, warn, hot))
    return [*_meter(value, warn, hot), (" ", ""), text] if meter else [text]


def _meter(value: float | None, warn: float, hot: float) -> Words:
    """Return a bar of METER_CELLS cells."""
    filled = 0 if value is None or math.isnan(value) else round(min(max(value, 0.0), 1.0) * METER_CELLS)
    style = _alarm(value, warn, hot) or "series-1"
    return [("━" * filled, style), ("─" * (METER_CELLS - filled), "faint")]


def pressure_style(value: float | None) -> str:
    """Return the style of a share of time in which tasks waited: none while that is little."""
    return _alarm(value, *PRESSURE)


def _alarm(value: float | None, warn: float, hot: float) -> str:
    """Return the style for ``value``: none while all is well."""
    if value is None or math.isnan(value) or value < warn:
        return ""
    return "warn" if value < hot else "hot bold"


def _number(value: float | None) -> str:
    """Return a load with three significant digits: more took the room of the pressures where it was high."""
    if value is None or math.isnan(value):
        return NOT_MEASURED
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def _bytes(value: float | None) -> str:
    return NOT_MEASURED if value is None or math.isnan(value) else size(value)


def uptime(seconds: float) -> str:
    """Return ``12d 04:00`` for a number of seconds."""
    if math.isnan(seconds):
        return NOT_MEASURED
    minutes = int(seconds) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days}d {hours:02d}:{minutes % 60:02d}" if days else f"{hours}:{minutes % 60:02d}"


def ago(seconds: float) -> str:
    """Return ``-00:42`` for a moment 42 seconds ago."""
    whole = round(seconds)
    return f"-{whole // 60:02d}:{whole % 60:02d}"
