"""The README's table of kernels, from the matrix's own report: ``python -m tests.kernels.readme``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.kernels.packages import cache_directory

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- kernels: made by tests/kernels/readme.py -->", "<!-- kernels: end -->"


def as_markdown(report: dict[str, Any]) -> str:
    """Return the table, and where a kernel's hooks are not the newest one's."""
    kernels = report["kernels"]
    panes = list(kernels[0]["panes"])
    lines = [
        f"On {report['date']} `bin/test --kernels` ran the tests of the real kernel on these of Debian's,",
        "emulated; in each cell how many passed.",
        "",
        f"| kernel | {' | '.join(panes)} |",
        f"|---{'|---' * len(panes)}|",
    ]
    for kernel in kernels:
        cells = " | ".join(_cell(kernel["panes"][pane]) for pane in panes)
        lines.append(f"| {kernel['release']} | {cells} |")
    newest = next((kernel for kernel in kernels if kernel["version"] == "newest"), kernels[-1])
    lines += ["", f"Hooks that are not those of {newest['release']}:", ""]
    for kernel in kernels:
        other = [
            f"{pane} `{'`, `'.join(sorted(variants))}`"
            for pane in panes
            if (variants := _variants(kernel["panes"][pane]) - _variants(newest["panes"][pane]))
        ]
        if kernel is not newest:
            lines.append(f"- {kernel['release']}: {'; '.join(other) or 'none'}")
    return "\n".join(lines)


def _cell(pane: dict[str, Any]) -> str:
    counts = str(pane["passed"])
    if pane["failed"] or pane["defect"]:
        return f"{counts}, **{len(pane['failed'])} failed**"
    if pane["unavailable"]:
        return f"{counts} (not live: {'no fentry' if 'fexit' in pane['unavailable'] else 'no PMU'})"
    return counts


def _variants(pane: dict[str, Any]) -> set[str]:
    return set(pane["variants"].values())


def main() -> None:
    """Put the table of the last run between its marks."""
    report = json.loads((cache_directory() / "report.json").read_text())
    text = README.read_text()
    block = f"{BEGIN}\n{as_markdown(report)}\n{END}"
    new, count = re.subn(
        rf"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _match: block, text, flags=re.DOTALL
    )
    if not count:
        raise SystemExit(f"{README} has no place for it: {BEGIN} {END}")
    README.write_text(new)


if __name__ == "__main__":
    main()
