"""A whole run, cold and with valid snapshots: time, memory, and the share spent in imports and process starts.

Each run is a process of its own. The time before its first stage (interpreter, plugins, imports on the way) is that of
the process less what the run itself counts. All imports are those of one more cold run under ``-X importtime``, whose
own printing makes them slower: an upper bound.

Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGETS = {"cold": 90.0, "warm": 15.0, "help": 0.5, "memory": 1.5e9, "imports": 0.20}
"""Seconds, seconds, seconds, bytes, fraction of the cold run."""


def run(words: list[str], options: tuple[str, ...] = ()) -> tuple[float, float, float, str]:
    """Run the harness; return wall and CPU seconds, peak memory (bytes) of the largest process so far, and stderr."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *options, "-m", "harness", *words], capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-500:], sep="\n")
        raise SystemExit(f"harness {' '.join(words)} ended with {done.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss * 1024.0, done.stderr


def import_seconds(stderr: str) -> float:
    """Sum the self times that ``-X importtime`` printed."""
    return sum(int(m) for m in re.findall(r"^import time:\s+(\d+) \|", stderr, re.MULTILINE)) / 1e6


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="?", default="HSC", help="instrument or dataset")
    parser.add_argument("--engine", default="inprocess")
    options = parser.parse_args()
    missed = []

    def line(what: str, value: float, unit: str, target: float | None = None, shown: str = "") -> None:
        text = f"{what:<44}{value:>9.2f} {unit}"
        if target is not None:
            text += f"   target {target:g} {unit}: {'met' if value <= target else 'MISSED'}"
            if value > target:
                missed.append(what)
        print(text + shown)

    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    helps = sorted(run(["--help"])[0] for _ in range(5))
    line("harness --help, median of 5", helps[2], "s", TARGETS["help"])
    with tempfile.TemporaryDirectory() as work:
        words = ["run", options.name, "--plain", "--work", work, "--engine", options.engine]
        wall, cpu, memory, _ = run(words)
        verdict = json.loads((Path(work) / "runs/latest/verdict.json").read_text())
        timings = json.loads((Path(work) / "runs/latest/timings.json").read_text())
        line("cold run", wall, "s", TARGETS["cold"], f"   ({cpu:.1f} s CPU)")
        line("peak memory", memory / 1e6, "MB", TARGETS["memory"] / 1e6)
        starts = wall - verdict["seconds"]
        walls = sorted(run(words) for _ in range(3))
        line("with valid snapshots, median of 3", walls[1][0], "s", TARGETS["warm"], f"   ({walls[1][1]:.1f} s CPU)")
        imports = import_seconds(run([*words, "--fresh"], ("-X", "importtime"))[3])
        line("imports of a cold run", imports, "s")
        line("before the first stage", starts, "s")
        share = max(imports, starts) / wall
        line("imports and starts, of the cold run", 100 * share, "%", 100 * TARGETS["imports"])
    print(f"\n{len(verdict['checks'])} checks: {sum(timings['checks'].values()):.1f} s")
    for name, seconds in timings["stages"].items():
        print(f"  {name:<42}{seconds:>9.2f} s")
    print("slowest checks")
    for name, seconds in sorted(timings["checks"].items(), key=lambda item: -item[1])[:6]:
        print(f"  {name:<60}{seconds:>9.2f} s")
    if missed:
        print(f"missed: {', '.join(missed)}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
