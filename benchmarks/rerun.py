"""The rerun matrix of one instrument in process, and the part of it that reading and comparing states takes.

Targets: 3 minutes, and 10 % of them. Exits with 1 if one is missed or a cell does not pass. The processed repository is
taken from a snapshot, or built first, which is not counted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from harness.cli.rerun_subject import processed
from harness.engines.inprocess import InProcessEngine
from harness.plugins import load_plugins
from harness.rerun.cells import CELLS
from harness.rerun.matrix import Matrix
from harness.stages.fork import fork_repository
from harness.verdicts import Verdict

SECONDS, SHARE = 180.0, 0.1


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--name", default="HSC", help="instrument or dataset")
    parser.add_argument("--work", type=Path, default=Path(".harness"), help="folder with the snapshots")
    options = parser.parse_args()
    logging.getLogger("lsst").setLevel(logging.CRITICAL)
    work = options.work.absolute()
    first = processed(load_plugins(), options.name, None, None, None, work)
    work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:  # beside the snapshots: hard links
        start, cpu = time.perf_counter(), time.process_time()
        matrix = Matrix(first, Path(folder) / "matrix", fork_repository)
        outcomes = [matrix.run(cell, InProcessEngine(), CELLS) for cell in CELLS]
        matrix.close()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    comparing = sum(o.compare_seconds for o in outcomes)
    runs = sum(len(o.invocations) for o in outcomes)
    bad = [o.cell.id for o in outcomes if o.verdict not in {None, Verdict.PASS}]
    share = comparing / seconds
    print(f"{options.name}: {len(outcomes)} cells, {runs} invocations, {len(matrix.world.quanta)} quanta each")
    target = f"target {SECONDS:.0f} s: {_met(seconds <= SECONDS)}"
    print(f"matrix in process     {seconds:7.1f} s   {target}   ({cpu:.1f} s CPU)")
    print(f"comparing states      {comparing:7.1f} s   target {SHARE:.0%}: {_met(share <= SHARE)}   ({share:.1%})")
    for name in bad:
        print(f"cell {name} does not pass: run 'harness rerun {options.name} --cell {name}'")
    return int(bool(bad) or seconds > SECONDS or share > SHARE)


def _met(good: bool) -> str:
    return "met" if good else "missed"


if __name__ == "__main__":
    sys.exit(main())
