"""What is said to be expected is of slots that the family really has."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from ktop.kernel import expected
from ktop.kernel.loader import load
from ktop.kernel.slots import SlotArrays


@pytest.mark.parametrize(("pane", "family"), [("tcptop", "tcp")])
def test_room_is_made_in_slots_that_there_are(observe, pane, family):
    assert set(expected._BY_FAMILY) == {"irq", "tcp"}  # a new one is for this list too
    sizes = expected.sizes(family)
    slots = {name for name, reader in observe(pane).family._arrays.items() if isinstance(reader, SlotArrays)}
    assert set(sizes) == slots
    assert all(size >= 0 for size in sizes.values())


def test_interrupts_have_names_however_many_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(expected, "LINES", tmp_path)
    for irq in range(3000):
        if irq == 2048:
            assert expected.sizes("irq") == {}, "as many as there is room for"
        (tmp_path / str(irq)).mkdir()
    sizes = expected.sizes("irq")
    assert sizes == {"names": 6000}
    with contextlib.closing(load("irq", sizes=sizes)) as family:
        info = Path(f"/proc/self/fdinfo/{family.map_fd('names')}").read_text()
        assert "max_entries:\t6000\n" in info
    monkeypatch.setattr(expected, "LINES", tmp_path / "absent")
    assert expected.sizes("irq") == {}


def test_of_other_families_nothing_is_expected():
    assert expected.sizes("sched") == {}
