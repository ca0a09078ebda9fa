"""How long an audit takes, and how much memory, on repositories of 10,000, 100,000 and 1,000,000 datasets.

    python benchmarks/audit.py                        # the two smaller ones
    python benchmarks/audit.py --full                 # all three: minutes to make, 10 GB of folders and names
    python benchmarks/audit.py --folder /tmp/scale    # keeps the repositories there, and uses those that it finds

The reference is what has to be done at least: each table of the registry read once with plain SQL, each file asked
once for its size. Ratios are of CPU time, which other processes on the machine disturb least. An audit and its
reference are processes of their own, one after the other.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from big_repository import build

SIZES = (10_000, 100_000)
FULL = 1_000_000
SECONDS = 120.0
"""For the largest one, wall time (s)."""
MEMORY = 1000.0
"""For the largest one, resident (MB)."""
RATIO = 3.0
"""Of the CPU time of audit and reference, for the largest one: others pay for the imports first."""
BEND = 1.3
"""By how much the cost of one more dataset may grow from the smaller repositories to the larger ones."""


def reference(repo: Path) -> dict[str, Any]:
    """Read each table once, and ask each file once."""
    files = 0
    with sqlite3.connect(f"file:{repo / 'gen3.sqlite3'}?mode=ro", uri=True) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _ in connection.execute(f'SELECT * FROM "{name}"'):
                pass
        for (path,) in connection.execute("SELECT path FROM file_datastore_records"):
            os.stat(f"{repo}/{path}")  # noqa: PTH116 - nothing but the question itself
            files += 1
    return {"files": files}


def measured(repo: Path, slowest: int) -> dict[str, Any]:
    """Audit without opening files."""
    from harness.audit.running import audit
    from harness.audit.selection import Request
    from harness.plugins import load_plugins

    plugins = load_plugins()
    report = audit(repo, plugins.checks(), plugins.instruments(), Request())
    for item in sorted(report.checks, key=lambda c: -c.result.seconds)[:slowest]:
        print(f"    {item.result.seconds:8.2f} s  {item.check.id}", file=sys.stderr)
    findings = {c.check.id: c.findings[0].finding.message for c in report.checks if c.findings}
    crashed = {c.check.id: c.result.reason for c in report.checks if c.result.traceback}
    return {"checks": len(report.checks), "wrong": findings | crashed}


def child(what: str, repo: Path, slowest: int) -> dict[str, Any]:
    """Run one of the two in a process of its own."""
    command = [sys.executable, __file__, "--child", what, "--folder", str(repo), "--slowest", str(slowest)]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def run_child(what: str, repo: Path, slowest: int) -> None:
    """Do it, and print what it took."""
    start = time.perf_counter()
    out = reference(repo) if what == "reference" else measured(repo, slowest)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out |= {"wall": time.perf_counter() - start, "cpu": time.process_time(), "peak": peak}
    print(json.dumps(out))


def told(name: str, value: float, target: float, unit: str) -> bool:
    """Print a value beside its target, and tell whether it is met."""
    met = value <= target
    print(f"{name:44} {value:8.2f} {unit}   target {target:g} {unit}: {'met' if met else 'MISSED'}")
    return met


def main() -> None:
    """Measure, print, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help=f"go to {FULL} datasets")
    parser.add_argument("--folder", type=Path, help="where repositories are kept")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="name the N slowest checks")
    parser.add_argument("--child", choices=["audit", "reference"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run_child(arguments.child, arguments.folder, arguments.slowest)
        return
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="audit-"))
    sizes = (*SIZES, FULL) if arguments.full else SIZES
    results: dict[int, dict[str, Any]] = {}
    good = True
    try:
        for n in sizes:
            repo = folder / str(n) / "repo"
            if not repo.is_dir():
                build(folder / str(n), n)
            child("reference", repo, 0)  # what the file system remembers is the same for both
            floor, found = child("reference", repo, 0), child("audit", repo, arguments.slowest)
            results[n] = found | {"ratio": found["cpu"] / floor["cpu"]}
            print(
                f"{n:8} datasets, {floor['files']} files, {found['checks']} checks: {found['wall']:.1f} s, CPU "
                f"{found['cpu']:.1f} s, peak {found['peak']:.0f} MB; reference {floor['wall']:.1f} s, "
                f"CPU {floor['cpu']:.1f} s; CPU ratio {results[n]['ratio']:.1f}"
            )
            for name, message in found["wrong"].items():
                print(f"    NOT SILENT {name}: {message}")
                good = False
    finally:
        if not arguments.folder:
            shutil.rmtree(folder)
    last, small = sizes[-1], sizes[0]
    if arguments.full:
        good &= told(f"audit of {last}", results[last]["wall"], SECONDS, "s")
        good &= told(f"peak memory of {last}", results[last]["peak"], MEMORY, "MB")
        good &= told("CPU time relative to the reference", results[last]["ratio"], RATIO, "")
        slopes = [(results[b]["cpu"] - results[a]["cpu"]) / (b - a) for a, b in itertools.pairwise(sizes)]
        good &= told("cost of one more dataset, late to early", slopes[-1] / slopes[0], BEND, "")
    growth = results[last]["cpu"] / results[small]["cpu"] / (last / small)
    good &= told("growth relative to that of the repository", growth, BEND, "")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
