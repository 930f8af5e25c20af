"""How values are written: three significant digits, bounded widths, and never a raised exception."""

from __future__ import annotations

import math
import shlex
import socket
import subprocess
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop import format as fmt
from ktop.pane import Column, Unit
from ktop.stats import log2_bounds

AMOUNT = st.one_of(st.integers(0, 2**64 - 1), st.floats(0, 1e18))
ANYTHING = st.one_of(st.none(), st.integers(-(2**63), 2**64), st.floats(), st.booleans())
NUMERIC = [
    unit for unit in Unit if unit.value in {"number", "count", "bytes", "us", "s", "ratio", "time", "flag"}
]


def column(unit):
    return Column("name", "TITLE", unit, "Help.")


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (fmt.count, 0, "0"),
        (fmt.count, 999, "999"),
        (fmt.count, 1000, "1.00k"),
        (fmt.count, 1234, "1.23k"),
        (fmt.count, 12_345, "12.3k"),
        (fmt.count, 99_950, "100k"),
        (fmt.count, 999_499, "999k"),
        (fmt.count, 999_500, "1.00M"),
        (fmt.count, 2**64 - 1, "18.4E"),
        (fmt.count, 0.5, "0.50"),
        (fmt.count, -1234, "-1.23k"),
        (fmt.size, 512, "512B"),
        (fmt.size, 1023, "1023B"),
        (fmt.size, 1024, "1.00K"),
        (fmt.size, 1_234_567, "1.18M"),
        (fmt.size, 1023 * 1024, "1023K"),
        (fmt.size, 1024**2 - 1, "1.00M"),
        (fmt.size, 2**40, "1.00T"),
        (fmt.size, math.inf, "∞"),
        (fmt.micros, 0, "0"),
        (fmt.micros, 0.35, "350ns"),
        (fmt.micros, 0.9996, "1.00µs"),
        (fmt.micros, 12.34, "12.3µs"),
        (fmt.micros, 1234, "1.23ms"),
        (fmt.micros, 999_600, "1.00s"),
        (fmt.micros, 12_345_678, "12.3s"),
        (fmt.micros, 1e9, "16m40s"),
        (fmt.micros, 4980e6, "1h23m"),
        (fmt.micros, 51 * 3600e6, "2d03h"),
        (fmt.micros, 99 * 86400e6, "99d00h"),
        (fmt.micros, 100 * 86400e6, "100d"),
        (fmt.micros, math.inf, "∞"),
        (fmt.duration, 0.0032, "3.20ms"),
        (fmt.span, 4.2, "4.20s"),
        (fmt.span, 59.94, "59.9s"),
        (fmt.span, 59.96, "1m00s"),
        (fmt.span, 492.0, "8m12s"),
        (fmt.span, 600.4, "10m00s"),
        (fmt.percent, 0, "0%"),
        (fmt.percent, 1, "100%"),
        (fmt.percent, 0.1234, "12.3%"),
        (fmt.percent, 0.01234, "1.23%"),
        (fmt.percent, 0.99999, "99.9%"),
        (fmt.percent, 0.000001, "0.00%"),
        (fmt.number, 4194304, "4194304"),
        (fmt.number, 7.0, "7"),
        (fmt.number, 2.5, "2.5"),
        (fmt.number, math.inf, "∞"),
        (fmt.flag, 1, "yes"),
        (fmt.flag, 0, "no"),
        (fmt.clock, math.inf, "–"),
    ],
)
def test_human_units(write, value, text):
    assert write(value) == text


@pytest.mark.parametrize("write", [fmt.count, fmt.size, fmt.micros])
@given(value=AMOUNT)
def test_a_quantity_keeps_within_its_column(write, value):
    assert len(write(value)) <= (6 if write is fmt.micros else 5) or value >= 1e15


@given(st.floats(0.001, 1e9))
def test_times_are_right_to_three_digits(value):
    text = fmt.micros(value)
    for suffix, scale in (("ns", 1e-3), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)):
        if text.endswith(suffix) and text.removesuffix(suffix).replace(".", "").isdigit():
            assert math.isclose(float(text.removesuffix(suffix)) * scale, value, rel_tol=0.0051)
            return
    assert value >= 999.5e6


@given(st.floats(0, 1))
def test_a_ratio_is_never_rounded_to_all_or_nothing(ratio):
    assert (fmt.percent(ratio) == "100%") == (ratio == 1)
    assert (fmt.percent(ratio) == "0%") == (ratio == 0)


@pytest.mark.parametrize("unit", NUMERIC)
@given(value=ANYTHING)
def test_cells_take_any_number(unit, value):
    text = fmt.cell(column(unit), value)
    assert text.strip()
    assert text.isprintable()
    fmt.quiet(column(unit))(value)


@pytest.mark.parametrize("unit", [unit for unit in Unit if fmt.UNIT_WIDTH[unit]])
def test_what_was_not_measured_is_a_dash(unit):
    assert fmt.cell(column(unit), None).strip() == "–"
    assert fmt.quiet(column(unit))(None)
    if unit is not Unit.BY_CPU:
        assert fmt.cell(column(unit), math.nan).strip() == "–"
        assert fmt.quiet(column(unit))(math.nan)


def test_digits_stand_below_digits():
    """The suffix has a place of its own, also where a value has none."""
    cells = [fmt.cell(column(Unit.COUNT), value) for value in (7, 123, 12_345)]
    assert [text[-1] for text in cells] == [" ", " ", "k"]
    cells = [fmt.cell(column(Unit.US), value) for value in (0, 7, 7e6, 7e3)]
    assert cells == ["0  ", "7.00µs", "7.00s ", "7.00ms"]


def test_a_zero_is_quiet_and_a_number_that_is_no_quantity_is_not():
    assert fmt.quiet(column(Unit.COUNT))(0)
    assert not fmt.quiet(column(Unit.COUNT))(1)
    assert not fmt.quiet(column(Unit.NUMBER))(0)
    assert not fmt.quiet(column(Unit.TEXT))(b"0")
    ordinary = Column("name", "TITLE", Unit.TEXT, "Help.", ordinary=b"/")
    assert fmt.quiet(ordinary)(b"/")
    assert not fmt.quiet(ordinary)(b"a.service")


@given(st.binary(min_size=16, max_size=16))
def test_addresses_are_those_of_the_system(raw):
    text = fmt.address(raw)
    if raw.startswith(b"\0" * 10 + b"\xff\xff"):
        assert socket.inet_pton(socket.AF_INET, text) == raw[12:]
    else:
        assert socket.inet_pton(socket.AF_INET6, text) == raw


def test_a_mapped_address_is_an_ipv4_address():
    assert fmt.address(b"\0" * 10 + b"\xff\xff\x7f\x00\x00\x01") == "127.0.0.1"
    assert fmt.address(np.frombuffer(b"\0" * 15 + b"\x01", dtype="V16")[0].item()) == "::1"


@given(
    st.lists(st.binary(min_size=0, max_size=12).filter(lambda raw: b"\0" not in raw), min_size=1, max_size=5)
)
def test_arguments_never_carry_controls(arguments):
    assert fmt.args(b"\0".join(arguments) + b"\0").isprintable()


@given(
    st.lists(
        st.text(st.characters(codec="ascii", exclude_characters="\0", exclude_categories=["Cc"])), min_size=1
    )
)
def test_printable_arguments_can_be_split_again(arguments):
    line = fmt.args("\0".join(arguments).encode() + b"\0")
    if "$'" not in line:
        assert shlex.split(line) == arguments


def test_bash_reads_the_arguments_back():
    arguments = [
        b"sh",
        b"-c",
        b"echo 'a b'",
        b"",
        b"two\nlines\ttab",
        b"it's \\ $HOME `x` !",
        b"\xff\x1b[0m",
        b"*?~",
    ]
    arguments.append("été \u202e".encode())
    line = fmt.args(b"\0".join(arguments) + b"\0")
    out = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert out.stdout.split(b"\0")[:-1] == arguments


def test_time_of_day_is_local():
    assert fmt.clock(1_790_000_000.9) == time.strftime("%H:%M:%S", time.localtime(1_790_000_000))
    assert fmt.clock(1e30) == "–"


def test_bars_are_scaled_by_the_peak_and_zero_is_no_bar():
    assert fmt.bars(np.array([0, 1, 4, 8])) == "·▁▄▇"
    assert fmt.bars(np.array([0.0, np.nan])) == "·–"
    assert fmt.bars(np.array([np.nan, 2.0, 0.0])) == "–▇·"
    assert not fmt.bars(np.array([]))
    assert fmt.cell(column(Unit.BY_CPU), np.array([1, 0, 2])) == "▄·▇"


def test_a_histogram_is_a_bar_a_slot_below_its_scale():
    bounds = log2_bounds(13, unit=2)
    histogram = Column("slots", "BY TIME", Unit.HISTOGRAM, "", from_width=1, bounds=bounds)
    cell, scale = fmt.cell(histogram, np.array([0, 4, 8] + [0] * 10)), fmt.header(histogram)
    assert cell == " ▄▇" + " " * 10
    assert len(scale) == len(cell)
    # 0.5 to 1, 1 to 2 ... 512 to 1024, 1024 to 2048 microseconds.
    assert [scale.index(label) for label in ("1µs", "1ms")] == [1, 10]
    for label, value in (("1µs", 1.0), ("1ms", 1000.0)):
        slot = scale.index(label)
        assert bounds[slot] <= value < bounds[slot + 1]


def test_what_a_scale_has_no_room_for_is_left_out():
    assert fmt.ruler(log2_bounds(3, unit=2)) == "   "
    assert fmt.ruler(log2_bounds(11, unit=2)).split() == ["1µs"]


@given(st.integers(1, 70), st.integers(1, 40))
def test_many_cpus_are_grouped_and_none_is_lost(cpus, width):
    grouped = fmt.squeeze(np.eye(cpus, dtype=np.uint32), width)
    assert grouped.shape == (cpus, min(cpus, width))
    assert (grouped.sum(axis=1) == 1).all()
    assert (np.diff(grouped.argmax(axis=1)) >= 0).all()
    # CPUs that do the same look the same, however many share a bar.
    assert (fmt.squeeze(np.full(cpus, 7), width) == 7).all()
