"""Which columns of the real panes stand in a table, by the width and by what the rows have to tell."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest

from ktop import registry
from ktop.export import text_table
from ktop.format import V4_MAPPED
from ktop.frame import Frame, Rows
from ktop.pane import Column, Pane, Unit
from ktop.tables.columns import RowWriter, Slot, arrange, candidates, need
from ktop.ui.table.column_layout import ColumnLayout
from tests.rows import frame_of, rows_of

EXECSNOOP, BIOTOP, CACHESTAT, TCPTOP = map(registry.get, ("execsnoop", "biotop", "cachestat", "tcptop"))
WIDTHS = (80, 120, 200)


def executed(error: bytes | None) -> Rows:
    path = np.empty(1, dtype=object)
    path[0] = b"/usr/local/sbin/convert\0--quiet\0in.svg\0out.png\0"
    failure = np.empty(1, dtype=object)
    failure[0] = error
    return {
        "ts": np.array([1e9]),
        "pid": np.array([123456]),
        "ppid": np.array([123455]),
        "comm": np.array([b"fifteen_letters"]),
        "uid": np.array([1000]),
        "argv": path,
        "truncated": np.array([False]),
        "exit_code": np.array([np.nan]),
        "duration_s": np.array([np.nan]),
        "error": failure,
        "start_ns": np.array([1]),
        "exec_ns": np.array([2]),
    }


def shown(pane: Pane, rows: Rows, width: int, sorted_by: str) -> list[str]:
    columns = candidates(pane, rows, width, (sorted_by,))
    needs = {column.name: need(column, rows[column.name] if rows else np.zeros(0)) for column in columns}
    slots = arrange(pane, columns, needs, width - 1, (sorted_by,))
    assert slots[-1].x + slots[-1].width < width
    return [slot.column.name for slot in slots]


@pytest.mark.parametrize("width", WIDTHS)
def test_why_an_exec_failed_is_shown_at_any_width(width):
    assert shown(EXECSNOOP, executed(b"ENOENT"), width, "ts")[-1] == "error"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_column_of_dashes_while_none_failed(width):
    assert "error" not in shown(EXECSNOOP, executed(None), width, "ts")
    assert "error" not in shown(EXECSNOOP, {}, width, "ts")


@pytest.mark.parametrize(("width", "who"), [(60, []), (80, ["ppid", "parent_comm"])])
def test_who_started_it_is_shown_where_there_is_room(width, who):
    rows = {**executed(None), "parent_comm": np.array([b"fifteen_letters"])}
    columns = shown(EXECSNOOP, rows, width, "ts")
    assert columns[: 3 + len(who)] == ["ts", "pid", *who, "comm"]
    assert "argv" in columns


@pytest.mark.parametrize(
    ("argv", "width", "written"),
    [
        (b"/usr/local/bin/send-report\0", 26, "/usr/local/bin/send-report"),
        (b"/usr/local/bin/send-report\0", 15, "…/send-report"),
        (b"/usr/bin/du\0--summarize\0/srv\0", 16, "…/du --summariz…"),
        (b"/bin/sh\0-c\0true\0", 12, "…/sh -c true"),
        # Nothing is gained, or it is no path.
        (b"/init-of-a-container\0", 12, "/init-of-a-…"),
        (b"./configure\0--prefix=/usr/local\0", 16, "./configure --p…"),
        (b"/opt/two words/run\0", 12, "'/opt/two w…"),
    ],
)
def test_arguments_that_do_not_fit_go_without_the_programs_directory(argv, width, written):
    """What was started and with what is the question; the name alone stands in COMMAND."""
    rows = executed(None)
    rows["argv"][0] = argv
    column = EXECSNOOP.column("argv")
    writer = RowWriter((Slot(column, 0, width, 0, False),), rows, "")
    ((text, _role),) = writer.pieces(0)
    assert text.rstrip() == written


def test_that_arguments_were_cut_is_shown_where_some_were():
    rows = executed(None)
    assert "truncated" not in shown(EXECSNOOP, rows, 200, "ts")
    assert "truncated" in shown(EXECSNOOP, {**rows, "truncated": np.array([True])}, 200, "ts")


@pytest.mark.parametrize("pane", registry.panes(()), ids=lambda pane: pane.name)
@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_pane_is_sorted_by_is_always_in_sight(pane, width):
    columns = {column.name for column in candidates(pane, {}, width, (pane.sort,))}
    assert pane.sort in columns


def test_biotop_shows_at_80_columns_what_it_is_sorted_by():
    assert BIOTOP.sort in shown(BIOTOP, {}, 80, BIOTOP.sort)


def test_biotop_shows_at_80_columns_how_long_io_waited_before_the_disk_had_it():
    """Where others keep the disk busy: a millisecond in the disk, after sixty in the queue."""
    rows = on_disk([b"/"]) | {"pid": np.array([12_345]), "queued_us": np.array([60_200.0])}
    rows |= {name: np.array([1_160.0]) for name in ("avg_us", "p99_us", "max_us", "total_us", "read_bytes")}
    columns = shown(BIOTOP, rows, 80, BIOTOP.sort)
    assert "queued_us" in columns
    assert "max_us" not in columns
    assert "max_us" in shown(BIOTOP, rows, 110, BIOTOP.sort)


def test_cachestat_shows_at_80_columns_what_memory_mapped_files_brought_in():
    """Of a database that maps its files nothing else is not 0."""
    rows = rows_of(CACHESTAT, 3) | {"pid": np.array([12_345, 12_346, 4_194_304])}
    assert "mapped_in" in shown(CACHESTAT, rows, 80, CACHESTAT.sort)


def test_plain_text_shows_at_80_columns_what_it_is_sorted_by():
    rows = {
        "pid": np.array([7]),
        "comm": np.array([b"fio"]),
        "disk": np.array([b"vda"]),
        "total_us": np.array([48_100.0]),
    }
    lines = text_table.table(BIOTOP, Frame("biotop", 1e9, 1.0, rows), width=80)
    assert lines[1].split() == ["PID", "COMMAND", "DISK", "TIME"]


@pytest.mark.parametrize("width", [0, *WIDTHS, 1 << 20])
def test_what_only_the_host_has_is_no_column_of_dashes(width):
    frame = frame_of(CACHESTAT, 3)
    assert "SURPLUS" in text_table.table(CACHESTAT, frame, width=width)[1].split()
    assert not {"CACHED", "DIRTY"} & set(text_table.table(CACHESTAT, frame, width=width)[1].split())
    assert not {"cached_bytes", "dirty_bytes"} & {c.name for c in candidates(CACHESTAT, frame.rows, width)}


def test_the_bars_of_a_histogram_are_for_the_screen_alone():
    frame = frame_of(BIOTOP, 3)
    assert "slots" in {column.name for column in candidates(BIOTOP, frame.rows, 200)}
    assert "I/O BY TIME" not in text_table.table(BIOTOP, frame)[1]


def test_a_long_command_line_pushes_nothing_out_of_plain_text():
    rows = executed(None)
    rows["argv"][0] = b"sh\0-c\0" + b"x" * 4000 + b"\0"
    for width in (100, 0):
        lines = text_table.table(EXECSNOOP, Frame("execsnoop", 1e9, 1.0, rows), width=width)
        assert lines[1].split()[-1] == "ARGUMENTS"
        assert lines[1].split()[-2] in {"LASTED", "ERROR"}
        assert len(lines[1]) < 110


@pytest.mark.parametrize("text", ["9.9.9.9", "1.10.99.100", "255.255.255.255", "::1", "2001:db8::f00:0:1"])
def test_a_column_of_addresses_is_as_wide_as_the_widest(text):
    there = ipaddress.ip_address(text)
    raw = there.packed if there.version == 6 else V4_MAPPED + there.packed
    column = Column("at", "@", Unit.ADDRESS, "Where.")
    assert need(column, np.frombuffer(raw + V4_MAPPED + bytes(4), "V16")) == max(len(text), len("0.0.0.0"))


def on_disk(cgroups: list[bytes | None]) -> Rows:
    count = len(cgroups)
    rows = {column.name: np.zeros(count) for column in BIOTOP.columns}
    known = None not in cgroups
    return {
        **rows,
        "comm": np.full(count, b"fio"),
        "disk": np.full(count, b"vda"),
        "cgroup": np.array(cgroups, dtype="S" if known else object),
    }


@pytest.mark.parametrize("cgroups", [[b"/", b"/"], [None, None], [b"/", None], [b"", b"/"]])
def test_no_column_of_cgroups_where_there_is_but_the_root(cgroups):
    assert "cgroup" not in shown(BIOTOP, on_disk(cgroups), 200, "total_us")


@pytest.mark.parametrize("cgroups", [[b"/", b"backup.service"], [None, b"backup.service"], [b"(gone)"]])
def test_whose_a_process_is_is_shown_where_there_is_room(cgroups):
    assert "cgroup" not in shown(BIOTOP, on_disk(cgroups), 80, "total_us")
    for width in (120, 200):
        assert "cgroup" in shown(BIOTOP, on_disk(cgroups), width, "total_us")


@pytest.mark.parametrize("width", WIDTHS)
def test_since_when_a_connection_stalls_is_shown_at_any_width_while_one_does(width):
    rows = rows_of(TCPTOP, 2)
    rows["raddr"] = np.frombuffer((V4_MAPPED + bytes([192, 168, 100, 200])) * 2, "V16")
    rows["laddr"] = rows["raddr"]
    layout = ColumnLayout(TCPTOP)

    def names(stalled_s: float) -> set[str]:
        layout.arrange({**rows, "stalled_s": np.array([np.nan, stalled_s])}, "bytes", width, width - 1)
        assert layout.width < width
        return {slot.column.name for slot in layout.slots}

    queues = {"rx_queue_bytes", "tx_queue_bytes"} if width >= 100 else set()
    assert not {"stalled_s", *queues} & names(np.nan)
    assert {"pid", "comm", "raddr", "tx_bytes", "stalled_s", *queues} <= names(840.0)
    assert {"stalled_s", *queues} <= names(np.nan), "nothing jumps when it goes on"
