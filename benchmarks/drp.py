"""The light DRP: seconds by task, share of the quanta's own work, peak of memory.

Usage: ``python benchmarks/drp.py [--dataset ci_hsc] [--engine inprocess]``.

The repository before processing is taken from the harness's snapshots, or made. What a quantum costs before any
algorithm runs is shown by the cheapest task's mean: reading and writing one small table.
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
from collections import defaultdict
from pathlib import Path

GOAL = 20.0
"""Seconds for the ci_hsc dataset at scale 8."""


def main() -> None:
    """Run the pipeline once and print where the time went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="ci_hsc")
    parser.add_argument("--engine", default="inprocess")
    options = parser.parse_args()

    from harness.cli.common import find_dataset
    from harness.drp.stage import first_run
    from harness.plugins import load_plugins
    from harness.stage import StageContext
    from harness.stages.fork import fork_repository
    from harness.stages.runner import Runner
    from harness.stages.snapshots import SnapshotStore

    plugins = load_plugins()
    dataset = find_dataset(plugins, options.dataset)
    kit = plugins.find("instrument", dataset.instrument)
    engine = plugins.find("engine", options.engine)
    store = SnapshotStore(Path(__file__).parents[1] / ".harness" / "snapshots")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        fork_repository(Runner(plugins, dataset, kit, engine, store).build("defaults").repo, work / "repo")
        context = StageContext(work / "repo", work, {}, dataset, kit, engine, {}, print)
        result = engine.run(first_run(context), work / "pipetask.log")
        if result.exit_code:
            raise SystemExit(result.message)
        seconds: dict[str, list[float]] = defaultdict(list)
        for label, took in re.findall(r"task '(\w+)' on quantum .* took ([\d.]+) seconds", result.log.read_text()):
            seconds[label].append(float(took))
    for label, values in sorted(seconds.items(), key=lambda item: -sum(item[1])):
        print(
            f"{label:26s}{len(values):5d} quanta {sum(values):7.2f} s {1000 * sum(values) / len(values):6.0f} ms each"
        )
    total = sum(map(sum, seconds.values()))
    floor = min(sum(v) / len(v) for v in seconds.values()) * sum(map(len, seconds.values()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"all quanta {total:.1f} s, of which about {floor:.1f} s ({100 * floor / total:.0f} %) without any algorithm")
    print(
        f"with the graph {result.seconds:.1f} s (goal {GOAL:g}), imports {result.startup_seconds:.1f} s; "
        f"peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
