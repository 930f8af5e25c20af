"""What is said to be expected is of slots that the family really has."""

from __future__ import annotations

import pytest

from ktop.kernel import expected
from ktop.kernel.slots import SlotArrays


@pytest.mark.parametrize(("pane", "family"), [("tcptop", "tcp")])
def test_room_is_made_in_slots_that_there_are(observe, pane, family):
    assert set(expected._BY_FAMILY) == {"tcp"}  # a new one is for this list too
    sizes = expected.sizes(family)
    slots = {name for name, reader in observe(pane).family._arrays.items() if isinstance(reader, SlotArrays)}
    assert set(sizes) == slots
    assert all(size >= 0 for size in sizes.values())


def test_of_other_families_nothing_is_expected():
    assert expected.sizes("sched") == {}
