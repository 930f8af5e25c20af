"""What every pane must hold, those that are still to be written too."""

from __future__ import annotations

import importlib
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ktop.panes
from ktop import registry
from ktop.export.json_lines import columns
from ktop.frame import Array, Frame, concatenate, length, take
from ktop.history.history import frame_bytes
from ktop.pane import Column, Fold, Heatmap, Lines, Pane, RowHistogram, Shape, Unit, fold
from ktop.recording.codec import decode, encode
from ktop.recording.conform import conform
from ktop.stats import LATENCY_BOUNDS_US
from ktop.tables.derived import restore, strip
from tests.layouts import structures
from tests.rows import frame_of, rows_of

PANES = registry.panes()
JSON = {
    "biotop": "pid comm disk read_ops write_ops read_bytes write_bytes avg_us p99_us max_us",
    "tcptop": "pid comm family laddr lport raddr rport tx_bytes rx_bytes srtt_us retrans",
    "runqlat": "pid comm waits wait_us p50_us p99_us max_us",
    "cachestat": "pid comm accesses hits misses dirtied hit_ratio readahead_surplus cached_bytes dirty_bytes",
    "hardirqs": "irq name count total_us avg_us max_us cpus",
    "llcstat": "pid comm references misses hit_ratio",
    "execsnoop": "pid ppid comm uid argv truncated exit_code duration_s",
    "profile": "pid comm samples user_stack kernel_stack",
}
"""The names that others rely on.  More may follow them, none may go or change."""

every_pane = pytest.mark.parametrize("pane", PANES, ids=[pane.name for pane in PANES])
every_column = pytest.mark.parametrize(
    ("pane", "column"),
    [(pane, column) for pane in PANES for column in pane.columns],
    ids=[f"{pane.name}.{column.name}" for pane in PANES for column in pane.columns],
)


def test_every_module_is_discovered() -> None:
    modules = {path.stem for path in Path(ktop.panes.__path__[0]).glob("[!_]*.py")}
    assert {pane.name for pane in PANES} == modules
    assert all(importlib.import_module(f"ktop.panes.{name}").PANE.name == name for name in modules)


def test_the_order_of_the_tabs() -> None:
    assert registry.names() == tuple(pane.name for pane in PANES)
    known = [name for name in registry.ORDER if name in registry.names()]
    assert list(registry.names()[: len(known)]) == known
    rest = list(registry.names()[len(known) :])
    assert rest == sorted(rest)


def test_an_unknown_pane_names_the_nearest() -> None:
    with pytest.raises(registry.UnknownPaneError, match="did you mean runqlat"):
        registry.get("runqat")
    with pytest.raises(registry.UnknownPaneError) as caught:
        registry.panes(["runqlat", "\x1b[31m"])
    assert "\x1b" not in str(caught.value)
    assert [pane.name for pane in registry.panes(["runqlat", "runqlat"])] == ["runqlat"]


@every_pane
def test_names(pane: Pane) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*", pane.name)
    assert pane.question.endswith("?")
    assert "  " not in pane.question
    names = [column.name for column in pane.columns]
    assert len(set(names)) == len(names)
    # Two ports may be called PORT, each beside its address; two such columns side by side may not.
    titles = [column.title for column in pane.columns if not column.hidden]
    assert all(one != other for one, other in pairwise(titles))


@every_pane
def test_json_names(pane: Pane) -> None:
    if pane.name in JSON:
        promised = [name for name in JSON[pane.name].split() if name in {c.name for c in pane.columns}]
        assert promised == JSON[pane.name].split()
        shown = [column.name for column in columns(pane)]
        assert shown[: len(promised)] == promised
    assert not {"kind", "pane", "interval_s", "ts"} & {column.name for column in columns(pane)}


@every_pane
def test_what_it_refers_to_exists(pane: Pane) -> None:
    names = {column.name for column in pane.columns}
    assert pane.key
    assert set(pane.key) <= names
    assert pane.sort in names
    assert pane.column(pane.sort).in_table
    if pane.process_key in names:
        assert pane.column(pane.process_key).unit is Unit.NUMBER
    assert set(pane.on_demand).isdisjoint(pane.groups)
    assert {column.on_demand for column in pane.columns} - {""} == set(pane.on_demand), "each is counted"
    source = f"bpf/{pane.family}.bpf.c"
    assert (Path(ktop.panes.__path__[0]).parents[1] / source).exists(), f"its family has no {source}"
    longest = {column.longest for column in pane.columns}
    if isinstance(pane.chart, RowHistogram):
        assert pane.column(pane.chart.column).unit is Unit.HISTOGRAM
        assert pane.column(pane.chart.column).bounds is not None
        assert not pane.column(pane.chart.label or pane.key[0]).hidden
    if isinstance(pane.chart, Lines):
        assert all(pane.chart.groups)
    if isinstance(pane.chart, Heatmap):
        assert pane.chart.title
        longest.add(pane.chart.longest)
    assert {pane.column(name).unit for name in longest - {""}} <= {Unit.US}
    if pane.shape is Shape.EVENTS:
        assert [column.unit for column in pane.columns].count(Unit.TIME) == 1
    with pytest.raises(KeyError):
        pane.column("no such column")


@every_pane
def test_rows_of_processes_say_whose_each_is(pane: Pane) -> None:
    assert pane.has_processes == pane.has_cgroups, "ktop.pane.CGROUP is a column of panes of processes"


@every_pane
def test_its_numbers_are_tested_on_the_kernel(pane: Pane) -> None:
    test = f"kernel/test_{pane.name}.py"
    assert (Path(__file__).parent / test).exists(), f"write tests/{test}: its numbers against another source"


def lengths_of_histograms(family: str) -> set[int]:
    """Return how many slots the arrays called ``slots`` have in the structures of bpf/FAMILY.bpf.c."""
    return {each["slots"].shape[0] for each in structures(family).values() if "slots" in (each.names or ())}


@every_pane
def test_histograms_are_as_long_as_the_kernel_sides(pane: Pane) -> None:
    bounds = [column.bounds for column in pane.columns if column.bounds is not None]
    if isinstance(pane.chart, Heatmap):
        bounds.append(LATENCY_BOUNDS_US)
    if bounds:
        assert lengths_of_histograms(pane.family) == {len(each) - 1 for each in bounds}


@every_column
def test_column(pane: Pane, column: Column) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
    assert column.title == column.title.upper()
    assert column.title or column.hidden
    assert column.help.endswith("."), f"the help is sentences: {column.help!r}"
    assert column.help[0].isupper() or not column.help[0].isalpha(), f"the help is sentences: {column.help!r}"
    assert "\n" not in column.help
    if column.is_text or column.unit in {Unit.TIME, Unit.FLAG}:
        only_key = pane.key == (column.name,)
        assert only_key or column.fold in {Fold.LAST, Fold.MAX, Fold.DERIVED}, "it cannot be added up"
    if column.is_text:
        assert column.fold is Fold.LAST or pane.key == (column.name,)
    if column.unit is Unit.RATIO:
        assert not column.adds_up
        units = {each.unit for pane in PANES for each in pane.columns if each.title == column.title}
        assert units == {Unit.RATIO}, (
            "by its title a filter means it in all panes: here a share, there a number"
        )
    if column.unit is Unit.HISTOGRAM:
        assert column.bounds is not None or not column.in_table, "bars without a scale say nothing"
        assert column.fold is Fold.SUM
        assert column.bounds is None or (np.diff(column.bounds) > 0).all()
    else:
        assert not column.longest
    for suffix, units in {
        "_us": {Unit.US},
        "_s": {Unit.SECONDS},
        "_bytes": {Unit.BYTES},
        "_ratio": {Unit.RATIO},
        "_ops": {Unit.COUNT},
    }.items():
        if column.name.endswith(suffix):
            assert column.unit in units, f"a name in {suffix} tells of another unit"
    if column.unit is Unit.US:
        assert column.name.endswith("_us"), "the name carries the unit: _us"


@every_pane
def test_hidden_columns_are_needed(pane: Pane) -> None:
    """A hidden column that no figure comes from would be carried for nothing."""
    rows = rows_of(pane, 3)
    for column in pane.columns:
        if not column.hidden or column.name in pane.key or column.unit in {Unit.HISTOGRAM, Unit.NUMBER}:
            continue
        stored = strip(pane, Frame(pane.name, 0.0, 1.0, rows)).rows
        without = {name: values for name, values in stored.items() if name != column.name}
        with pytest.raises(KeyError):
            pane.derive(without)


@every_pane
def test_what_only_the_host_has_is_not_measured_of_a_row(pane: Pane) -> None:
    rows = rows_of(pane, 3)
    only = [column for column in pane.columns if column.host_only]
    assert pane.host_row or not only
    assert all(np.isnan(rows[column.name]).all() and column.in_json for column in only)


@every_pane
def test_rows_fold_by_key_and_by_process(pane: Pane) -> None:
    rows = rows_of(pane, 20)
    assert list(rows) == [column.name for column in pane.columns] or set(rows) == {
        c.name for c in pane.columns
    }
    keys = [pane.key]
    if pane.process_key in rows:
        keys.append((pane.process_key,))
    for by in keys:
        folded = fold(pane, concatenate([rows, rows]), by)
        assert set(folded) == set(rows)
        assert 0 < length(folded) <= 20
        for column in pane.columns:
            if column.adds_up and column.name not in by:
                total, expected = folded[column.name].sum(dtype=float), rows[column.name].sum(dtype=float)
                assert total == pytest.approx(2 * expected)
            if column.unit is Unit.RATIO:
                known = folded[column.name][~np.isnan(folded[column.name])]
                assert ((known >= 0) & (known <= 1)).all()


@every_pane
def test_no_rows_fold_to_none(pane: Pane) -> None:
    empty = take(rows_of(pane, 3), slice(0))
    folded = fold(pane, empty, pane.key)
    assert length(folded) == 0
    assert set(folded) == set(empty)


@every_pane
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_deriving_is_row_by_row(pane: Pane, data: st.DataObject) -> None:
    """The history derives many intervals at once, a fold over one: both must agree."""
    first = rows_of(pane, data.draw(st.integers(1, 5)), seed=data.draw(st.integers(0, 99)))
    second = rows_of(pane, data.draw(st.integers(1, 5)), seed=data.draw(st.integers(0, 99)))
    stored = [dict(strip(pane, Frame(pane.name, 0.0, 1.0, rows)).rows) for rows in (first, second)]
    together = restore(pane, concatenate([*stored]))
    apart = concatenate([*(restore(pane, rows) for rows in stored)])
    for name, values in together.items():
        assert_equal(values, apart[name])


@every_pane
def test_frames_survive_a_recording(pane: Pane) -> None:
    frame = frame_of(pane, 50)
    stored = strip(pane, frame)
    assert not any(pane.column(name).derived for name in stored.rows), "they would be kept for nothing"
    back = conform(pane, decode(encode([stored]))[0])
    assert set(back.rows) == set(frame.rows)
    for name, values in frame.rows.items():
        assert_equal(back.rows[name], values)
    assert frame_bytes(frame) > 1000


def assert_equal(left: Array, right: Array) -> None:
    if left.dtype.kind == "f":
        assert np.array_equal(left, right, equal_nan=True)
    else:
        assert left.tolist() == right.tolist()
