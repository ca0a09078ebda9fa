"""Ingest: raws per second against one ObservationInfo per file over the same files, linearity, memory.

Usage: ``python benchmarks/ingest.py [--sizes 3000,12000] [--full] [--instrument HSC] [--transfer hardlink]``.

Raws have the instrument's real headers, binned 16 × 16; those of one HDU have no pixels on the disk. Each size is
ingested by a process of its own, into a new repository, so that peaks of memory can be compared. The reference reads
each header with astropy and makes one ``ObservationInfo`` of it, in the same run. Exit status 1 if the ratio is
below 5.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PER_EXPOSURE = 100
SCALE = 16
CARD = 80
GOAL = 5.0


def tiny_camera(kit: Any) -> list[Any]:
    """Return detectors whose amplifiers have one pixel each, unless each has an HDU of its own."""
    from harness.instrument.camera import Rect

    detectors = []
    for detector in kit.make_camera(SCALE).detectors[:PER_EXPOSURE]:
        amplifiers = tuple(
            a if a.extension else a.model_copy(update={"raw_bbox": Rect(x0=i, y0=0, nx=1, ny=1)})
            for i, a in enumerate(detector.amplifiers)
        )
        detectors.append(detector.model_copy(update={"amplifiers": amplifiers}))
    return detectors


def full_size(kit: Any, content: bytes, detector: int) -> tuple[bytes, int]:
    """Give a raw of tiny amplifiers the size that it should have: in its header, and the length of the file."""
    from harness.instrument.assembly import raw_shape

    item = kit.make_camera(SCALE)[detector]
    if item.amplifiers[0].extension:
        return content, len(content)
    ny, nx = raw_shape(item)
    for key, number in (("NAXIS1", nx), ("NAXIS2", ny)):
        k = content.index(f"{key:<8}= ".encode())
        content = content[: k + 10] + f"{number:>20}".encode() + content[k + 30 :]
    header = content.index(b"END" + 77 * b" ") // 2880 * 2880 + 2880
    return content, header + -(-2 * nx * ny // 2880) * 2880


def write_raws(kit: Any, folder: Path, number: int) -> None:
    """Write raws of consecutive exposures, one folder each.

    All detectors of the first exposure and one detector of each further exposure are written by the instrument's
    own writer. The others get the cards in which their exposure differs from the first: 20 times as fast.
    """
    detectors = tiny_camera(kit)
    template = [write_raw(kit, folder / "template", 0, d).read_bytes() for d in detectors]
    full = [full_size(kit, content, d.id) for content, d in zip(template, detectors, strict=True)]
    between_detectors = {k for one in template for k in differing_cards(template[0], one)}
    for i in range((number + len(detectors) - 1) // len(detectors)):
        first = write_raw(kit, folder / "template", i, detectors[0]).read_bytes()
        exposure = [k for k in differing_cards(template[0], first) if k not in between_detectors]
        target = folder / "raws" / f"{i:06d}"
        target.mkdir(parents=True)
        for d, (content, size) in enumerate(full[: number - i * len(detectors)]):
            changed = bytearray(content)
            for k in exposure:
                changed[k : k + CARD] = first[k : k + CARD]
            path = target / f"{i:06d}_{d:03d}.fits"
            path.write_bytes(changed)
            os.truncate(path, size)
    shutil.rmtree(folder / "template")


def differing_cards(one: bytes, other: bytes) -> list[int]:
    """Return the offsets of cards in which two headers of the same layout differ."""
    return [k for k in range(0, len(one), CARD) if one[k : k + CARD] != other[k : k + CARD]]


def write_raw(kit: Any, folder: Path, i: int, detector: Any) -> Path:
    """Write one detector of the i-th exposure."""
    import numpy as np
    from astropy.time import Time, TimeDelta

    from harness.datasets.observations import Observation

    night, slot = divmod(i, 300)
    observation = Observation(
        instrument=kit.name,
        exposure=100000 + 2 * i,
        physical_filter=sorted(kit.instrument_class.filters())[0],
        begin=Time("2014-03-01T06:00:00", scale="tai") + TimeDelta(86400.0 * night + 60.0 * slot, format="sec"),
        exposure_time=30.0,
        ra=150.0 + 0.001 * i,
        dec=2.2,
        sky_angle=270.0,
        seeing=0.7,
        detectors=(detector.id,),
    )
    pixels = {a.name: np.zeros((a.raw_bbox.ny, a.raw_bbox.nx), np.uint16) for a in detector.amplifiers}
    path: Path = kit.write_raw(folder, observation, detector, pixels, SCALE)
    return path


def find_kit(name: str) -> Any:
    """Return an installed instrument."""
    from harness.plugins import load_plugins

    return load_plugins().find("instrument", name)


def child(args: argparse.Namespace) -> None:
    """Ingest a folder in this process and print what it took, as JSON."""
    from harness.bootstrap.create import create_repository
    from harness.bootstrap.ingest import ingest
    from harness.bootstrap.register import register_instrument
    from harness.repository import open_repository

    kit = find_kit(args.instrument)
    repo = Path(args.child) / f"repo{args.limit}"
    create_repository(repo, kit.repository_config)
    folders = sorted((Path(args.child) / "raws").iterdir())
    with open_repository(repo, writeable=True) as butler:
        register_instrument(butler, kit)
        cpu = time.process_time()
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report = ingest(
            butler,
            folders[: args.limit // PER_EXPOSURE],
            transfer=args.transfer,
            translators=[kit.translator],
        )
    facts = report.facts()
    facts["cpu"] = time.process_time() - cpu
    if report.quarantined or report.ingested != args.limit:
        sys.exit(f"ingested {report.ingested} of {args.limit}: {report.quarantined[:1]}")
    facts["idle_mb"] = idle / 1024
    facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(facts))


def reference(kit: Any, files: list[Path], lean: bool = False) -> tuple[float, float]:
    """Make one ObservationInfo per file; return wall and CPU seconds per raw.

    Parameters
    ----------
    kit : `harness.instrument.kit.InstrumentKit`
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

    ObservationInfo(read(files[0]), translator_class=kit.translator, quiet=True)  # imports
    wall, cpu = time.perf_counter(), time.process_time()
    for file in files:
        ObservationInfo(read(file), translator_class=kit.translator, quiet=True)
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
    kit = find_kit(args.instrument)
    folder = Path(tempfile.mkdtemp(prefix="harness-ingest-", dir=args.folder))
    try:
        start = time.perf_counter()
        write_raws(kit, folder, max(sizes))
        print(f"wrote {max(sizes)} raws in {time.perf_counter() - start:.0f} s")
        files = sorted((folder / "raws").rglob("*.fits"))[: sizes[0]]
        half = len(files) // 2
        before, lean = reference(kit, files[:half]), reference(kit, files[:half], lean=True)
        runs = []
        for size in sizes:
            runs.append(run_child(args, folder, size))
            if size == sizes[0]:
                after = reference(kit, files[half:])
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
        ratio = wall / (runs[0]["seconds"] / sizes[0])
        print(f"ratio to one ObservationInfo per file: {ratio:.1f} (goal {GOAL}); in CPU time"
              f" {cpu / (runs[0]['cpu'] / sizes[0]):.1f}; with the same header reader"
              f" {lean[1] / (runs[0]['cpu'] / sizes[0]):.1f}")  # fmt: skip
        per_raw = [r["cpu"] / s for r, s in zip(runs, sizes, strict=True)]
        print(f"CPU time per raw at {sizes[-1]} relative to {sizes[0]}: {per_raw[-1] / per_raw[0]:.2f} (linear: 1)")
        return 0 if ratio >= GOAL else 1
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
