"""A made-up instrument that puts all detectors of an exposure into one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astro_metadata_translator.headers import merge_headers
from astropy.io import fits
from madecams import CamATranslator, MadeCamA, header


class MosaicTranslator(CamATranslator):
    name = "MadeMosaic"
    supported_instrument = "MadeMosaic"

    @classmethod
    def determine_translatable_headers(cls, filename, primary=None):
        with fits.open(filename) as hdus:
            for hdu in hdus[1:]:
                if hdu.header.get("BROKEN"):
                    raise RuntimeError("a broken extension")
                if "DETNUM" in hdu.header:
                    yield merge_headers([primary or hdus[0].header, hdu.header], mode="overwrite")


class MadeMosaic(MadeCamA):
    translatorClass = MosaicTranslator

    def register(self, registry, *, update=False):
        super().register(registry, update=update)
        registry.syncDimensionData(
            "instrument",
            {"name": "MadeMosaic", "class_name": "mosaics.MadeMosaic", "detector_max": 10, "exposure_max": 1000,
             "visit_max": 1000, "visit_system": 0},
            update=True,
        )  # fmt: skip


def write_mosaic(path: Path, extensions=(0, 1, 2), seed: int = 0, **changes) -> Path:
    """Write a file with an extension for each detector: its number, or the cards of its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cards = header(INSTRUME="MadeMosaic", **changes)
    del cards["DETNUM"], cards["DETNAME"]
    hdus = fits.HDUList([fits.PrimaryHDU(header=fits.Header(list(cards.items())))])
    random = np.random.default_rng(seed)
    for item in extensions:
        own = item if isinstance(item, dict) else {"DETNUM": item, "DETNAME": f"S{item}"}
        hdus.append(fits.ImageHDU(random.integers(0, 1000, (6, 4)).astype(np.uint16)))
        hdus[-1].header.update(own)
    hdus.writeto(path, overwrite=True)
    return path
