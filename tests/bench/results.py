"""RESULTS.md: a section for each question, each with its date; above them the machine and the goals."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import GOALS, SHORT, Section, table

QUOTED = "costs: made by bin/bench"
_TITLE = """# What ktop costs, beside what people use today

Written by `sudo bin/bench`, which runs what it compares in turn on one machine; all claims are \
ratios of one run. `bin/bench NAME` replaces one section. Medians, in parentheses the least and the most.
"""


def machine() -> str:
    """Return what these figures were measured on, as Markdown."""
    cpu = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    clock = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text("ascii")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = {
        "CPUs": f"{os.cpu_count()} x {cpu[0] if cpu else platform.machine()}",
        "memory": f"{pages / 2**30:.0f} GiB",
        "kernel": f"{platform.release()} ({platform.machine()})",
        "clocksource": clock.strip(),
        "virtualisation": _virtualisation(),
        "peers": ", ".join(_versions()),
    }
    return table(("machine", ""), list(found.items()), text=True)


def _virtualisation() -> str:
    flags = Path("/proc/cpuinfo").read_text("utf-8")
    if " hypervisor" not in flags:
        return "none"
    vendor = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Hypervisor vendor:\s*(.*)", vendor)
    return f"a guest ({found[1]})" if found else "a guest"


def _versions() -> list[str]:
    names = ("libbpf-tools", "bpftrace", "bpfcc-tools", "htop", "stress-ng", "fio", "iperf3")
    found = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.splitlines()


def _commit(directory: Path) -> str:
    """Return the commit that is checked out there; nothing without git, or outside of a checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=directory
        ).stdout.strip()
    except FileNotFoundError:
        return ""


def put(path: Path, section: Section, order: Sequence[str], readme: Path | None = None) -> None:
    """Replace ``section`` in the file, and write anew what stands above all sections and in the README."""
    old = path.read_text("utf-8") if path.exists() else ""
    texts = {name: _between(old, name) for name in order}
    now = dt.datetime.now(dt.UTC)
    commit = _commit(path.parent)
    stamp = f"*Measured on {now:%Y-%m-%d at %H:%M} UTC" + (f", at commit {commit}.*" if commit else ".*")
    heading, _, rest = section.text().partition("\n\n")
    texts[section.name] = f"{heading}\n\n{stamp}\n\n{rest.strip()}"
    goals = [row for text in texts.values() for row in _rows(text, GOALS)]
    missed = [row for row in goals if "**missed**" in row]
    short = _table(SHORT, [row for text in texts.values() for row in _rows(text, SHORT)])
    parts = [
        _TITLE.strip(),
        machine(),
        f"## In short\n\n{short}",
        f"## Goals\n\n{len(goals) - len(missed)} of {len(goals)} reached. Those that were not:",
        _table(GOALS, missed),
        *(f"<!-- {name} -->\n{text}\n<!-- {name}: end -->" for name, text in texts.items() if text),
    ]
    path.write_text("\n\n".join(parts) + "\n", "utf-8")
    if readme is not None:
        _quote(readme, f"Measured on {now:%Y-%m-%d}, {os.cpu_count()} CPUs, Linux {_version()}.\n\n{short}")


def _version() -> str:
    return ".".join(platform.release().split(".")[:2])


def _quote(readme: Path, text: str) -> None:
    """Replace what the README quotes; nothing where it does not."""
    old = readme.read_text("utf-8")
    before = _between(old, QUOTED)
    if before:
        readme.write_text(old.replace(before, text), "utf-8")


def _between(text: str, name: str) -> str:
    found = re.search(
        rf"<!-- {re.escape(name)} -->\n(.*?)\n<!-- {name.partition(':')[0]}: end -->", text, re.DOTALL
    )
    return found[1] if found else ""


def _rows(text: str, header: Sequence[str]) -> list[str]:
    """Return the lines of the table with that header in a section."""
    lines = iter(text.splitlines())
    if _table(header, []).splitlines()[0] not in lines:
        return []
    next(lines)
    return list(itertools.takewhile(lambda line: line.startswith("|"), lines))


def _table(header: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([*table(header, [], text=True).splitlines(), *rows])
