"""What the lines at the top say of figures that there are not."""

from __future__ import annotations

import math

import pytest

from ktop.source import Identity
from ktop.ui.blocks import cells
from ktop.ui.bridge import Bridge
from ktop.ui.header import WIDE, Header, _load
from ktop.ui.view import View

FIGURES = ("load1", "cpu_ratio", "memory_used_bytes", "memory_total_bytes", "swap_used_bytes", "pressure_io")


@pytest.mark.parametrize("width", [80, 100, WIDE])
@pytest.mark.parametrize("missing", FIGURES)
def test_what_a_recording_has_not_measured_is_no_number(missing: str, width: int) -> None:
    words = _load({**dict.fromkeys(FIGURES, 0.5), missing: math.nan}, width)
    text = "".join(text for text, _ in words)
    assert "nan" not in text
    assert "–" in text


@pytest.mark.parametrize(("figures", "shown"), [({}, 2), ({"cpus": math.nan}, 2), ({"cpus": 64.0}, 64)])
def test_the_cpus_are_those_of_the_moment(figures: dict[str, float], shown: int) -> None:
    """They come and go while ktop runs; where a recording has not that figure, those at its start."""
    view = View()
    header = Header(Identity("host", "6.12", 2), Bridge((), view), view)
    assert f"  {shown} CPUs" in [text for text, _ in header._who(figures, WIDE)]


@pytest.mark.parametrize("load", [9.996, 17.32, 99.96, 132.46])
def test_a_load_of_any_size_leaves_room_for_all_pressures(load: float) -> None:
    figures = dict.fromkeys(("load1", "load5", "load15"), load)
    figures |= {"cpu_ratio": 1.0, "pressure_cpu": 1.0, "pressure_io": 0.99, "pressure_memory": 0.99}
    figures |= {"memory_used_bytes": 23.4 * 2**30, "memory_total_bytes": 23.5 * 2**30}
    assert cells(_load(figures, 78)) <= 78
