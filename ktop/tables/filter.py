"""The language of ``/``: which rows are shown.

Terms stand between spaces, and a row must satisfy all of them::

    nginx               any text of the row has it, upper or lower case; a number is also a PID, a port ...
    "two words"         the same with spaces, or with characters that mean something here
    pid:12,34           one of the numbers
    comm:post*,redis    one of the names; * and ? stand for any characters
    p99_us>10ms         < > <= >= = with the units of the column (10ms, 1M, 50%)
    !term               rows that do not satisfy the term

A column goes by its name, its title, or its name without the unit.  A term that
names a column a pane lacks is ignored there, and ``Filter.ignored`` says so.
Nothing compares with a number that was not measured: such rows are hidden, by
``!term`` and ``!=`` as well.  Text that is not known is empty.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ktop.format import address
from ktop.frame import Array, Rows, length
from ktop.pane import Column, Pane, Unit
from ktop.text import escape

_TOKEN = re.compile(r'!*(?:"[^"]*"|[^\s"])+')
_TERM = re.compile(r"([^\W\d]\w*)(:|>=|<=|!=|==|=|>|<)(.*)", re.DOTALL)
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)([a-zµμ%]*)")
_IN_ADDRESS = re.compile(r"[0-9a-fA-F:.]+")
_UNIT_SUFFIX = re.compile(r"_(us|s|bytes|ratio)$")

_COMPARE: dict[str, Callable[[Array, float], Array]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}

_TIMES = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "min": 6e7, "h": 3.6e9}
_BYTES = {"b": 1.0} | {
    letter + end: 1024.0**power for power, letter in enumerate("kmgtp", start=1) for end in ("", "b", "ib")
}
_SCALES: dict[Unit, dict[str, float]] = {
    Unit.NUMBER: {"": 1.0},
    Unit.TIME: {"": 1.0},
    Unit.COUNT: {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12},
    Unit.BYTES: {"": 1.0} | _BYTES,
    Unit.US: {"": 1.0} | _TIMES,
    Unit.SECONDS: {"": 1.0} | {suffix: scale / 1e6 for suffix, scale in _TIMES.items()},
    Unit.RATIO: {"": 1.0, "%": 0.01},
    Unit.FLAG: {"": 1.0},
}
_EXAMPLES = {
    Unit.FLAG: "yes or no",
    Unit.US: "a time such as 10ms",
    Unit.SECONDS: "a time such as 10ms",
    Unit.BYTES: "a size such as 1M",
    Unit.RATIO: "a ratio such as 50%",
}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_LOWER = bytes(range(256)).lower().replace(b"\0", b" ")
"""For bytes.translate: ASCII in lower case, and arguments with spaces between them."""
_TEXTS = frozenset({Unit.TEXT, Unit.ARGS, Unit.STACK, Unit.ADDRESS})

_NAMED = _TEXTS | _SCALES.keys()
"""The units of columns that a term can name."""


class FilterError(ValueError):
    """The text is no filter; the message says why in one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; ``column`` is empty for plain text."""

    text: str
    """As it was typed."""
    value: str
    column: str = ""
    operator: str = ""
    """``:`` (one of a list) or a comparison; empty for plain text."""
    negated: bool = False

    def applies(self, pane: Pane) -> bool:
        """Return whether ``pane`` has what the term speaks of."""
        if self.column:
            return bool(_find(pane, self.column))
        return any(_is_searched(column, self.value) for column in pane.columns)

    def mask(self, pane: Pane, rows: Rows) -> Array | None:
        """Return bool, shape (rows,): which satisfy the term; None where it does not apply."""
        measured = np.ones(length(rows), dtype=bool)
        if self.column:
            found: Array | None = None
            for column in _find(pane, self.column):
                if column.name in rows:
                    here = self._by_column(column, rows[column.name])
                    found = here if found is None else found | here
                    if column.unit not in _TEXTS:
                        measured &= ~np.isnan(_numbers(rows[column.name]))
        else:
            found = self._anywhere(pane, rows)
        if found is None:
            return None
        return ~found & measured if self.negated else found

    def _anywhere(self, pane: Pane, rows: Rows) -> Array | None:
        found: Array | None = None
        accepts = _containing(self.value)
        plain = self.value.isascii() and "\\" not in self.value
        for column in pane.columns:
            if column.name not in rows or not _is_searched(column, self.value):
                continue
            values = rows[column.name]
            if column.unit is Unit.NUMBER:
                here = _numbers(values) == float(self.value)
            elif plain and column.unit in {Unit.TEXT, Unit.ARGS}:
                here = _by_bytes(values, self.value.lower().encode())
            else:
                here = _by_text(column, values, accepts)
            found = here if found is None else found | here
        return found

    def _by_column(self, column: Column, values: Array) -> Array:
        parts = self.value.split(",") if self.operator == ":" else [self.value]
        if column.unit in _TEXTS:
            if self.operator in _COMPARE:
                return np.zeros(len(values), dtype=bool)
            return _by_text(column, values, _like([part for part in parts if part]))
        wanted = [amount for part in parts if (amount := _amount(part, column.unit)) is not None]
        numbers = _numbers(values)
        if self.operator in _COMPARE:
            # A comparison with NaN is false, which is meant.
            with np.errstate(invalid="ignore"):
                return _COMPARE[self.operator](numbers, wanted[0] if wanted else np.nan)
        return np.isin(numbers, wanted)


@dataclass(frozen=True, slots=True)
class Filter:
    """What was typed, understood.  False when it has no terms: all rows are shown."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to filter by."""
        return bool(self.terms)

    def applies(self, pane: Pane) -> bool:
        """Return whether every term means something in ``pane``."""
        return not self.ignored(pane)

    def ignored(self, pane: Pane) -> tuple[str, ...]:
        """Return the terms, as typed, that ``pane`` has no column for: they hide nothing there."""
        return tuple(term.text for term in self.terms if not term.applies(pane))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the names of what looks like columns, and is looked for as text: no pane has them."""
        named = (_TERM.fullmatch(term.text.lstrip("!")) for term in self.terms if not term.column)
        return tuple(match[1] for match in named if match and not _IN_ADDRESS.fullmatch(match[1]))

    def for_totals(self, pane: Pane) -> tuple[Filter, Filter]:
        """Return what of it applies to rows before they are added up to those of ``pane``, and what after.

        Text and what totals do not have is of the rows.
        """
        after = tuple(term for term in self.terms if term.column and term.applies(pane))
        before = tuple(term for term in self.terms if term not in after)
        return Filter(self.text, before), Filter(self.text, after)

    def mask(self, pane: Pane, rows: Rows) -> Array:
        """Return bool, shape (rows,): which of ``rows`` satisfy every term that applies to ``pane``."""
        shown = np.ones(length(rows), dtype=bool)
        for term in self.terms:
            found = term.mask(pane, rows)
            if found is not None:
                shown &= found
        return shown


def parse(text: str, panes: Collection[Pane] = ()) -> Filter:
    """Return the filter that ``text`` means.

    With ``panes`` (all that there are) columns are checked as well: a name none
    of them has is an error in a comparison, and plain text before ``:`` or ``=``
    (``fe80::1``).  Raises FilterError.
    """
    if text.count('"') % 2:
        raise FilterError('A quotation mark is open: add the second ".')
    return Filter(text.strip(), tuple(_term(token, panes) for token in _TOKEN.findall(text)))


def _term(token: str, panes: Collection[Pane]) -> Term:
    body = token.lstrip("!")
    negated = (len(token) - len(body)) % 2 == 1
    if not body.replace('"', ""):
        raise FilterError(f"Nothing stands after {token[:1]} to look for.")
    if body[0] in "<>=":
        raise FilterError(f"A column stands before {body[0]}, without a space: p99_us>10ms.")
    match = _TERM.fullmatch(body)
    if match is None:
        return Term(token, body.replace('"', ""), negated=negated)
    name, operator, value = match.group(1), match.group(2), match.group(3).replace('"', "")
    columns = [column for pane in panes for column in _find(pane, name)]
    if panes and not columns:
        if operator in {":", "=", "=="}:
            return Term(token, body.replace('"', ""), negated=negated)
        raise FilterError(f"No pane has a column {escape(name)}.")
    if operator == ":" and value.startswith(":") and not columns:
        return Term(token, body.replace('"', ""), negated=negated)  # an IPv6 address
    if not value.strip(","):
        raise FilterError(f"A value is missing after {escape(name + operator)}")
    if operator == "!=":
        operator, negated = "=", not negated
    term = Term(token, value, name, "=" if operator == "==" else operator, negated)
    _check(term, columns)
    return term


def _check(term: Term, columns: list[Column]) -> None:
    """Raise FilterError unless the value suits one of ``columns`` at least."""
    name, value = escape(term.column), escape(term.value)
    if term.operator in _COMPARE and not _NUMBER.fullmatch(term.value.lower()):
        raise FilterError(f"{name}{term.operator} needs a number, not {value}.")
    if not columns:
        return
    units = {column.unit for column in columns}
    if units <= _TEXTS:
        if term.operator in _COMPARE:
            raise FilterError(f"{name} is text: look for it with {name}:{value}.")
        return
    parts = [part for part in term.value.split(",") if part] if term.operator == ":" else [term.value]
    suits = any(all(_amount(part, unit) is not None for part in parts) for unit in units - _TEXTS)
    if not units & _TEXTS and not suits:
        raise FilterError(f"{name} is {_wanted(units)}, not {value}.")


def _wanted(units: set[Unit]) -> str:
    for unit, words in _EXAMPLES.items():
        if unit in units:
            return words
    return "a number"


def _find(pane: Pane, name: str) -> list[Column]:
    """Return the columns of ``pane`` that a user calls ``name``: more than one where a title is no name."""
    name = name.lower()
    plain = name.replace("_", "")
    known = [column for column in pane.columns if not column.hidden and column.unit in _NAMED]
    for called in (_name, _title, _short):
        if found := [column for column in known if called(column) in {name, plain}]:
            return found
    return []


def _name(column: Column) -> str:
    return column.name.lower()


def _title(column: Column) -> str:
    return column.title.lower().replace(" ", "")


def _short(column: Column) -> str:
    return _UNIT_SUFFIX.sub("", column.name.lower())


def _is_searched(column: Column, needle: str) -> bool:
    """Return whether plain text is looked for in ``column``."""
    if column.hidden:
        return False
    if column.unit is Unit.NUMBER:
        return needle.isascii() and needle.isdecimal()
    if column.unit is Unit.ADDRESS:
        return _IN_ADDRESS.fullmatch(needle) is not None
    return column.unit in _TEXTS


def _amount(text: str, unit: Unit) -> float | None:
    """Return what ``text`` is in ``unit``, the unit of the column's values; None if it is nothing."""
    text = text.lower()
    if unit is Unit.FLAG and text in _WORDS:
        return _WORDS[text]
    match = _NUMBER.fullmatch(text)
    scale = _SCALES[unit].get(match.group(2)) if match else None
    if match is None or scale is None:
        return None
    value = float(match.group(1)) * scale
    # Ratios are shown in per cent, so "hit_ratio<50" can only mean that.
    return value / 100 if unit is Unit.RATIO and value >= 1 and not match.group(2) else value


def _numbers(values: Array) -> Array:
    """Return ``values`` as numbers; None, which was not measured, as NaN."""
    return values.astype(np.float64) if values.dtype.kind == "O" else values


def _by_bytes(values: Array, needle: bytes) -> Array:
    """Return bool, shape (rows,): which have ``needle`` (ASCII, lower case) in their bytes.

    The fast way: plain letters are found in the bytes as they are in what is shown.
    """
    found = [item is not None and needle in item.translate(_LOWER) for item in values.tolist()]
    return np.fromiter(found, dtype=bool, count=len(found))


def _by_text(column: Column, values: Array, accepts: Callable[[str], bool]) -> Array:
    """Return bool, shape (rows,): of which the text, as shown and in lower case, is accepted."""
    shown = _shown(column)
    items = values.tolist()
    if column.unit is Unit.STACK:
        return np.fromiter((accepts(shown(item)) for item in items), dtype=bool, count=len(items))
    # Each distinct text is looked at once.
    verdict = {item: accepts(shown(item)) for item in set(items)}
    return np.fromiter(map(verdict.__getitem__, items), dtype=bool, count=len(items))


def _shown(column: Column) -> Callable[[Any], str]:
    """Return how the column's values are written, in lower case and without quotes."""
    if column.unit is Unit.ADDRESS:
        return lambda value: "" if value is None else address(value)
    if column.unit is Unit.STACK:
        return lambda value: "" if value is None else " ".join([escape(name) for name in value]).lower()
    if column.unit is Unit.ARGS:
        return lambda value: "" if value is None else escape(value.rstrip(b"\0").replace(b"\0", b" ")).lower()
    return lambda value: "" if value is None else escape(value).lower()


def _containing(needle: str) -> Callable[[str], bool]:
    """Return a test for ``needle`` in a text, as it is shown or as its bytes are."""
    plain, escaped = needle.lower(), escape(needle).lower()
    if plain == escaped:
        return lambda text: plain in text
    return lambda text: plain in text or escaped in text


def _like(patterns: list[str]) -> Callable[[str], bool]:
    """Return a test for texts that are, as a whole, like one of ``patterns``."""
    both = {form.lower() for pattern in patterns for form in (pattern, escape(pattern))}
    # To fnmatch brackets mean something, here they do not.
    translated = (fnmatch.translate(pattern.replace("[", "[[]")) for pattern in sorted(both))
    match = re.compile("|".join(translated)).match
    return lambda text: match(text) is not None
