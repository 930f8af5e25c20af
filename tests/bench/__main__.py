"""Answer what ktop costs beside what people use today, and write RESULTS.md beside this file.

    sudo bin/bench [--quick] [NAME...]

Without names all of them; with names only their sections of RESULTS.md are
replaced.  A quick run prints, and writes nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

from tests.bench import mounts, peers, results
from tests.bench.figures import Section

NAMES = ("probes", "workload", "startup", "steady", "scale", "keys")
RESULTS = Path(__file__).with_name("RESULTS.md")
RAW = Path(os.environ.get("KTOP_BENCH_RAW", "/var/tmp/ktop-bench"))
"""Where all single values go, as JSON, a file for each question."""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="bench", description="what ktop costs, beside what else there is")
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="a few short rounds, to try it; writes nothing")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("it loads BPF programs and times those of others: run it with sudo")
    missing = peers.missing()
    if missing:
        print(f"not installed, so left out where they can be: {', '.join(missing)}", file=sys.stderr)
    mounts.prepare()
    failed = []
    for name in options.names or NAMES:
        begun = time.monotonic()
        try:
            section: Section = importlib.import_module(f"tests.bench.{name}").run(quick=options.quick)
        except Exception:  # noqa: BLE001 - the other questions have their answers all the same
            traceback.print_exc()
            failed.append(name)
            continue
        took = time.monotonic() - begun
        print(f"{section.text()}\n(took {took:.0f} s)\n", flush=True)
        if not options.quick:
            RAW.mkdir(exist_ok=True)
            (RAW / f"{name}.json").write_text(json.dumps(section.raw, default=str) + "\n", "utf-8")
            results.put(RESULTS, section, NAMES, RESULTS.parents[2] / "README.md")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
