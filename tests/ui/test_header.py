"""What the lines at the top say of figures that there are not."""

from __future__ import annotations

import math

import pytest

from ktop.ui.header import WIDE, _load

FIGURES = ("load1", "cpu_ratio", "memory_used_bytes", "memory_total_bytes", "swap_used_bytes", "pressure_io")


@pytest.mark.parametrize("width", [80, 100, WIDE])
@pytest.mark.parametrize("missing", FIGURES)
def test_what_a_recording_has_not_measured_is_no_number(missing: str, width: int) -> None:
    words = _load({**dict.fromkeys(FIGURES, 0.5), missing: math.nan}, width)
    text = "".join(text for text, _ in words)
    assert "nan" not in text
    assert "–" in text
