"""Random walks: seconds for 200 steps of the state machine, comparisons included.

Usage: ``python benchmarks/explore.py [--examples 8] [--steps 50] [--seed 1]``. Exit status 1 if 200 steps take longer
than a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

GOAL = 60.0


def main() -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    from harness.stateful.machine import explore
    from harness.stateful.template import make_template

    with tempfile.TemporaryDirectory() as folder:
        template = make_template(Path(folder) / "template")
        wall, cpu = time.perf_counter(), time.process_time()
        script = Path(folder) / "script.json"
        counts = explore(template, examples=args.examples, steps=args.steps, script=script, number=args.seed)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{counts.total()} steps in {wall:.1f} s ({cpu:.1f} s CPU): {dict(sorted(counts.items()))}")
    per_200 = 200 * wall / counts.total()
    print(f"200 steps: {per_200:.1f} s (goal {GOAL:g})")
    return 0 if per_200 <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
