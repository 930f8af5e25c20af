"""Which columns a table shows, where, and what stands in them.  No terminal is known here.

A column is as wide as what stands in it needs.  Room that is missing is taken
from long texts first, then from the columns that matter least; room to spare is
left at the right, or filled with columns that ask for a wider terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ktop.format import UNIT_WIDTH, V4_MAPPED, address, formatter, header, quiet, squeeze
from ktop.frame import Array, Rows
from ktop.pane import Column, Pane, Unit
from ktop.text import ELLIPSIS, cells, fit

MARGIN = 1
"""Blank cells at the left: room for the mark of the sorted column."""
_MAX_CPUS = 32
_MAX_TEXT = 48
_LEAST: Mapping[Unit, int] = {Unit.TEXT: 8, Unit.ARGS: 12, Unit.ADDRESS: 15, Unit.BY_CPU: 4}
"""What columns without a fixed width can be cut down to."""
_V4_MAPPED = np.frombuffer(V4_MAPPED, dtype=np.uint8)

PLAIN, QUIET, SORTED, ALARM = range(4)
"""The roles of a piece of a row: how it is to be painted."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A column in its place."""

    column: Column
    x: int
    """Where it begins, in cells from the left edge of the table."""
    width: int
    gap: int
    """Blank cells before it."""
    right: bool
    """Whether its cells are aligned to the right, as numbers are."""


def candidates(
    pane: Pane, rows: Rows, screen_width: int, keep: Collection[str] = (), told: Collection[str] = ()
) -> list[Column]:
    """Return the columns of ``pane`` that ``rows`` have (before there are any: all) for a screen so wide.

    Those in ``keep`` are there at any width; what need not be told where there is
    nothing to tell, as of failures, where there is, or was (``told``).
    """
    return [
        column
        for column in pane.columns
        if column.in_table
        and (not rows or column.name in rows)
        and (
            column.name in keep
            or (column.from_width <= screen_width and (column.name in told or not _is_silent(column, rows)))
        )
    ]


def _is_silent(column: Column, rows: Rows) -> bool:
    """Return whether the column would tell of what need not be, as failures in words, and there is none.

    A count of failures tells by its 0 that there are none.
    """
    if column.explains:
        return not (rows and _tells(rows[column.explains]))
    if column.ordinary:
        return not (rows and _says_more(rows[column.name], column.ordinary))
    return (
        column.alarm
        and (column.is_text or column.unit in {Unit.FLAG, Unit.SECONDS})
        and not (rows and _tells(rows[column.name]))
    )


def alarming(pane: Pane, rows: Rows) -> set[str]:
    """Return the names of the columns that tell of a failure in any of ``rows``."""
    alarms = (column.name for column in pane.columns if column.alarm and column.name in rows)
    return {name for name in alarms if _tells(rows[name])}


def _says_more(texts: Array, ordinary: bytes) -> bool:
    """Return whether any of ``texts`` is known and another than ``ordinary``."""
    if texts.dtype.kind == "S":
        return bool(((texts != ordinary) & (texts != b"")).any())
    return not {ordinary, None}.issuperset(texts.tolist())


def _tells(values: Array) -> bool:
    """Return whether any of ``values`` of an alarm column is of a failure: neither 0 nor not measured."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values)
    return bool(values.any())


def need(column: Column, values: Array) -> int:
    """Return the cells that ``column`` needs to show ``values`` and its title whole."""
    return max(column.width or _content(column.unit, values), _title(column))


def arrange(
    pane: Pane, columns: Sequence[Column], needs: Mapping[str, int], width: int, keep: Collection[str] = ()
) -> tuple[Slot, ...]:
    """Return ``columns`` in their places within ``width`` cells.

    Those that do not fit are left out: first the ones that ask for the widest
    terminals, of these the last.  What identifies a row, its first name, its
    arguments and the columns in ``keep`` stay; when even these are too much, they
    go beyond ``width``.
    """
    shown = list(columns)
    # min() takes the first of equals.
    texts = [column for column in shown if column.unit is Unit.TEXT]
    names = [min(texts, key=lambda column: column.from_width).name] if texts else []
    stay = {*keep, *pane.key, *names, *(column.name for column in shown if column.unit is Unit.ARGS)}
    least = {
        # A name that rows are told apart by is of more use than a figure more.
        column.name: min(needs[column.name], max(_least(column), 20 if column.name in pane.key else 0))
        for column in shown
    }
    while MARGIN + sum(least[column.name] + 1 for column in shown) - 1 > width:
        # max() takes the first of equals: reversed, so that it is the last column.
        victims = [column for column in reversed(shown) if column.name not in stay]
        if not victims:
            break
        shown.remove(max(victims, key=lambda column: column.from_width))
    wanted = sum(min(needs[column.name], UNIT_WIDTH[Unit.ARGS]) for column in shown)
    gap = 2 if MARGIN + wanted + 2 * (len(shown) - 1) <= width else 1
    spare = width - MARGIN - sum(least[column.name] + gap for column in shown) + gap
    widths = {}
    # Arguments come last: they take whatever is left.
    for column in sorted(shown, key=lambda column: column.unit is Unit.ARGS):
        more = max(0, min(spare, needs[column.name] - least[column.name]))
        widths[column.name] = least[column.name] + more
        spare -= more
    slots: list[Slot] = []
    x = MARGIN
    for column in shown:
        slots.append(Slot(column, x, widths[column.name], gap if slots else MARGIN, _is_right(column)))
        x += widths[column.name] + gap
    return tuple(slots)


def total_width(slots: Sequence[Slot]) -> int:
    """Return the cells that ``slots`` take in all."""
    return slots[-1].x + slots[-1].width if slots else 0


def at(slots: Sequence[Slot], x: int) -> Column | None:
    """Return the column at cell ``x``; the gap before a column belongs to it."""
    for slot in slots:
        if slot.x - slot.gap <= x < slot.x + slot.width:
            return slot.column
    return None


class RowWriter:
    """Writes rows of one table as pieces of text, each with its role."""

    def __init__(self, slots: Sequence[Slot], rows: Rows, sorted_by: str) -> None:
        """Write the columns of ``slots``; the one called ``sorted_by`` gets its own role."""
        # What does not depend on the row is looked up once: this is the hot path.
        self._cells = [
            (
                " " * slot.gap,
                rows[slot.column.name],
                self._writer(slot),
                quiet(slot.column),
                SORTED if slot.column.name == sorted_by else PLAIN,
                slot.column.alarm,
            )
            for slot in slots
        ]

    def pieces(self, position: int) -> list[tuple[str, int]]:
        """Return the row at ``position`` as texts with roles; neighbours of one role are one piece."""
        out: list[tuple[str, int]] = []
        text, last = "", PLAIN
        for gap, values, write, is_quiet, normal, alarm in self._cells:
            value = values.item(position) if values.ndim == 1 else values[position]
            role = QUIET if is_quiet(value) else normal
            # NaN is not equal to itself.
            if alarm and value and value == value:  # noqa: PLR0124 - NaN
                role = ALARM
            if role != last:
                if text:
                    out.append((text, last))
                text, last = "", role
            text += gap + write(value)
        if text:
            out.append((text, last))
        return out

    @staticmethod
    def _writer(slot: Slot) -> Callable[[Any], str]:
        """Return what writes a value as wide as ``slot`` is."""
        write, width, right = formatter(slot.column), slot.width, slot.right
        if slot.column.unit is Unit.ARGS:
            return lambda value: fit(_told_first(write(value), width), width, right=right)
        if slot.column.is_text:
            return lambda value: fit(write(value), width, right=right)
        place = str.rjust if right else str.ljust
        # Each row has its own scale: it says where, and the count beside it how often.
        narrow = slot.column.unit is Unit.BY_CPU

        def written(value: Any) -> str:
            text = write(squeeze(value, width) if narrow else value)
            # Every character of figures and bars takes one cell.
            return place(text, width) if len(text) <= width else fit(text, width, right=right)

        return written


def _told_first(arguments: str, width: int) -> str:
    """Return ``arguments`` without the program's directory where they need more than ``width`` cells."""
    program, blank, rest = arguments.partition(" ")
    if cells(arguments) <= width or program.count("/") < 2 or not program.startswith("/"):
        return arguments
    return f"{ELLIPSIS}/{program.rpartition('/')[2]}{blank}{rest}"


def _least(column: Column) -> int:
    return max(_LEAST.get(column.unit, 1 << 30), _title(column))


def _title(column: Column) -> int:
    """Return the cells of the title, and of the mark behind one aligned left; others have it in the gap."""
    return cells(header(column)) + (not _is_right(column) and column.unit is not Unit.HISTOGRAM)


def _is_right(column: Column) -> bool:
    return not (column.is_text or column.unit in {Unit.BY_CPU, Unit.FLAG, Unit.HISTOGRAM})


def _content(unit: Unit, values: Array) -> int:
    """Return the cells that the widest of ``values`` needs.

    Text counts by its bytes: one that is longer only because it had to be
    escaped is cut, and takes no room from the others.
    """
    if unit not in _MEASURED:
        return UNIT_WIDTH[unit]
    return _MEASURED[unit](values) if len(values) else 1


def _number_width(values: Array) -> int:
    if values.dtype.kind not in "iu":
        return UNIT_WIDTH[Unit.NUMBER]
    return max(len(str(values.max())), len(str(values.min())))


def _text_width(values: Array) -> int:
    if values.dtype.kind == "S":
        return min(_MAX_TEXT, int(np.char.str_len(values).max()))
    return min(_MAX_TEXT, _args_width(values))


def _args_width(values: Array) -> int:
    # Room for the quotes of one argument; more are rare, and then the end is cut.
    return max(len(item) + 2 if item is not None else 1 for item in values.tolist())


def _bars_width(values: Array) -> int:
    return min(int(values.shape[1]), _MAX_CPUS)


def _address_width(values: Array) -> int:
    if values.dtype.kind == "O":  # not measured
        return 1
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    mapped = (raw[:, :12] == _V4_MAPPED).all(axis=1)
    four = raw[mapped, 12:]
    digits = 1 + (four >= 10) + (four >= 100)
    widest = int(digits.sum(axis=1).max()) + 3 if len(four) else 0
    return max([widest, *(len(address(item)) for item in set(values[~mapped].tolist()))])


_MEASURED: Mapping[Unit, Callable[[Array], int]] = {
    Unit.NUMBER: _number_width,
    Unit.TEXT: _text_width,
    Unit.ARGS: _args_width,
    Unit.ADDRESS: _address_width,
    Unit.BY_CPU: _bars_width,
}
"""The units whose width depends on the values."""
