"""The arithmetic and the bookkeeping of the benchmarks; what they measure is measured, not tested."""

from __future__ import annotations

import math

import pytest

from tests.bench import keys, probes, results, scale
from tests.bench.figures import Goal, Section, quantile, ratios, spread, table
from tests.bench.many_rows import ROWS
from tests.bench.programs import Cost

NAMES = ("probes", "workload")


def section(name: str, goal: Goal) -> Section:
    made = Section(name, f"About {name}", "How it was done.", ["a command"])
    made.table(("what", "ns"), [("a|b", "1")])
    made.goals.append(goal)
    return made


def test_spread_of_nothing_is_not_measured():
    assert spread([]).text() == "–"
    assert spread([3.0, 1.0, 2.0]).text(0) == "2 (1 to 3)"


def test_ratios_are_of_the_same_round():
    found = ratios([2.0, 30.0], [1.0, 10.0])
    assert (found.low, found.high) == (2.0, 3.0)


def test_quantile_is_a_value_that_was_measured():
    values = [float(each) for each in range(100)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile([7.0], 0.99) == 7


def test_table_keeps_bars_out_of_cells():
    assert table(("a", "b"), [("x|y", "1")]).splitlines()[-1] == "| x\\|y | 1 |"


def test_an_event_runs_through_every_hook():
    costs = [Cost("wakeup__tp_btf", 100, 10_000), Cost("switch__tp_btf_", 200, 30_000)]
    assert probes.per_event(costs, ("wakeup__", "switch__")) == (250.0, 2)


def test_a_hook_without_its_program_is_not_measured():
    ns, programs = probes.per_event([Cost("wakeup__tp_btf", 100, 10_000)], ("wakeup__", "switch__"))
    assert math.isnan(ns)
    assert programs == 0


def test_of_variants_on_one_hook_the_busiest_counts_and_of_one_cut_name_all():
    variants = [Cost("sched_wakeup", 100, 10_000), Cost("sched_wakeup_new", 30, 900)]
    assert probes.per_event(variants, ("sched_wakeup",)) == (100.0, 1)
    enter_and_exit = [Cost("tracepoint__sys", 100, 10_000), Cost("tracepoint__sys", 100, 5_000)]
    assert probes.per_event(enter_and_exit, ("tracepoint__sys",)) == (150.0, 2)


def test_a_straight_line_is_found():
    slope, base, far = scale.fit({number: [2 + number * 0.003] for number in (100, 1000, 10_000)})
    assert slope == pytest.approx(3.0)
    assert base == pytest.approx(2.0)
    assert far < 1e-6


def test_a_bend_is_seen():
    *_, far = scale.fit({number: [1 + number**2 * 1e-6] for number in (100, 1000, 10_000)})
    assert far > scale.STRAIGHT


def test_every_key_leads_to_a_row_that_exists():
    rows = [row for _key, row in keys.presses(200) if row is not None]
    assert min(rows) == 0
    assert max(rows) == ROWS - 1


def test_only_the_section_that_was_run_is_replaced(tmp_path):
    path = tmp_path / "RESULTS.md"
    results.put(path, section("workload", Goal("less", "2", reached=False, reason="it is so")), NAMES)
    results.put(path, section("probes", Goal("more", "3", reached=True)), NAMES)
    before = path.read_text("utf-8")
    assert "1 of 2 reached" in before
    assert before.index("About probes") < before.index("About workload")
    assert before.count("**missed**: it is so") == 2  # in its section and above them all
    results.put(path, section("workload", Goal("less", "1", reached=True)), NAMES)
    after = path.read_text("utf-8")
    assert "missed" not in after
    assert results._between(after, "probes") == results._between(before, "probes")


def test_the_readme_quotes_what_all_sections_have(tmp_path):
    readme, path = tmp_path / "README.md", tmp_path / "RESULTS.md"
    readme.write_text(f"before\n<!-- {results.QUOTED} -->\nold\n<!-- costs: end -->\nafter\n", "utf-8")
    for name in NAMES:
        made = section(name, Goal("less", "1", reached=True))
        made.short.append((f"cost of {name}", "1", "2"))
        results.put(path, made, NAMES, readme)
    text = readme.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\n<!-- costs: end -->\nafter\n")
    assert "old" not in text
    assert text.count("| cost of ") == 2


def test_a_readme_without_a_place_for_it_stays(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("nothing\n", "utf-8")
    results.put(tmp_path / "RESULTS.md", section("probes", Goal("less", "1", reached=True)), NAMES, readme)
    assert readme.read_text("utf-8") == "nothing\n"
