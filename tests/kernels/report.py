"""What the kernels said, as a table for people and as JSON for programs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.excuses import excuse
from tests.kernels.boot import Boot
from tests.kernels.closing import Counts

CONSOLE_LINES = 200


def summarise(boots: Sequence[Boot]) -> dict[str, Any]:
    """Return the report: by kernel and pane the variants or the reason, and the tests."""
    kernels = []
    for boot in boots:
        tests = [record for record in boot.records if record["kind"] == "test"]
        panes = {
            record["pane"]: _pane(record, boot.release)
            | _outcomes([each for each in tests if each["file"] == record["pane"]])
            for record in boot.records
            if record["kind"] == "pane"
        }
        others = [test for test in tests if test["file"] not in panes]
        kernels.append(
            {
                "version": boot.version,
                "release": boot.release,
                "seconds": round(boot.seconds),
                "failure": boot.failure,
                "panes": panes,
                "others": _outcomes(others),
            }
        )
    return {"date": dt.datetime.now(tz=dt.UTC).date().isoformat(), "kernels": kernels}


def counts(kernel: dict[str, Any]) -> Counts:
    """Return one kernel's tests; a pane's defect is a failure, and so is a guest that did not end well."""
    parts = [kernel["others"], *kernel["panes"].values()]
    defects = sum(bool(part.get("defect")) for part in parts)
    return Counts(
        sum(part["passed"] for part in parts),
        sum(len(part["failed"]) for part in parts) + defects + (kernel["failure"] is not None),
        sum(len(part["skipped"]) for part in parts),
    )


def as_text(report: dict[str, Any]) -> str:
    """Return the table, then what failed and why."""
    rows = [("KERNEL", "PANE", "RESULT", "VARIANTS OR REASON")]
    notes = []
    for kernel in report["kernels"]:
        label = f"{kernel['version']} ({kernel['release']})"
        if kernel["failure"]:
            rows.append((label, "", "FAILED", kernel["failure"]))
        for name, pane in kernel["panes"].items():
            rows.append((label, name, _result(pane), _how(pane)))
            notes += [f"{kernel['version']} {name}: {test}\n{why}" for test, why in pane["failed"].items()]
        rows.append((label, "(the rest)", _result(kernel["others"]), f"{kernel['seconds']} s"))
        failed = kernel["others"]["failed"]
        notes += [f"{kernel['version']}: {test}\n{why}" for test, why in failed.items()]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    lines = [
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    return "\n".join([*notes, *lines])


def console_of(boot: Boot) -> str:
    """Return the end of what the guest's console showed."""
    lines = boot.console.splitlines()[-CONSOLE_LINES:]
    return "\n".join([f"== the console of {boot.version}", *lines])


def write(report: dict[str, Any], place: Path) -> None:
    """Write report.json."""
    (place / "report.json").write_text(json.dumps(report, indent=1) + "\n")


def _pane(record: dict[str, Any], release: str) -> dict[str, Any]:
    reason, defect = record.get("unavailable"), record.get("defect")
    major, minor = (int(number) for number in release.split(".")[:2])
    machine = "aarch64" if release.endswith("arm64") else "x86_64"
    words = excuse(record["pane"], machine, (major, minor))
    if reason and (words is None or words not in reason):
        defect = defect or f"not to be expected: {reason}"
    return {
        "unavailable": reason,
        "variants": record.get("variants", {}),
        "refused": record.get("refused", {}),
        "defect": defect,
    }


def _outcomes(tests: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "passed": sum(test["outcome"] == "passed" for test in tests),
        "skipped": {test["name"]: test["why"] for test in tests if test["outcome"] == "skipped"},
        "failed": {test["name"]: test["why"] for test in tests if test["outcome"] == "failed"},
    }


def _result(part: dict[str, Any]) -> str:
    counts = f"{part['passed']} passed"
    if part["skipped"]:
        counts += f", {len(part['skipped'])} skipped"
    if part["failed"]:
        counts += f", {len(part['failed'])} FAILED"
    if part.get("defect"):
        counts += ", DEFECT"
    return counts


def _how(pane: dict[str, Any]) -> str:
    if pane["defect"]:
        return str(pane["defect"])
    if pane["unavailable"]:
        return f"none: {pane['unavailable']}"
    return " ".join(name for name in pane["variants"].values())
