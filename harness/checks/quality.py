"""Invariants of the pipeline's results: they agree with the truth as well as photons allow.

Those of single detectors are here, those of coadds in `quality_coadds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .quality_coadds import coadd_noise, completeness, object_photometry
from .quality_data import load, match, psf_sigma, simulated
from .quality_stars import MEDIAN, MIN_STARS, SIGMAS, bright, judge_photometry, look

if TYPE_CHECKING:
    from .context import CheckContext
    from .quality_data import Matched

__all__ = ["CHECKS"]

COADDS = {Capability.COADDS}
PIXEL_FLOOR = 0.02
"""Part of a pixel below which positions aren't judged. The first guess of the sky projection is a polynomial fit
(1e-3 pixels), and a source at the detection limit (S/N 5), one PSF width from a star of S/N 200, pulls it by
σ·5/200 = 0.025 σ with a PSF of σ = 0.95 pixels."""


@check(
    "quality.visit-astrometry",
    title="Stars of every detector lie where they were simulated",
    after="process",
    needs=COADDS,
    deep=True,
)
def visit_astrometry(context: CheckContext) -> Iterator[Finding]:
    """A wrong sky projection spoils warps, coadds and every match that follows.

    The position of a star of signal to noise S is known to √2·σ/S along an axis (σ the width of the PSF, noise
    from the sky), so the median over N stars to 1.25 times that over √N. Five times it, the error of the
    reference catalogue over √N and a fiftieth of a pixel may it be off.
    """
    from ..bootstrap.refcats import POSITION_ERROR

    known = simulated(context)
    if known is None:
        return
    for data_id, stars, matched, summary in _visits(context, known[2]):
        pixel = float(summary["pixelScale"])
        width = float(summary["psfSigma"]) * pixel
        matched = bright(stars, matched, "psfFlux", "psfFluxErr", 20.0)
        if len(matched.index) < MIN_STARS:
            continue
        context.examined()
        ratio = np.asarray(stars["psfFluxErr"])[matched.index] / np.asarray(stars["psfFlux"])[matched.index]
        error = np.hypot(np.sqrt(2) * width * np.median(ratio), POSITION_ERROR) * MEDIAN / np.sqrt(len(ratio))
        limit = SIGMAS * error + PIXEL_FLOOR * pixel
        east, north = float(np.median(matched.east)), float(np.median(matched.north))
        if max(abs(east), abs(north)) > limit:
            yield Finding(
                f"stars are off by {np.hypot(east, north):.3f}″",
                data_id=data_id,
                where="single_visit_star",
                seen=f"median offset {east:+.3f}″ east, {north:+.3f}″ north of {len(ratio)} stars",
                expected=f"within {limit:.3f}″",
                look=look("single_visit_star", data_id),
            )


@check(
    "quality.visit-photometry",
    title="Fluxes of the stars of every detector are those that were simulated, with honest errors",
    after="process",
    needs=COADDS,
    deep=True,
)
def visit_photometry(context: CheckContext) -> Iterator[Finding]:
    """A biased zero point biases every flux; errors that are too small make noise look like variability.

    The median ratio to the truth is known to 1.25 times the relative error over √N; five times it and 1 % may it
    be off. The scatter in units of the errors (with 1 % in quadrature) is 1 for noise alone; twice that many
    are allowed for galaxies in the background of stars.
    """
    known = simulated(context)
    if known is None:
        return
    for data_id, stars, matched, _ in _visits(context, known[2]):
        matched = bright(stars, matched, "psfFlux", "psfFluxErr", 20.0)
        if len(matched.index) < MIN_STARS:
            continue
        context.examined()
        band = str(stars["band"][0])
        yield from judge_photometry(stars, known[2], matched, band, "", data_id, "single_visit_star")


@check(
    "quality.psf-size",
    title="The PSF of every detector is as wide as the simulated seeing",
    after="process",
    needs=COADDS,
    deep=True,
)
def psf_size(context: CheckContext) -> Iterator[Finding]:
    """The PSF enters every flux and every weight.

    The same estimator applied to a noise-free star of the simulation gives what is expected. Stars are taken
    from a window of ±10 % around the common size; a uniform distribution over it has a standard deviation of
    5.8 %, so the median of N is known to 1.25·5.8 %/√N: three times that is allowed, and 1 % for the tail of the
    noise.
    """
    from ..simulate.scene import psf_fwhm

    known = simulated(context)
    if known is None:
        return
    dataset, kit, _ = known
    camera = kit.make_camera(dataset.scale)
    observations = {o.exposure: o for o in dataset.observations}
    expected: dict[float, float] = {}
    for data_id, summary in load(context, "preliminary_visit_summary"):
        if data_id["visit"] not in observations:
            continue
        for row in summary:
            context.examined()
            fwhm = round(psf_fwhm(camera, int(row["detector"]), observations[data_id["visit"]]), 3)
            if fwhm not in expected:
                expected[fwhm] = psf_sigma(fwhm)
            limit = 0.01 + 3 * MEDIAN * 0.058 / np.sqrt(max(int(row["nPsfStar"]), 1))
            seen = float(row["psfSigma"])
            if abs(seen / expected[fwhm] - 1) > limit:
                yield Finding(
                    f"PSF is {seen / expected[fwhm]:.2f} times as wide as simulated",
                    data_id={**data_id, "detector": int(row["detector"])},
                    where="preliminary_visit_summary",
                    seen=f"σ = {seen:.3f} pixels from {int(row['nPsfStar'])} stars",
                    expected=f"{expected[fwhm]:.3f} pixels within {100 * limit:.1f} %",
                    look=look("preliminary_visit_summary", data_id),
                )


def _visits(context: CheckContext, truth: Any) -> Iterator[tuple[Mapping[str, Any], Any, Matched, Any]]:
    """Yield for each detector its data ID, its unmasked stars, their matches and its row of the summary."""
    summaries = {
        (d["instrument"], d["visit"], int(row["detector"])): row
        for d, table in load(context, "preliminary_visit_summary")
        for row in table
    }
    for data_id, table in load(context, "single_visit_star"):
        clean = table[~np.asarray(table["pixelFlags_masked"]) & ~np.asarray(table["centroid_flag"])]
        for detector in np.unique(np.asarray(clean["detector"])).tolist():
            summary = summaries.get((data_id["instrument"], data_id["visit"], detector))
            if summary is None:
                continue
            stars = clean[np.asarray(clean["detector"]) == detector]
            matched = match(stars["coord_ra"], stars["coord_dec"], truth, float(summary["pixelScale"]))
            yield {**data_id, "detector": detector}, stars, matched, summary


CHECKS: tuple[Check, ...] = (
    visit_astrometry,
    visit_photometry,
    object_photometry,
    completeness,
    coadd_noise,
    psf_size,
)
"""The checks of this family."""
