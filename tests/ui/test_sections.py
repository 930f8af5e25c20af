"""What a pane's section of the process screen says."""

from __future__ import annotations

import numpy as np
import pytest

from ktop import registry
from ktop.format import clock
from ktop.frame import Frame, Status, length, take
from ktop.history.history import History
from ktop.history.rivals import PROCESSES
from ktop.pane import START
from ktop.panes.execsnoop import PANE as REAL_EXECSNOOP
from ktop.process import TICK_NS
from ktop.ui.sections import of_family, section
from tests.rows import rows_of
from tests.ui.driven import spelt
from tests.ui.synthetic import CACHESTAT, EXECSNOOP, PROFILE


def _over_time(accesses: dict[int, int], intervals: int, width: int) -> str:
    """Return the line over time of a process that looked up so many pages in those intervals alone."""
    history = History([CACHESTAT])
    for tick in range(intervals):
        count = accesses.get(tick, 0)
        rows = {"pid": [7, 8], "comm": [b"x", b"y"], "accesses": [count, 1], "hits": [count, 1]}
        table = {name: np.array(column)[0 if count else 1 :] for name, column in rows.items()}
        history.add(Frame("cachestat", float(tick), 1.0, CACHESTAT.derive(table)))
    known = history.process(CACHESTAT, 7)
    assert length(known.rows) == len(accesses)
    return spelt(section(CACHESTAT, known, None, {}, width).lines[1])


@pytest.mark.parametrize(("intervals", "place"), [(60, 2), (61, 2), (119, 1), (120, 1), (600, 0)])
def test_the_line_over_time_is_of_all_the_time_the_figures_are_of(intervals: int, place: int) -> None:
    line = _over_time({2: 500, intervals - 1: 250}, intervals, 82)
    bars = line.removeprefix("accesses ").removesuffix("  max 500/s")
    assert bars == " " * place + "█" + " " * (58 - place) + "▄"


def test_the_line_over_time_of_what_is_derived_of_sums_is_per_second() -> None:
    pane = registry.get("tcptop")
    history = History([pane])
    for ts, interval_s, count in ((1.0, 1.0, 100), (2.0, 1.0, 0), (6.0, 4.0, 400)):
        rows = {"pid": [7], "comm": [b"x"], "cookie": [1], "tx_bytes": [count], "rx_bytes": [count]}
        table = {name: np.array(column)[0 if count else 1 :] for name, column in rows.items()}
        history.add(Frame(pane.name, ts, interval_s, pane.derive(table)))
    line = spelt(section(pane, history.process(pane, 7), None, {}, 82).lines[1])
    assert line == "total    █ █  max 200B/s"


def test_a_moment_is_in_the_same_place_in_the_lines_over_time_of_all_panes() -> None:
    places = set()
    for name in ("runqlat", "biotop", "tcptop", "cachestat"):
        pane = registry.get(name)
        history = History([pane])
        for tick in range(30):
            rows = {**rows_of(pane, 1), "pid": np.array([7]), pane.sort: np.array([1.0])}
            history.add(Frame(pane.name, float(tick), 1.0, take(rows, slice(tick != 20))))
        line = spelt(section(pane, history.process(pane, 7), None, {}, 82).lines[1])
        places.add((line.index("█"), line.rindex("█"), line.index("█ █") + 1))
    assert len(places) == 1


def test_who_takes_the_cpus_is_named_to_the_last_below_each_other_where_a_line_is_too_short() -> None:
    pane = registry.get("runqlat")
    rows = {**rows_of(pane, 3), "pid": np.array([7, 8, 9]), "comm": np.array([b"x", b"y", b"z"])}
    rows |= {"cpu_us": np.full(3, 1e6), "cgroup": np.array([b"/"] * 3)}
    history = History([pane])
    history.add(Frame(pane.name, 1.0, 1.0, rows))
    known, others = history.process(pane, 7), take(rows, np.array([1, 2]))

    def said(width: int) -> list[str]:
        lines = section(pane, known, None, {}, width, beside=(others, 10.0)).lines
        return [spelt(line) for line in lines[1:]]

    whole = "others' on cpu in 10 s  y (8) 1.00s · z (9) 1.00s"
    first, _, second = whole.partition(" · ")
    assert said(len(whole)) == [whole]
    assert said(len(whole) - 1) == [first, " " * whole.index("y") + second]
    others |= {"pid": np.array([8, 0]), PROCESSES: np.array([24, 1])}
    assert said(100) == ["others' on cpu in 10 s  y (8 and 23 more) 1.00s · z 1.00s"]
    nobody = section(pane, known, None, {}, len(whole), beside=(take(others, slice(0)), 10.0))
    assert not any("others'" in spelt(line) for line in nobody.lines)


def test_events_of_another_process_with_the_same_pid_are_not_the_familys() -> None:
    began = 100 * TICK_NS
    events = {
        "pid": np.array([7, 7, 8, 9, 10]),
        "ppid": np.array([1, 1, 7, 7, 1]),
        START: np.array(
            [began - TICK_NS, began + 5, began - TICK_NS, began + TICK_NS, began], dtype=np.uint64
        ),
    }
    assert of_family(EXECSNOOP, events, 7)["pid"].tolist() == [7, 7, 8, 9]
    # To the nanosecond, or as /proc has it: from the start of the tick.
    for start_ns in (began + 5, began):
        family = of_family(EXECSNOOP, events, 7, start_ns)
        assert family["pid"].tolist() == [7, 9]
        assert family[START][0] == began + 5


def test_children_of_the_next_process_with_the_pid_are_not_the_familys() -> None:
    began, again = 100 * TICK_NS, 200 * TICK_NS
    starts = [began, began + TICK_NS, again + 7, again + 8, again + 5 * TICK_NS]
    events = {
        "pid": np.array([7, 50, 7, 51, 52]),
        "ppid": np.array([1, 7, 1, 7, 7]),
        START: np.array(starts, dtype=np.uint64),
    }
    assert of_family(EXECSNOOP, events, 7, began)["pid"].tolist() == [7, 50]
    assert of_family(EXECSNOOP, events, 7, again)["pid"].tolist() == [7, 51, 52]


def test_children_are_those_whose_parent_began_then() -> None:
    """A child can begin in the same tick as the next process with its parent's PID."""
    began, again = 100 * TICK_NS, 200 * TICK_NS
    events = {
        "pid": np.array([50, 51, 52]),
        "ppid": np.array([7, 7, 7]),
        START: np.array([again + 1, again + 2, again + 3], dtype=np.uint64),
        "parent_start_ns": np.array([began + 5, again, np.nan]),
    }
    assert of_family(REAL_EXECSNOOP, events, 7, began + 5)["pid"].tolist() == [50, 52]
    assert of_family(REAL_EXECSNOOP, events, 7, again)["pid"].tolist() == [51, 52]


def test_figures_that_are_not_whole_say_so() -> None:
    history = History([CACHESTAT], budget_bytes=1 << 20)
    pids = np.arange(2000)
    for tick in range(100):
        rows = {"pid": pids, "comm": np.full(2000, b"x"), "accesses": pids + tick, "hits": pids}
        history.add(Frame("cachestat", float(tick), 1.0, CACHESTAT.derive(rows)))
    known = history.process(CACHESTAT, 1999)
    thinned = int((known.dropped > 0).sum())
    assert 0 < thinned < 100
    said = section(CACHESTAT, known, None, {}, 80).note
    assert said == f"at least: rows of {thinned} of 100 samples are no longer kept"
    whole = history.process(CACHESTAT, 1999, since=float(99))
    assert section(CACHESTAT, whole, None, {}, 80).note == ""


@pytest.mark.parametrize(("most", "listed"), [(6, 6), (12, 12), (30, 20)])
def test_as_many_stacks_are_listed_as_there_is_room_for(most: int, listed: int) -> None:
    stacks = np.empty(20, dtype=object)
    stacks[:] = [["main", f"f{number}"] for number in range(20)]
    rows = {
        "pid": np.full(20, 7),
        "comm": np.full(20, b"x"),
        "samples": np.arange(1, 21),
        "user_stack": stacks,
        "kernel_stack": np.full(20, None),
    }
    history = History([PROFILE])
    history.add(Frame("profile", 1.0, 1.0, rows))
    lines = section(PROFILE, history.process(PROFILE, 7), None, {}, 80, most).lines
    assert len(lines) == 1 + listed
    assert "f19 ← main" in spelt(lines[1])


def test_a_pane_that_lost_its_figures_says_up_to_when_they_are() -> None:
    history = History([CACHESTAT])
    rows = {"pid": np.array([7]), "comm": np.array([b"x"]), "accesses": np.array([4]), "hits": np.array([4])}
    history.add(Frame("cachestat", 5.0, 1.0, CACHESTAT.derive(rows)))
    known = history.process(CACHESTAT, 7)
    lost = Frame("cachestat", 6.0, np.nan, {}, status=Status(unavailable="sampling failed: a\x1b. Do that."))
    assert section(CACHESTAT, known, lost, {}, 80).note == f"up to {clock(5.0)}: sampling failed: a\\x1b"
    assert not section(CACHESTAT, known, history.latest("cachestat"), {}, 80).note


def test_samples_are_said_in_time() -> None:
    """As many of each second as the pane samples."""
    pane = registry.get("profile")
    history = History([pane])
    for tick in range(20):
        rows = {"pid": np.array([7]), "comm": np.array([b"x"]), "samples": np.array([49])}
        rows |= {name: np.array([1]) for name in (START, "exec_id")}
        rows |= {name: np.array([None]) for name in ("user_stack", "kernel_stack")}
        history.add(Frame("profile", float(tick), 2.0, rows if tick % 2 else {}))
    (first, stack) = section(pane, history.process(pane, 7), None, {}, 80).lines
    assert spelt(first) == "samples 490  about 10.0s on CPUs in 40.0s of sampling"
    assert spelt(stack).startswith("  100%")


def test_wide_names_are_not_cut_where_there_is_room() -> None:
    name = "数据库备份"
    events = {
        "time": np.array([1.0]),
        "pid": np.array([7]),
        "ppid": np.array([1]),
        "comm": np.array([name.encode()]),
        "argv": np.array([None], dtype=object),
        "exit_code": np.array([np.nan]),
        "duration_s": np.array([np.nan]),
        "error": np.array([b""]),
    }
    known = History([EXECSNOOP]).process(EXECSNOOP, 7)
    lines = section(EXECSNOOP, known, None, events, 120).lines
    assert name in spelt(lines[1])
