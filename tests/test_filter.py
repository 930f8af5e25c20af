"""The language of ``/``: what each term means, and what is said about one that means nothing."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ktop.pane import Column, Pane, Unit
from ktop.tables.filter import FilterError, parse


def compute(*_):
    raise NotImplementedError


def pane(name, *columns):
    declared = tuple(Column(column, title, unit, "Help.") for column, title, unit in columns)
    return Pane(name, "?", "family", declared, ("pid",), "pid", compute)


def v4(text):
    return b"\0" * 10 + b"\xff\xff" + bytes(int(part) for part in text.split("."))


NET = pane(
    "net",
    ("pid", "PID", Unit.NUMBER),
    ("comm", "COMMAND", Unit.TEXT),
    ("raddr", "REMOTE", Unit.ADDRESS),
    ("rport", "PORT", Unit.NUMBER),
    ("tx_bytes", "SENT", Unit.BYTES),
    ("retrans", "RETR", Unit.COUNT),
)
SCHED = pane(
    "sched",
    ("pid", "PID", Unit.NUMBER),
    ("comm", "COMMAND", Unit.TEXT),
    ("argv", "ARGS", Unit.ARGS),
    ("p99_us", "P99", Unit.US),
    ("hit_ratio", "HIT", Unit.RATIO),
    ("failed", "FAILED", Unit.FLAG),
    ("exit_code", "EXIT", Unit.NUMBER),
    ("duration_s", "FOR", Unit.SECONDS),
    ("user_stack", "STACK", Unit.STACK),
)
PANES = (NET, SCHED)
NET_ROWS = {
    "pid": np.array([1, 22, 443, 4]),
    "comm": np.array([b"nginx", b"Postgres", b"curl", b"\x1b[31mred\xff"], dtype="S16"),
    "raddr": np.frombuffer(
        v4("10.0.0.1") + v4("10.0.1.2") + bytes.fromhex("fe80" + "0" * 27 + "1") + v4("127.0.0.1"),
        dtype="V16",
    ),
    "rport": np.array([443, 5432, 80, 443], dtype=np.uint16),
    "tx_bytes": np.array([0, 1 << 20, 5 << 20, 100], dtype=np.uint64),
    "retrans": np.array([0, 1, 1500, 2]),
}
STACKS = np.empty(4, dtype=object)
STACKS[:] = [["main", "malloc"], [], None, ["Main::run"]]
SCHED_ROWS = {
    "pid": np.array([1, 2, 3, 4]),
    "comm": np.array([b"postgres", b"postmaster", b"nginx", "漢字".encode()], dtype="S16"),
    "argv": np.array([b"postgres\0-D\0/var/lib\0", None, b"nginx\0two words\0", b"a\nb\0"], dtype=object),
    "p99_us": np.array([500.0, np.nan, 20_000.0, 2e6]),
    "hit_ratio": np.array([0.5, np.nan, 0.99, 1.0]),
    "failed": np.array([True, False, False, True]),
    "exit_code": np.array([0, None, 1, 2], dtype=object),
    "duration_s": np.array([0.5, np.nan, 60.0, 3600.0]),
    "user_stack": STACKS,
}


def matches(text, which=SCHED, rows=SCHED_ROWS):
    return np.flatnonzero(parse(text, PANES).mask(which, rows)).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3]),
        ("nginx", [0]),
        ("NGINX", [0]),
        ("postgres", [1]),
        ("10.0.", [0, 1]),
        ("fe80::1", [2]),
        ("443", [0, 2, 3]),
        ("44", []),
        (r"\x1b", [3]),
        (r"\xff", [3]),
        ("[31m", [3]),
        ("pid:1,4", [0, 3]),
        ("pid=22", [1]),
        ("pid!=22", [0, 2, 3]),
        ("port:443", [0, 3]),
        ("raddr:10.0.*", [0, 1]),
        ("remote:127.0.0.1", [3]),
        ("sent>=1M", [1, 2]),
        ("tx>1MiB", [2]),
        ("tx_bytes<1k", [0, 3]),
        ("retrans>1k", [2]),
        ("!nginx !curl", [1, 3]),
        ("!!nginx", [0]),
        ("443 !curl", [0, 3]),
    ],
)
def test_terms_on_connections(text, rows):
    assert matches(text, NET, NET_ROWS) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("comm:post*", [0, 1]),
        ("comm:POST*,nginx", [0, 1, 2]),
        ("command:post", []),
        ("comm:?ginx", [2]),
        ("comm:漢*", [3]),
        ("!comm:post*", [2, 3]),
        ("two words", [2]),
        ('"two words"', [2]),
        ('"words two"', []),
        ("-D", [0]),
        ('"postgres -d"', [0]),
        (r"a\nb", [3]),
        ('argv:"* two words"', [2]),
        ("malloc", [0]),
        ("user_stack:*malloc*", [0]),
        ("p99_us>1000", [2, 3]),
        ("p99>1ms", [2, 3]),
        ("p99_us<=500us", [0]),
        ("P99>=2s", [3]),
        ("!p99_us>1000", [0]),
        ("p99_us!=500us", [2, 3]),
        ("exit!=0", [2, 3]),
        ("!exit:0,1", [3]),
        ("!failed:yes", [1, 2]),
        ("!nginx", [0, 1, 3]),
        ("!user_stack:*malloc*", [1, 2, 3]),
        ("hit<60%", [0]),
        ("hit_ratio<60", [0]),
        ("hit_ratio>=0.99", [2, 3]),
        ("failed:yes", [0, 3]),
        ("failed=no", [1, 2]),
        ("failed:1", [0, 3]),
        ("exit:1,2", [2, 3]),
        ("exit>0", [2, 3]),
        ("duration>1m", [3]),
        ("duration>=1m", [2, 3]),
        ("for<700ms", [0]),
    ],
)
def test_terms_on_processes(text, rows):
    assert matches(text) == rows


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("comm:job[1]", [b"job[1]"]),
        ("comm:[x]", [b"[x]"]),
        ("comm:[*", [b"[x]"]),
        ("comm:job?1]", [b"job[1]"]),
        ("comm:[!a]", []),
        ("!comm:job[1]", [b"job1", b"[x]"]),
        ("job[1]", [b"job[1]"]),
    ],
)
def test_brackets_stand_for_themselves(text, found):
    rows = {"comm": np.array([b"job[1]", b"job1", b"[x]"])}
    assert rows["comm"][parse(text).mask(SCHED, rows)].tolist() == found


def test_a_title_that_two_columns_have_means_either():
    two = pane("two", ("lport", "PORT", Unit.NUMBER), ("rport", "PORT", Unit.NUMBER))
    rows = {"lport": np.array([80, 1, 2, 80]), "rport": np.array([1, 80, 2, 80])}
    assert parse("port:80").mask(two, rows).tolist() == [True, True, False, True]
    assert parse("!port:80").mask(two, rows).tolist() == [False, False, True, False]
    assert parse("rport:80").mask(two, rows).tolist() == [False, True, False, True]


def test_the_other_of_two_columns_may_be_what_was_not_measured():
    two = pane("two", ("lport", "PORT", Unit.NUMBER), ("rport", "PORT", Unit.NUMBER))
    rows = {"lport": np.array([1.0, np.nan, np.nan]), "rport": np.array([2.0, 2.0, 80.0])}
    assert parse("!port:80").mask(two, rows).tolist() == [True, False, False]
    assert parse("port:80").mask(two, rows).tolist() == [False, False, True]


def test_a_ratio_is_in_per_cent_from_one_on():
    rows = {"hit_ratio": np.array([0.005, 0.015, 0.5, 1.0])}
    for text, found in {
        "hit_ratio<1": 1,
        "hit_ratio<2": 2,
        "hit_ratio<60%": 3,
        "hit_ratio<0.6": 3,
        "hit_ratio<50": 2,
        "hit_ratio<100%": 3,
    }.items():
        assert parse(text).mask(SCHED, rows).sum() == found, text


def test_a_term_for_another_pane_hides_nothing_and_says_so():
    both = parse("p99_us>1ms nginx", PANES)
    assert both.mask(SCHED, SCHED_ROWS).tolist() == [False, False, True, False]
    assert both.mask(NET, NET_ROWS).tolist() == [True, False, False, False]
    assert both.applies(SCHED)
    assert not both.applies(NET)
    assert both.ignored(NET) == ("p99_us>1ms",)
    only = parse("!rport:443", PANES)
    assert only.mask(SCHED, SCHED_ROWS).all()


def test_hidden_columns_cannot_be_searched():
    hidden = Column("comm", "COMMAND", Unit.TEXT, "Help.", hidden=True)
    secret = Pane("secret", "?", "family", (hidden,), ("comm",), "comm", compute)
    assert parse("nginx").mask(secret, {"comm": np.array([b"x"])}).all()
    assert not parse("nginx").applies(secret)


def test_without_the_panes_any_name_is_taken():
    assert parse("nope>5").ignored(NET) == ("nope>5",)
    assert parse("nope>5").mask(NET, NET_ROWS).all()
    assert parse("fe80::1").mask(NET, NET_ROWS).tolist() == [False, False, True, False]


def test_a_name_that_no_pane_has_is_plain_text():
    assert parse("nope:5", PANES).terms[0].column == ""
    assert parse("--id=5", PANES).terms[0].column == ""
    assert parse('nope:5 pid:7 --id=5 fe80::1 "x > y" !other=x', PANES).unknown == ("nope", "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pid:", "A value is missing after pid:"),
        ("p99_us>", "A value is missing after p99_us>"),
        ("!", "Nothing stands after ! to look for."),
        ('"open', 'A quotation mark is open: add the second ".'),
        ("pid:abc", "pid is a number, not abc."),
        ("pid:1,abc", "pid is a number, not 1,abc."),
        ("p99_us>fast", "p99_us> needs a number, not fast."),
        ("p99_us>5q", "p99_us is a time such as 10ms, not 5q."),
        ("tx_bytes>5ms", "tx_bytes is a size such as 1M, not 5ms."),
        ("hit:x", "hit is a ratio such as 50%, not x."),
        ("failed:maybe", "failed is yes or no, not maybe."),
        ("comm>5", "comm is text: look for it with comm:5."),
        ("nope>5", "No pane has a column nope."),
        ("p99 > 10ms", "A column stands before >, without a space: p99_us>10ms."),
        ("p99_us >=10ms", "A column stands before >, without a space: p99_us>10ms."),
    ],
)
def test_errors_are_one_clear_sentence(text, message):
    with pytest.raises(FilterError) as error:
        parse(text, PANES)
    assert str(error.value) == message


@given(st.one_of(st.text(max_size=30), st.text(st.sampled_from('ap9_us:><=!,"*?[]\\ 1m%.é'), max_size=30)))
@example("comm:[z-a]*")
@example("p99_us>1e999")
@example("pid:99999999999999999999999999")
def test_any_text_is_a_filter_or_an_error(text):
    for panes in ((), PANES):
        with contextlib.suppress(FilterError):
            which = parse(text, panes)
            for each, rows in ((NET, NET_ROWS), (SCHED, SCHED_ROWS)):
                mask = which.mask(each, rows)
                assert mask.dtype == bool
                assert mask.shape == (4,)
                which.ignored(each)


@given(st.lists(st.binary(max_size=15), min_size=1, max_size=8), st.text(min_size=1, max_size=5))
def test_plain_text_finds_what_is_shown(names, needle):
    """Hostile names too: the fast way through the bytes finds what the slow way would."""
    rows = {"comm": np.array(names, dtype="S16"), "pid": np.zeros(len(names), dtype=int)}
    with contextlib.suppress(FilterError):
        mask = parse(f'"{needle}"').mask(SCHED, rows)
        for name, found in zip(rows["comm"].tolist(), mask, strict=True):
            if needle.isalpha() and needle.isascii() and needle.lower().encode() in name.lower():
                assert found


def test_no_rows_and_missing_columns():
    assert parse("nginx p99>1 pid:3").mask(SCHED, {}).shape == (0,)
    rows = {"pid": np.array([1, 2])}
    assert parse("p99>1 pid:2").mask(SCHED, rows).tolist() == [False, True]
