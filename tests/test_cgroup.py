"""Cgroups as people call them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop import registry
from ktop.cgroup import LONGEST, container, label
from ktop.frame import Array, Facts, Reading, Sample
from ktop.kernel.cgroups import Cgroups
from ktop.live.live_pane import LivePane
from ktop.live.sampler import Sampler
from ktop.pane import CGROUP, Column, Pane, Unit

ID = b"3f29e6ac" * 8
SHORT = b"3f29e6ac3f29"
PLAIN = Column("cgroup", "CGROUP", Unit.NUMBER, "Some number.")
USER = b"/user.slice/user-1000.slice/user@1000.service"


@pytest.mark.parametrize(
    "path",
    [
        b"/docker/" + ID,
        b"/system.slice/docker-" + ID + b".scope",
        b"/system.slice/docker-" + ID + b".scope/system.slice/nginx.service",
        b"/system.slice/docker-" + ID + b".scope/docker/" + ID[::-1],
        b"/machine.slice/libpod-" + ID + b".scope/container",
        b"/kubepods.slice/kubepods-pod7b1c_2f.slice/cri-containerd-" + ID + b".scope",
        b"/kubepods/burstable/pod7b1c-2f/" + ID,
        b"/kubepods.slice/kubepods-pod7.slice/crio-" + ID + b".scope",
        b"/machine.slice/libpod-conmon-" + ID + b".scope",
        b"/docker/" + ID + b"/system.slice/nginx.service",
        b"/docker/" + ID + b"/docker/" + ID[::-1],
        b"/nomad.slice/docker-" + ID + b".scope",
    ],
)
def test_a_container_has_its_id(path: bytes) -> None:
    assert container(path) == label(path) == SHORT


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (b"/system.slice/containerd.service/kubepods-pod7.slice:cri-containerd:" + ID, b"containerd.service"),
        (b"/system.slice/docker.service/docker/" + ID + b"/init.scope", b"docker.service"),
        (b"/system.slice/web.service/libpod-payload-" + ID, b"web.service"),  # of a quadlet
        (b"/machine.slice/systemd-nspawn@w.service/payload/docker/" + ID, b"systemd-nspawn@w.service"),
        (b"/user.slice/user-7.slice/session-3.scope/docker/" + ID, b"session-3.scope"),
        (USER + b"/app.slice/x.service/" + ID, b"user@1000/x.service"),
        (b"/system.slice/bob.service/" + ID, b"bob.service"),
        (b"/system.slice/bob.service/docker-" + ID + b".scope", b"bob.service"),
        (b"/system.slice/run-r1.scope/docker/" + ID, b"run-r1.scope"),
    ],
)
def test_what_is_below_a_unit_says_whose_it_is(path: bytes, unit: bytes) -> None:
    assert label(path) == unit + b"/" + SHORT


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/", b"/"),
        (b"", b"/"),
        (b"/system.slice/postgresql@15-main.service", b"postgresql@15-main.service"),
        (b"/system.slice/containerd.service/payload/7", b"containerd.service"),
        (b"/user.slice/user-1000.slice/session-3.scope", b"session-3.scope"),
        (USER, b"user@1000.service"),
        (USER + b"/init.scope", b"user@1000/init.scope"),
        (USER + b"/app.slice/app-x.slice/x.service/sub", b"user@1000/x.service"),
        (USER + b"/user.slice/libpod-" + ID + b".scope/container", b"user@1000/3f29e6ac3f29"),
        (b"/init.scope", b"init.scope"),
        (b"/lxc.payload.web/system.slice/nginx.service", b"web"),
        (b"/lxc.payload.web/system.slice/docker-" + ID + b".scope", b"web"),
        (b"/lxc/db/init.scope", b"db"),
        (b"/machine.slice/machine-qemu\\x2d1.scope/libvirt/vcpu0", b"machine-qemu\\x2d1.scope"),
        (b"/tenants/acme/web", b"tenants/acme/web"),
        (b"/machine.slice", b"machine.slice"),
        (b"/a/" + ID[:30], b"a/" + ID[:30]),
        (b"/\xff\x1b[2J", b"\xff\x1b[2J"),
        (b"/two\nlines.service/x", b"two\nlines.service"),
    ],
)
def test_everything_else_what_it_is_of(path: bytes, name: bytes) -> None:
    assert label(path) == name


def test_units_of_one_name_are_told_apart() -> None:
    users = [b"/user.slice/user-%d.slice/user@%d.service/app.slice/x.service" % (uid, uid) for uid in (1, 2)]
    machines = [b"/lxc.payload.%s/system.slice/x.service" % name for name in (b"a", b"b")]
    paths = [*users, *machines, b"/system.slice/x.service"]
    assert len({label(path) for path in paths}) == len(paths)


@pytest.mark.parametrize(
    "below",
    [
        b"/lxc/nginx.service",
        b"/lxc/web",
        b"/lxc.payload.web",
        b"/lxc/(gone)",
        b"/machine.slice/machine-qemu.scope",
        b"/user.slice/user-7.slice/user@7.service/x.service",
        b"/" + ID,
        b"/app.slice/nginx.service",
        b"/" + b"x" * 200,
        b"/a/b",
    ],
)
def test_what_a_user_makes_says_whose_it_is(below: bytes) -> None:
    assert label(USER + below).startswith(b"user@1000/")


def test_a_unit_cannot_call_itself_another() -> None:
    assert label(b"/system.slice/mine.service/nginx.service") == b"mine.service"
    assert label(b"/system.slice/mine.service/lxc/web") == b"mine.service"


def test_a_long_name_is_cut_and_told_from_others() -> None:
    first, second = (label(b"/tenants/%s/" % name + b"w" * 100) for name in (b"acme", b"globex"))
    assert first != second
    assert first.startswith(b"tenants/acme/www")
    assert len(first) == len(second) == LONGEST
    label(b"/" + "é".encode() * 100).decode()  # not cut within a character


@given(
    st.lists(
        st.sampled_from([b"x.service", b"user@1.service", b"lxc", b"a", ID, b"\xff", b"..."]) | st.binary()
    )
)
def test_there_is_always_a_name_that_is_not_too_long(parts: list[bytes]) -> None:
    assert 0 < len(label(b"/" + b"/".join(parts))) <= LONGEST


class Asked(Cgroups):
    """Knows every name, and how many it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def _ask(self, ids: set[int]) -> None:
        self.count += len(ids)
        self._known.update((number, b"%d" % number) for number in ids)


def test_more_cgroups_than_are_kept_are_asked_for_once() -> None:
    cgroups, ids = Asked(), np.arange(1, 5001, dtype=np.uint64)
    for _ in range(3):
        assert cgroups.labels(ids)[[0, 4999]].tolist() == [b"1", b"5000"]
    assert cgroups.count == 5000


def test_cgroups_in_use_are_kept_while_others_come_and_go() -> None:
    """Beside one pane with many, another sees some new ones at each reading."""
    cgroups, ids = Asked(), np.arange(1, 4001, dtype=np.uint64)
    for reading in range(100):
        cgroups.labels(ids)
        brief = np.arange(50, dtype=np.uint64) + 10_000 + 50 * reading
        assert cgroups.labels(brief).tolist() == [b"%d" % number for number in brief.tolist()]
    assert cgroups.count == 4000 + 100 * 50
    assert len(cgroups._known) + len(cgroups._before) < 3 * 4096, "those that went are forgotten"


@pytest.mark.parametrize(("column", "shown"), [(CGROUP, [b"40", b"41"]), (PLAIN, [40, 41])])
def test_an_id_gets_its_name_between_compute_and_derive(column: Column, shown: list[object]) -> None:
    """And a column that is merely called so is left alone."""

    def compute(_previous: Reading, _current: Reading, _facts: Facts) -> Sample:
        return Sample({"pid": np.array([7, 8]), "cgroup": np.array([40, 41], dtype=np.uint64)})

    def derive(rows: dict[str, Array]) -> dict[str, Array]:
        assert rows["cgroup"].tolist() == shown
        return rows

    pid = Column("pid", "PID", Unit.NUMBER, "Who.")
    live = LivePane(Pane("p", "?", "f", (pid, column), ("pid",), "pid", compute, derive), {}, Asked())
    assert live.sample(Reading(0, {}), Facts()) is None
    frame = live.sample(Reading(1, {}), Facts())
    assert frame is not None
    assert frame.rows["cgroup"].tolist() == shown


def test_all_panes_ask_once_together() -> None:
    assert len({id(live._cgroups) for live in Sampler(registry.panes())._panes.values()}) == 1
