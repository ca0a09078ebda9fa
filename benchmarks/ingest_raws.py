"""Raw files of any instrument for `ingest.py`: as its kit writes them, after an exposure of one of its datasets.

Further exposures have the ids that follow, at the distance that the ids of that dataset keep, and begin within the
hour that follows: the same observing day by whatever rule.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

PER_EXPOSURE = 100
SCALE = 16
CARD = 80
HOUR = 3600.0


@dataclasses.dataclass
class Source:
    """What the exposures are made from: a kit, a dataset, and an exposure of it."""

    kit: Any
    dataset: Any
    first: Any
    detectors: list[Any]

    def observation(self, i: int, number: int, detectors: list[Any]) -> Any:
        """Return the i-th of some exposures."""
        from astropy.time import TimeDelta

        ids = sorted(e.id for e in self.dataset.exposures)
        step = min((b - a for a, b in itertools.pairwise(ids)), default=1)
        return dataclasses.replace(
            self.first,
            exposure=self.first.exposure + step * i,
            begin=self.first.begin + TimeDelta(HOUR * i / number, format="sec"),
            detectors=tuple(d.id for d in detectors),
            group="",
            snap=(1, 1),
        )

    def write(self, folder: Path, i: int, number: int, detectors: list[Any]) -> list[Path]:
        """Write some detectors of the i-th exposure as the instrument would."""
        import numpy as np

        observation = self.observation(i, number, detectors)
        if not self.kit.writes_images:
            return [self.kit.simulate_raw(folder, self.dataset, observation, d) for d in detectors]
        blank = [
            (d, {a.name: np.zeros((a.raw_bbox.ny, a.raw_bbox.nx), np.uint16) for a in d.amplifiers}) for d in detectors
        ]
        return list(dict.fromkeys(self.kit.write_raws(folder, observation, blank, SCALE)))


def find_source(name: str) -> Source:
    """Return an installed instrument with the first exposure of the sky, or else of anything, of its datasets."""
    from harness.cli.common import all_datasets
    from harness.plugins import load_plugins

    plugins = load_plugins()
    kit = plugins.find("instrument", name)
    found = [(d, o) for _, d in sorted(all_datasets(plugins).items()) if d.instrument == name for o in d.observations]
    if not found:
        raise SystemExit(f"no dataset of instrument {name}")
    dataset, first = next((pair for pair in found if pair[1].on_sky), found[0])
    camera = kit.make_camera(SCALE)
    return Source(kit, dataset, first, tiny(camera.detectors[:PER_EXPOSURE]))


def tiny(detectors: Any) -> list[Any]:
    """Return detectors whose amplifiers have one pixel each, unless each has an HDU of its own."""
    from harness.instrument.camera import Rect

    return [
        d.model_copy(
            update={
                "amplifiers": tuple(
                    a if a.extension else a.model_copy(update={"raw_bbox": Rect(x0=i, y0=0, nx=1, ny=1)})
                    for i, a in enumerate(d.amplifiers)
                )
            }
        )
        for d in detectors
    ]


def write_raws(source: Source, folder: Path, number: int) -> int:
    """Write at least so many raws of whole exposures, one folder each, and return how many.

    All detectors of the first exposure and one detector of each further exposure are written by the instrument's
    own writer. The others get the cards in which their exposure differs from the first: 20 times as fast.
    """
    detectors = source.detectors
    exposures = -(-number // len(detectors))
    patched = source.kit.writes_images and source.kit.write_exposure is None and len(detectors) > 1
    if not patched:
        for i in range(exposures):
            source.write(folder / "raws" / f"{i:06d}", i, exposures, detectors)
        return exposures * len(detectors)
    template = [source.write(folder / "template", 0, exposures, [d])[0].read_bytes() for d in detectors]
    full = [full_size(source.kit, content, d.id) for content, d in zip(template, detectors, strict=True)]
    between_detectors = {k for one in template for k in differing_cards(template[0], one)}
    for i in range(exposures):
        first = source.write(folder / "template", i, exposures, detectors[:1])[0].read_bytes()
        exposure = [k for k in differing_cards(template[0], first) if k not in between_detectors]
        target = folder / "raws" / f"{i:06d}"
        target.mkdir(parents=True)
        for d, (content, size) in enumerate(full):
            changed = bytearray(content)
            for k in exposure:
                changed[k : k + CARD] = first[k : k + CARD]
            path = target / f"{i:06d}_{d:03d}.fits"
            path.write_bytes(changed)
            os.truncate(path, size)
    shutil.rmtree(folder / "template")
    return exposures * len(detectors)


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


def differing_cards(one: bytes, other: bytes) -> list[int]:
    """Return the offsets of cards in which two headers of the same layout differ."""
    return [k for k in range(0, len(one), CARD) if one[k : k + CARD] != other[k : k + CARD]]
