"""Frames made by arithmetic, through the production path: a Source like any other.

Every figure follows from the tick number alone, so a picture of tick 30 is the
same on every machine.  The panes are declarations of every shape, chart and
unit, kept apart from the real ones so that a reworded help text changes no
picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ktop.frame import Array, Facts, Frame, Histogram, Reading, Rows, Sample, Status
from ktop.pane import Column, Fold, Heatmap, Lines, Pane, RowHistogram, Shape, Unit
from ktop.source import HOST, Identity, Publish
from ktop.stats import log2_bounds, log_linear_bounds, percentile, ratio

START = 1_790_000_000.0
"""Unix time of tick 0: 2026-09-21 14:13:20 UTC."""
CPUS = 4
PID_MAX_LIMIT = 1 << 22
"""No kernel gives a PID as high (include/linux/threads.h)."""
BOUNDS = log_linear_bounds(160, 1000.0)
TASK_BOUNDS = log2_bounds(24)
COMMS = (
    b"postgres",
    b"nginx",
    b"kworker/u8:3",
    b"java",
    b"python3",
    b"redis-server",
    b"node",
    b"rsync",
    b"sshd",
    b"systemd-journal",
    b"containerd",
    b"dockerd",
    b"cron",
    b"backup.sh",
    b"make",
    b"cc1plus",
    b"prometheus",
    b"grafana",
    b"etcd",
    b"kubelet",
    b"haproxy",
    b"memcached",
    b"mysqld",
    b"tar",
)
HOSTILE = (
    b"\x1b[2J\x1b[31mred",
    b"[bold]brackets[/]",
    b"two\nlines\ttab",
    b"\xff\xfe\xc3(",
    "\u202eesrever".encode(),
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467".encode()[:15],
)


def nothing(_previous: Reading, _current: Reading, _facts: Facts) -> Sample:
    """Compute nothing: these panes are fed with Frames."""
    raise NotImplementedError


def _runqlat_derive(rows: dict[str, Array]) -> dict[str, Array]:
    rows["p50_us"] = percentile(rows["hist"], TASK_BOUNDS, 0.5)
    rows["p99_us"] = percentile(rows["hist"], TASK_BOUNDS, 0.99)
    return rows


def _cache_derive(rows: dict[str, Array]) -> dict[str, Array]:
    rows["hit_ratio"] = ratio(rows["hits"], rows["accesses"])
    return rows


def _llc_derive(rows: dict[str, Array]) -> dict[str, Array]:
    rows["hit_ratio"] = 1.0 - ratio(rows["misses"], rows["references"])
    return rows


PID = Column("pid", "PID", Unit.NUMBER, "Process id, in ktop's PID namespace.", Fold.LAST)
COMM = Column("comm", "COMMAND", Unit.TEXT, "Name of the process.", Fold.LAST, width=15)

RUNQLAT = Pane(
    name="runqlat",
    question="Who waits for a CPU, and how long?",
    family="sched",
    columns=(
        PID,
        COMM,
        Column("waits", "WAITS", Unit.COUNT, "Times a thread waited for a CPU."),
        Column("wait_us", "WAIT", Unit.US, "Time spent waiting."),
        Column("p50_us", "P50", Unit.US, "Half of the waits were shorter.", Fold.DERIVED),
        Column("p99_us", "P99", Unit.US, "99 in 100 waits were shorter.", Fold.DERIVED),
        Column("max_us", "MAX", Unit.US, "The longest wait.", Fold.MAX),
        Column(
            "hist",
            "WAITS BY LENGTH",
            Unit.HISTOGRAM,
            "Waits by length.",
            from_width=100,
            bounds=TASK_BOUNDS,
            longest="max_us",
        ),
    ),
    key=("pid",),
    sort="wait_us",
    compute=nothing,
    derive=_runqlat_derive,
    chart=Heatmap("Run-queue latency", by_cpu=True, longest="max_us"),
)
BIOTOP = Pane(
    name="biotop",
    question="Who reads and writes which disk, and how long does it take?",
    family="block",
    columns=(
        PID,
        COMM,
        Column("disk", "DISK", Unit.TEXT, "The disk.", Fold.LAST, width=8),
        Column("read_ops", "READS", Unit.COUNT, "Reads completed."),
        Column("write_ops", "WRITES", Unit.COUNT, "Writes completed."),
        Column("read_bytes", "READ", Unit.BYTES, "Bytes read."),
        Column("write_bytes", "WRITTEN", Unit.BYTES, "Bytes written."),
        Column("max_us", "MAX", Unit.US, "The slowest.", Fold.MAX),
    ),
    key=("pid", "disk"),
    sort="write_bytes",
    compute=nothing,
    chart=Heatmap("Block I/O latency", longest="max_us"),
)
CACHESTAT = Pane(
    name="cachestat",
    question="Does the page cache serve the reads?",
    family="cache",
    columns=(
        PID,
        COMM,
        Column("accesses", "ACCESSES", Unit.COUNT, "Pages looked up."),
        Column("hits", "HITS", Unit.COUNT, "Pages found."),
        Column("hit_ratio", "HIT", Unit.RATIO, "hits / accesses.", Fold.DERIVED),
        Column("cached_bytes", "CACHED", Unit.BYTES, "Size of the page cache.", Fold.LAST, hidden=True),
    ),
    key=("pid",),
    sort="accesses",
    compute=nothing,
    derive=_cache_derive,
    chart=Lines("Page cache", groups=(("hit_ratio",), ("cached_bytes",))),
    host_row=True,
)
HARDIRQS = Pane(
    name="hardirqs",
    question="Which interrupts take the time, and on which CPUs?",
    family="irq",
    columns=(
        Column("irq", "IRQ", Unit.NUMBER, "Number of the line.", Fold.LAST),
        Column("name", "NAME", Unit.TEXT, "Name of the handler.", Fold.LAST, width=20),
        Column("count", "COUNT", Unit.COUNT, "How often."),
        Column("total_us", "TOTAL", Unit.US, "Time in the handler."),
        Column("max_us", "MAX", Unit.US, "The longest run.", Fold.MAX),
        Column("cpus", "CPUS", Unit.BY_CPU, "Runs by CPU."),
        Column(
            "hist", "", Unit.HISTOGRAM, "Runs by length.", hidden=True, bounds=TASK_BOUNDS, longest="max_us"
        ),
    ),
    key=("irq",),
    sort="total_us",
    compute=nothing,
    chart=RowHistogram("Time in the handler", "hist", label="name"),
)
LLCSTAT = Pane(
    name="llcstat",
    question="Whose memory accesses miss the last-level cache?",
    family="llc",
    columns=(
        PID,
        COMM,
        Column("references", "REFERENCES", Unit.COUNT, "Accesses to the cache."),
        Column("misses", "MISSES", Unit.COUNT, "Those that missed."),
        Column("hit_ratio", "HIT", Unit.RATIO, "1 - misses / references.", Fold.DERIVED),
    ),
    key=("pid",),
    sort="misses",
    compute=nothing,
    derive=_llc_derive,
)
EXECSNOOP = Pane(
    name="execsnoop",
    question="What is being started?",
    family="exec",
    columns=(
        Column("time", "TIME", Unit.TIME, "When it started.", Fold.LAST),
        PID,
        Column("ppid", "PPID", Unit.NUMBER, "Its parent.", Fold.LAST),
        COMM,
        Column("argv", "ARGUMENTS", Unit.ARGS, "Its arguments.", Fold.LAST, width=30),
        Column("exit_code", "EXIT", Unit.NUMBER, "Exit code.", Fold.LAST),
        Column("duration_s", "LASTED", Unit.SECONDS, "From exec to exit.", Fold.LAST),
        Column("error", "ERROR", Unit.TEXT, "Why it failed.", Fold.LAST, alarm=True, on_demand="failed"),
    ),
    key=("pid", "time"),
    sort="time",
    compute=nothing,
    shape=Shape.EVENTS,
    on_demand=("failed",),
)
PROFILE = Pane(
    name="profile",
    question="Where is the CPU time spent?",
    family="profile",
    columns=(
        PID,
        COMM,
        Column("samples", "SAMPLES", Unit.COUNT, "Samples at 49 Hz per CPU."),
        Column("user_stack", "USER", Unit.STACK, "Frames in user space, innermost last.", Fold.LAST),
        Column("kernel_stack", "KERNEL", Unit.STACK, "Frames in the kernel.", Fold.LAST),
    ),
    key=("pid", "user_stack", "kernel_stack"),
    sort="samples",
    compute=nothing,
    shape=Shape.STACKS,
    resident=False,
)
PANES = (RUNQLAT, BIOTOP, CACHESTAT, HARDIRQS, LLCSTAT, EXECSNOOP, PROFILE)
NO_PMU = (
    "This host has no hardware performance counters (perf_event_open: ENOENT, errno 2), as most virtual "
    "machines. Nothing is counted, so nothing is shown. On the hypervisor: give the guest a virtual PMU "
    "(QEMU: -cpu host,pmu=on)."
)


def _noise(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).random(shape)


def _processes(tick: int, hostile: bool, count: int) -> dict[str, Array]:
    names = (HOSTILE + COMMS) if hostile else COMMS
    pids = np.arange(count) * 137 + 301
    comm = np.array([names[i % len(names)] for i in range(count)], dtype="S16")
    keep = (np.arange(count) + tick) % 11 != 0
    keep[:8] = True
    return {"pid": pids[keep], "comm": comm[keep], "_weight": (1.0 / (1 + np.arange(count)))[keep]}


class Synthetic:
    """A Source under the test's control: nothing comes until ``tick`` is called."""

    def __init__(
        self, *, hostile: bool = False, rows: int = 24, recorded: bool = False, elsewhere: bool = False
    ) -> None:
        """Make ``rows`` processes; ``hostile`` ones lead the list when asked for.

        Those ``elsewhere`` have PIDs that no process of this host can have.
        """
        self.identity = Identity(
            "db-07.example", "6.18.0-amd64", CPUS, recorded, recorded_s=1.0 if recorded else 0.0
        )
        self.interval_s = 1.0
        self.hostile, self.count = hostile, rows
        self.pids_from = PID_MAX_LIMIT if elsewhere else 0
        self.started = False
        self.stopped = False
        self.looked_at: tuple[str, ...] = ()
        self.demands: list[tuple[str, str, bool]] = []
        self.measured: list[float] = []
        self.ticks = 0
        self.gone: set[int] = set()
        self._publish: Publish | None = None

    def start(self, publish: Publish) -> None:
        """Remember where Frames go."""
        self._publish, self.started = publish, True

    def stop(self) -> None:
        """Publish nothing more."""
        self.stopped, self._publish = True, None

    def look_at(self, panes: tuple[str, ...]) -> None:
        """Note what is on the screen."""
        self.looked_at = panes

    def demand(self, pane: str, group: str, on: bool) -> None:
        """Note what was asked for."""
        self.demands.append((pane, group, on))

    def set_interval(self, seconds: float) -> None:
        """Note the interval."""
        self.interval_s = seconds

    def measure_cost(self, seconds: float) -> str | None:
        """Note the request."""
        self.measured.append(seconds)
        return "There is nothing to measure." if self.identity.recorded else None

    def tick(self, count: int = 1) -> None:
        """Publish ``count`` ticks of all panes."""
        for _ in range(count):
            if self._publish is None:
                return
            for frame in self.frames(self.ticks):
                self._publish(frame)
            self.ticks += 1

    def fail(self, why: str) -> None:
        """Say that nothing more comes."""
        assert self._publish is not None
        self._publish(Frame(HOST, START + self.ticks, 1.0, {}, status=Status(unavailable=why)))

    def frames(self, tick: int) -> list[Frame]:
        """Return the Frames of one tick."""
        ts = START + tick
        who = _processes(tick, self.hostile, self.count)
        keep = ~np.isin(who["pid"], list(self.gone))
        who = {name: column[keep] for name, column in who.items()}
        weight = who.pop("_weight")
        live = Status(hooks={"wakeup": "tp_btf", "switch": "tp_btf"}, unattributed_ratio=0.012)
        out = [_host(ts, tick), _frame(RUNQLAT, ts, *_runqlat(tick, who, weight), status=live)]
        out.append(_frame(BIOTOP, ts, *_biotop(tick, who, weight), status=live))
        out.append(_frame(CACHESTAT, ts, *_cachestat(tick, who, weight), status=live))
        out.append(_frame(HARDIRQS, ts, _hardirqs(tick), {}, (), status=live))
        out.append(_frame(LLCSTAT, ts, {}, {}, (), status=Status(unavailable=NO_PMU)))
        out.append(_frame(EXECSNOOP, ts, _execsnoop(tick, ts), {}, (), status=live))
        out.append(_frame(PROFILE, ts, _profile(tick, who, weight), {}, (), status=live))
        return [replace(frame, rows=self._placed(frame.rows)) for frame in out]

    def _placed(self, rows: Rows) -> Rows:
        return {
            name: column + self.pids_from if name in {"pid", "ppid"} else column
            for name, column in rows.items()
        }


def _frame(  # noqa: PLR0913 - what a Frame has
    pane: Pane,
    ts: float,
    rows: Rows,
    host: dict[str, float],
    histograms: tuple[Histogram, ...],
    *,
    status: Status,
) -> Frame:
    return Frame(pane.name, ts, 1.0, pane.derive(dict(rows)) if rows else rows, host, histograms, status)


def _host(ts: float, tick: int) -> Frame:
    wave = 0.5 + 0.5 * np.sin(tick / 7)
    figures = {
        "uptime_s": 86_400.0 * 12 + 3_600 * 4 + tick,
        "load1": 1.2 + wave,
        "load5": 1.1,
        "load15": 0.97,
        "cpu_ratio": 0.2 + 0.5 * wave,
        "memory_used_bytes": 11.3e9,
        "memory_total_bytes": 16.6e9,
        "swap_used_bytes": 0.0,
        "pressure_cpu": 0.02 + 0.1 * wave,
        "pressure_io": 0.31 * wave,
        "pressure_memory": 0.0,
        "self_cpu_ratio": 0.006,
        "self_rss_bytes": 61.2e6,
    }
    return Frame(HOST, ts, 1.0, {}, figures)


def _heat(tick: int, per_second: float, seed: int) -> Array:
    """Return counts by slot: two humps, the slow one swelling now and then; shape (160,)."""
    slots = np.arange(160)
    swell = max(0.0, np.sin(tick / 5)) ** 4
    fast = np.exp(-0.5 * ((slots - 66) / 7) ** 2)
    slow = 0.25 * swell * np.exp(-0.5 * ((slots - 112) / 6) ** 2)
    counts: Array = np.floor((fast + slow) * per_second * (0.6 + 0.8 * _noise(160, seed=seed + tick)))
    return counts.astype(np.int64)


def _runqlat(tick: int, who: Rows, weight: Array) -> tuple[Rows, dict[str, float], tuple[Histogram, ...]]:
    waits = np.floor(4_000 * weight * (0.5 + _noise(len(weight), seed=tick))).astype(np.int64)
    middle = 3 + 9 * _noise(len(weight), seed=5)
    hist = np.floor(
        waits[:, None] * np.exp(-0.5 * ((np.arange(24) - middle[:, None]) / 1.3) ** 2) / 3.3
    ).astype(np.int64)
    rows = {
        **who,
        "waits": waits,
        "wait_us": waits * 2.0**middle,
        "max_us": 2.0 ** (middle + 3 + 2 * _noise(len(weight), seed=tick + 9)),
        "hist": hist,
    }
    each = [_heat(tick, 40 * (1 + cpu), 100 + cpu) for cpu in range(CPUS)]
    histograms = (
        Histogram(BOUNDS, np.sum(each, axis=0)),
        *(Histogram(BOUNDS, counts, cpu) for cpu, counts in enumerate(each)),
    )
    return rows, {}, histograms


def _biotop(tick: int, who: Rows, weight: Array) -> tuple[Rows, dict[str, float], tuple[Histogram, ...]]:
    noise = 0.5 + _noise(len(weight), seed=tick + 1000)
    writes = np.floor(900 * weight * noise).astype(np.int64)
    reads = np.floor(300 * weight[::-1] * noise).astype(np.int64)
    rows = {
        **who,
        "disk": np.array([b"nvme0n1", b"sda"] * len(weight), dtype="S32")[: len(weight)],
        "read_ops": reads,
        "write_ops": writes,
        "read_bytes": reads * 16384,
        "write_bytes": writes * 65536,
        "max_us": 90.0 * (1 + 40 * noise * weight),
    }
    return rows, {}, (Histogram(BOUNDS, _heat(tick, 20, 300)),)


def _cachestat(tick: int, who: Rows, weight: Array) -> tuple[Rows, dict[str, float], tuple[Histogram, ...]]:
    accesses = np.floor(50_000 * weight * (0.5 + _noise(len(weight), seed=tick + 2000))).astype(np.int64)
    hits = np.floor(accesses * (1 - 0.3 * _noise(len(weight), seed=7))).astype(np.int64)
    rows = {**who, "accesses": accesses, "hits": hits, "cached_bytes": np.full(len(weight), np.nan)}
    host = {"hit_ratio": 0.9 - 0.2 * np.sin(tick / 9) ** 2, "cached_bytes": 6.1e9 + 4e7 * tick}
    return rows, host, ()


def _hardirqs(tick: int) -> Rows:
    names = (b"local timer", b"nvme0q1", b"eth0-rx-0", b"reschedule", b"call function", b"i8042")
    count = np.array([1000, 412, 388, 260, 31, 0]) + (np.arange(6) * tick) % 17
    hist = np.floor(
        count[:, None] * np.exp(-0.5 * ((np.arange(24) - 3 - np.arange(6)[:, None] / 2) / 1) ** 2)
    )
    return {
        "irq": np.array([236, 33, 41, 253, 251, 1]),
        "name": np.array(names, dtype="S32"),
        "count": count,
        "total_us": count * np.array([2.1, 5.5, 9.2, 0.8, 1.1, 3.0]),
        "max_us": np.array([22.0, 48.0, 131.0, 6.0, 9.0, np.nan]),
        "cpus": np.floor(count[:, None] * _noise(6, CPUS, seed=3)).astype(np.int64),
        "hist": hist.astype(np.int64),
    }


def _execsnoop(tick: int, ts: float) -> Rows:
    argv = np.empty(2, dtype=object)
    argv[0] = b"/bin/sh\0-c\0df -h | mail -s 'disk' root\0"
    argv[1] = b"/usr/bin/df\0-h\0"
    return {
        "time": np.array([ts - 0.6, ts - 0.4]),
        "pid": np.array([9000 + 2 * tick, 9001 + 2 * tick]),
        "ppid": np.array([9, 9000 + 2 * tick]),
        "comm": np.array([b"sh", b"df"], dtype="S16"),
        "argv": argv,
        "exit_code": np.array([np.nan, 0.0]),
        "duration_s": np.array([np.nan, 0.0042]),
        "error": np.array([None, None]),
    }


def _profile(tick: int, who: Rows, weight: Array) -> Rows:
    stacks: tuple[tuple[list[str], list[str]], ...] = (
        (["main", "serve", "parse"], []),
        (["main", "serve", "write"], ["entry_SYSCALL_64", "do_syscall_64", "ksys_write", "vfs_write"]),
        (["main", "collect", "mark_roots"], []),
    )
    total = min(len(weight), 6)
    user, kernel = np.empty(total, dtype=object), np.empty(total, dtype=object)
    for i in range(total):
        user[i], kernel[i] = stacks[(i + tick) % 3]
    return {
        "pid": who["pid"][:total],
        "comm": who["comm"][:total],
        "samples": np.floor(90 * weight[:total]).astype(np.int64),
        "user_stack": user,
        "kernel_stack": kernel,
    }
