"""Ingest and its translation alone against one ObservationInfo per file over the same files; linearity, memory.

Usage: ``python benchmarks/ingest.py [--sizes 3000,12000] [--full] [--instrument HSC] [--transfer hardlink]``.

Raws have the instrument's own headers, binned 16 × 16; those of one HDU have no pixels on the disk. Each size (whole
exposures) is ingested by a process of its own, into a new repository, so that peaks of memory can be compared. The
reference reads each header with astropy and makes one ``ObservationInfo`` of it, in the same run; for some exposures
the records must be equal to what it gives. Translation is the part of the ingest that ends with the records of each
exposure, proven for each file; nothing is written. Exit status 1 if a ratio, of CPU time, is below its goal.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ingest_raws import Source, find_source, write_raws

GOALS = {"HSC": 5.0}
"""Ratios that are demanded of whole ingests: of cameras with many detectors."""
TRANSLATION_GOAL = 3.0
COMPARED = 50


def child(args: argparse.Namespace) -> None:
    """Ingest a folder in this process and print what it took, as JSON."""
    from harness.bootstrap.create import create_repository
    from harness.bootstrap.ingest import ingest
    from harness.bootstrap.register import register_instrument
    from harness.repository import open_repository

    source = find_source(args.instrument)
    kit = source.kit
    repo = Path(args.child) / f"repo{args.limit}"
    create_repository(repo, kit.repository_config)
    folders = sorted((Path(args.child) / "raws").iterdir())[: args.limit // len(source.detectors)]
    with open_repository(repo, writeable=True) as butler:
        register_instrument(butler, kit)
        cpu = time.process_time()
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report = ingest(butler, folders, transfer=args.transfer, translators=[kit.translator])
        facts = report.facts()
        facts["cpu"] = time.process_time() - cpu
        facts["idle_mb"] = idle / 1024
        facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if report.quarantined or report.ingested != args.limit:
            sys.exit(f"ingested {report.ingested} of {args.limit}: {report.quarantined[:1]}")
        compare(butler, kit, folders[:: -(-len(folders) // COMPARED)])
    bare = repo.with_name(f"bare{args.limit}")
    create_repository(bare, kit.repository_config)
    with open_repository(bare, writeable=True) as butler:
        register_instrument(butler, kit)
        facts["translation"] = translation(butler, kit, [f for folder in folders for f in folder.rglob("*.fits*")])
    print(json.dumps(facts))


def translation(butler: Any, kit: Any, files: list[Path]) -> float:
    """Return the CPU seconds that finding the records of some files takes, in a repository that has none of them."""
    from harness.bootstrap.ingest.exposures import Exposures, RawFile
    from harness.bootstrap.ingest.files import read_headers
    from harness.bootstrap.ingest.ingest import BATCH
    from harness.bootstrap.ingest.registry import Repository
    from harness.bootstrap.ingest.translate import Translators, identify
    from harness.repository import rare_garbage_collection

    def refuse(raw: RawFile, error: Exception) -> None:
        sys.exit(f"{raw.path}: {error}")

    translators, exposures = Translators([kit.translator]), Exposures(Repository(butler, None), refuse)
    start = time.process_time()
    with rare_garbage_collection():
        for batch in itertools.batched(sorted(files), BATCH):
            raws = []
            for file in batch:
                (header, *_), size = read_headers(str(file))
                translator = translators.choose(header, str(file))
                translators.correct(translator, header, str(file))
                raws.append(RawFile(str(file), size, header, translator, identify(translator, header)))
            exposures.resolve(raws)
    return time.process_time() - start


def compare(butler: Any, kit: Any, folders: list[Path]) -> None:
    """Prove that records of exposures are those that a full ``ObservationInfo`` of their last file gives."""
    from astro_metadata_translator import ObservationInfo
    from astropy.io import fits

    from harness.bootstrap.ingest.records import build_records, differences

    for folder in folders:
        header = fits.getheader(max(folder.rglob("*.fits*")))
        info = ObservationInfo(header, translator_class=kit.translator, quiet=True)
        expected = build_records(info).exposure
        (record,) = butler.query_dimension_records("exposure", instrument=kit.name, exposure=info.exposure_id)
        found = record.toDict()
        if wrong := differences(expected, {k: found.get(k) for k in expected}):
            sys.exit(f"exposure {info.exposure_id}: {wrong[0]} is {found[wrong[0]]}, not {expected[wrong[0]]}")


def reference(source: Source, files: list[Path], lean: bool = False) -> tuple[float, float]:
    """Make one ObservationInfo per file; return wall and CPU seconds per raw.

    Parameters
    ----------
    source : `Source`
        The instrument.
    files : `list` [`pathlib.Path`]
        Raws.
    lean : `bool`, optional
        Read headers with the harness's reader instead of astropy's.
    """
    from astro_metadata_translator import ObservationInfo
    from astropy.io import fits

    from harness.bootstrap.ingest.files import read_headers

    def read(file: Path) -> Any:
        return read_headers(str(file))[0][0] if lean else fits.getheader(file)

    translator = source.kit.translator
    ObservationInfo(read(files[0]), translator_class=translator, quiet=True)  # imports
    wall, cpu = time.perf_counter(), time.process_time()
    for file in files:
        ObservationInfo(read(file), translator_class=translator, quiet=True)
    return (time.perf_counter() - wall) / len(files), (time.process_time() - cpu) / len(files)


def run_child(args: argparse.Namespace, folder: Path, size: int) -> dict[str, float]:
    """Ingest in a process of its own and return its facts."""
    command = [sys.executable, __file__, "--child", str(folder), "--limit", str(size)]
    command += ["--instrument", args.instrument, "--transfer", args.transfer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    facts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return facts


def main() -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="3000,9000", help="numbers of raws; the first is compared")
    parser.add_argument("--full", action="store_true", help="sizes 3000, 15000 and 45000")
    parser.add_argument("--instrument", default="HSC")
    parser.add_argument("--transfer", default="hardlink")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return 0
    sizes = [3000, 15000, 45000] if args.full else [int(s) for s in args.sizes.split(",")]
    source = find_source(args.instrument)
    per_exposure = len(source.detectors)
    sizes = [-(-s // per_exposure) * per_exposure for s in sizes]
    folder = Path(tempfile.mkdtemp(prefix="harness-ingest-", dir=args.folder))
    try:
        start = time.perf_counter()
        write_raws(source, folder, max(sizes))
        print(f"wrote {max(sizes)} raws in {time.perf_counter() - start:.0f} s")
        files = sorted((folder / "raws").rglob("*.fits*"))[: sizes[0]]
        half = len(files) // 2
        before, lean = reference(source, files[:half]), reference(source, files[:half], lean=True)
        runs = []
        for size in sizes:
            runs.append(run_child(args, folder, size))
            if size == sizes[0]:
                after = reference(source, files[half:])
        # half of the reference before and half after: other work on the machine then slows both
        wall, cpu = ((b + a) / 2 for b, a in zip(before, after, strict=True))
        print(
            f"one ObservationInfo per file: {1 / wall:.0f} raws/s ({1 / lean[0]:.0f} with the harness's header reader)"
        )
        for size, facts in zip(sizes, runs, strict=True):
            print(
                f"ingest of {size:>6}: {size / facts['seconds']:.0f} raws/s, {size / facts['cpu']:.0f} per CPU second,"
                f" {facts['translations']} translations, peak {facts['peak_mb']:.0f} MB"
                f" ({facts['peak_mb'] - facts['idle_mb']:.0f} above the start)"
            )
        ratio, bare = cpu / (runs[0]["cpu"] / sizes[0]), cpu / (runs[0]["translation"] / sizes[0])
        goal = GOALS.get(args.instrument, 0.0)
        print(
            f"ingest, ratio to one ObservationInfo per file: {_beside(ratio, goal)}"
            f" (wall {wall / (runs[0]['seconds'] / sizes[0]):.1f};"
            f" with the same header reader {lean[1] / (runs[0]['cpu'] / sizes[0]):.1f})"
        )
        print(f"translation, ratio to one ObservationInfo per file: {_beside(bare, TRANSLATION_GOAL)}")
        per_raw = [r["cpu"] / s for r, s in zip(runs, sizes, strict=True)]
        print(f"CPU time per raw at {sizes[-1]} relative to {sizes[0]}: {per_raw[-1] / per_raw[0]:.2f} (linear: 1)")
        return 0 if ratio >= goal and bare >= TRANSLATION_GOAL else 1
    finally:
        shutil.rmtree(folder)


def _beside(ratio: float, goal: float) -> str:
    return f"{ratio:.1f}" + (f"   goal {goal:g}: {'met' if ratio >= goal else 'MISSED'}" if goal else "")


if __name__ == "__main__":
    sys.exit(main())
