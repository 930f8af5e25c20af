"""What the matrix of kernels says in the end, without a kernel."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.kernels import report
from tests.kernels.boot import Boot, _how_it_ended
from tests.kernels.closing import Counts, of_suite
from tests.kernels.readme import as_markdown

PANES: list[dict[str, Any]] = [
    {"kind": "pane", "pane": "biotop", "variants": {"start": "start__tp_btf"}},
    {"kind": "pane", "pane": "llcstat", "unavailable": "references: no hardware counters (PMU)"},
]


def ran(*outcomes: str, file: str = "biotop"):
    return [
        {"kind": "test", "file": file, "name": f"test_{number}", "outcome": outcome, "why": "because"}
        for number, outcome in enumerate(outcomes)
    ]


def counts_of(*records, failure: str | None = None) -> Counts:
    boot = Boot("6.12", "6.12.1-cloud-amd64", list(records), failure=failure)
    return report.counts(report.summarise([boot])["kernels"][0])


def test_all_tests_are_counted_those_of_no_pane_too():
    found = counts_of(*PANES, *ran("passed", "skipped", "failed"), *ran("passed", file="loader"))
    assert found == Counts(2, 1, 1)


def test_what_is_no_tests_failure_is_one_all_the_same():
    assert counts_of(*PANES, *ran("passed"), failure="not done after 900 s").failed == 1
    assert counts_of({"kind": "pane", "pane": "biotop", "defect": "left behind: [3]"}).failed == 1
    # Only llcstat has an excuse.
    assert counts_of({"kind": "pane", "pane": "biotop", "unavailable": "start__tp_btf: ESRCH"}).failed == 1
    assert counts_of(*PANES) == Counts(0, 0, 0)


def test_a_guest_that_did_not_run_its_tests_says_so():
    assert _how_it_ended([{"kind": "end", "code": 0}]) is None
    assert _how_it_ended([{"kind": "end", "code": 1}]) is None, "tests failed, and are counted"
    assert "4" in _how_it_ended([{"kind": "end", "code": 4}])
    assert "before its tests had ended" in _how_it_ended([{"kind": "start"}])


def test_the_closing_line_is_plain():
    assert re.fullmatch(r"\d+ passed, \d+ failed, \d+ skipped", str(Counts(7, 0, 1)))


SUITE = '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="1"/></testsuites>'


@pytest.mark.parametrize(
    ("written", "status", "expected"),
    [
        (SUITE, 1, Counts(5, 3, 1)),
        (SUITE.replace('"2"', '"0"').replace('errors="1"', 'errors="0"'), 0, Counts(8, 0, 1)),
        # A check failed, and no test did.
        (SUITE.replace('"2"', '"0"').replace('errors="1"', 'errors="0"'), 1, Counts(8, 1, 1)),
        ("cut sho", 1, Counts(0, 1, 0)),
        (None, 0, Counts(0, 1, 0)),
    ],
)
def test_the_suite_before_is_in_it(tmp_path, written, status, expected):
    path = tmp_path / "suite.xml"
    if written is not None:
        path.write_text(written)
    assert of_suite(path, status) == expected


def test_the_table_names_hooks_that_are_not_the_newest_ones():
    older: list[dict[str, Any]] = [
        {"kind": "pane", "pane": "biotop", "variants": {"start": "start__getrq"}},
        PANES[1],
    ]
    boots = [
        Boot("6.1", "6.1.0-cloud-amd64", [*older, *ran("passed", "passed")]),
        Boot("newest", "7.2.1-cloud-amd64", [*PANES, *ran("passed", "failed")]),
    ]
    text = as_markdown(report.summarise(boots))
    assert "| 6.1.0-cloud-amd64 | 2 | 0 (not live: no PMU) |" in text
    assert "| 7.2.1-cloud-amd64 | 1, **1 failed** | 0 (not live: no PMU) |" in text
    assert "- 6.1.0-cloud-amd64: biotop `start__getrq`" in text
