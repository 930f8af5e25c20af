"""CPU lists as /sys writes them."""

from __future__ import annotations

import pytest

from ktop.kernel import cpus


@pytest.mark.parametrize(
    ("text", "numbers"), [("0-3,8\n", [0, 1, 2, 3, 8]), ("0", [0]), ("\n", []), ("1,3-3", [1, 3])]
)
def test_lists(text, numbers):
    assert cpus.parse_list(text) == numbers


@pytest.mark.parametrize(("present", "count"), [("0-3\n", 4), ("0,2\n", 3), ("\n", 0), (None, 0)])
def test_those_that_are_there_are_counted_with_the_gaps_between(present, count, tmp_path, monkeypatch):
    monkeypatch.setattr(cpus, "_CPUS", tmp_path)
    if present is not None:
        (tmp_path / "present").write_text(present)
    assert cpus.present() == count
