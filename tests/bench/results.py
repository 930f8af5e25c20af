"""RESULTS.md: a section for each question, each with its date; above them the machine and the goals."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import GOALS, Section, table

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


def put(path: Path, section: Section, order: Sequence[str]) -> None:
    """Replace ``section`` in the file, and write anew what stands above all sections."""
    old = path.read_text("utf-8") if path.exists() else ""
    texts = {name: _cut(old, name) for name in order}
    now = dt.datetime.now(dt.UTC)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=path.parent
    ).stdout.strip()
    stamp = f"*Measured on {now:%Y-%m-%d at %H:%M} UTC" + (f", at commit {commit}.*" if commit else ".*")
    heading, _, rest = section.text().partition("\n\n")
    texts[section.name] = f"{heading}\n\n{stamp}\n\n{rest.strip()}"
    goals = [row for text in texts.values() for row in _goals(text)]
    missed = sum("**missed**" in row for row in goals)
    parts = [
        _TITLE.strip(),
        machine(),
        f"## Goals\n\n{len(goals) - missed} of {len(goals)} reached. Those that were not:",
        "\n".join(
            [*table(GOALS, [], text=True).splitlines(), *(row for row in goals if "**missed**" in row)]
        ),
        *(f"<!-- {name} -->\n{text}\n<!-- {name}: end -->" for name, text in texts.items() if text),
    ]
    path.write_text("\n\n".join(parts) + "\n", "utf-8")


def _cut(text: str, name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- {name}: end -->", text, re.DOTALL)
    return found[1] if found else ""


def _goals(text: str) -> list[str]:
    """Return the lines of a section's table of goals."""
    lines = text.splitlines()
    header = table(GOALS, [], text=True).splitlines()[0]
    if header not in lines:
        return []
    return [line for line in lines[lines.index(header) + 2 :] if line.startswith("|")]
