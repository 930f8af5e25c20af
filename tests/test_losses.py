"""Losses: each kind on its own, none in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ktop.losses import KINDS, by_kind, since

ROOT = Path(__file__).parents[1]


def test_what_the_programs_count_has_a_meaning():
    counted = re.search(r"struct lost \{(.*?)\}", (ROOT / "bpf/ktop.bpf.h").read_text(), re.DOTALL)
    assert counted is not None
    fields = re.findall(r"u64 (\w+);", counted.group(1))
    assert len(fields) >= 4
    assert set(fields) <= set(KINDS)


@pytest.mark.parametrize(
    ("before", "now", "grew"),
    [
        ({}, {}, {}),
        ({}, {"ring_full": 2}, {"ring_full": 2}),
        ({"ring_full": 2}, {"ring_full": 2}, {}),
        ({"ring_full": 2}, {"ring_full": 5, "missed": 1}, {"ring_full": 3, "missed": 1}),
        ({"ring_full": 2, "missed": 1}, {"ring_full": 2, "missed": 4}, {"missed": 3}),
    ],
)
def test_totals_become_those_of_the_interval(before, now, grew):
    assert since(before, now) == grew


def test_one_kind_needs_no_number_and_of_several_the_most_comes_first():
    assert by_kind({"not_run": 3}) == "not run"
    assert by_kind({"not_run": 3, "ring_full": 12_345}) == "ring full 12.3k, not run 3"


def test_a_kind_that_a_recording_made_up_is_escaped():
    assert "\x1b" not in by_kind({"\x1b[31m": 3})
