"""What a benchmark comes to: medians with their spread, goals, and tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some runs, the least and the most."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 1) -> str:
        """Return ``median (low to high)``."""
        if self.median != self.median:
            return "–"
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """Return the Spread of ``values``; NaN where there are none."""
    if not values:
        return Spread(float("nan"), float("nan"), float("nan"))
    return Spread(statistics.median(values), min(values), max(values))


def ratios(values: Sequence[float], bases: Sequence[float]) -> Spread:
    """Return the Spread of value / base, of the same round each."""
    return spread([value / base for value, base in zip(values, bases, strict=True)])


def quantile(values: Sequence[float], q: float) -> float:
    """Return the smallest value that a share ``q`` of ``values`` does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]


@dataclass(frozen=True, slots=True)
class Goal:
    """What was asked for, what it came to, and why it was missed where it was."""

    asked: str
    found: str
    reached: bool
    reason: str = ""

    def row(self) -> tuple[str, ...]:
        """Return the line of the table of goals."""
        verdict = "reached" if self.reached else "**missed**" + (f": {self.reason}" if self.reason else "")
        return self.asked, self.found, verdict


GOALS = ("goal", "measured", "")
SHORT = ("what it costs", "ktop", "the others")


@dataclass(slots=True)
class Section:
    """The answer to one question."""

    name: str
    title: str
    method: str
    """How it was measured, in a few sentences."""
    commands: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    """Markdown: tables and remarks in order."""
    goals: list[Goal] = field(default_factory=list)
    short: list[tuple[str, str, str]] = field(default_factory=list)
    """What is worth quoting: what was measured, ktop's figure, the others'."""
    raw: dict[str, object] = field(default_factory=dict)
    """All single values, for JSON."""

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, text: bool = False) -> None:
        """Add a table."""
        self.parts.append(table(header, rows, text=text))

    def note(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(text)

    def text(self) -> str:
        """Return it as Markdown."""
        parts = [f"## {self.title}", self.method]
        if self.commands:
            parts.append("```\n" + "\n".join(self.commands) + "\n```")
        parts += self.parts
        if self.short:
            parts.append(table(SHORT, self.short, text=True))
        if self.goals:
            parts.append(table(GOALS, [goal.row() for goal in self.goals], text=True))
        return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text: bool = False) -> str:
    """Return a table in Markdown; all columns but the first are figures, or ``text``."""
    lines = [header, ["---"] + ["---" if text else "--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
