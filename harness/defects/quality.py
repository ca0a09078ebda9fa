"""Seeded defects of the pipeline's results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import HarnessError
from .base import Defect, DefectTarget, defect

__all__ = ["DEFECTS", "rewrite"]


def rewrite(target: DefectTarget, name: str, change: Callable[[Any], Any]) -> None:
    """Replace the first dataset of a type among the pipeline's outputs, keeping its identity.

    Parameters
    ----------
    target : `~harness.defects.base.DefectTarget`
        The fork.
    name : `str`
        Dataset type.
    change : `~collections.abc.Callable`
        Takes its content and returns another.

    Raises
    ------
    HarnessError
        If there is no such dataset.
    """
    collection = f"{target.kit.name}/runs/{target.dataset.name}"
    with target.butler() as butler:
        found = butler.query_datasets(name, collection, with_dimension_records=True, explain=False)
        refs = sorted(found, key=lambda r: r.dataId)
        if not refs:
            raise HarnessError(
                f"{collection} has no {name}", remedy="apply the defect after the pipeline", code="defect"
            )
        content = change(butler.get(refs[0]))
        butler.pruneDatasets([refs[0]], disassociate=False, unstore=True)
        butler.put(content, refs[0])


def _scaled(column: str, factor: float) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        table[column] = table[column] * factor
        return table

    return change


@defect("stars-shifted", found_by="quality.visit-astrometry", after="process")
def stars_shifted(target: DefectTarget) -> None:
    """The stars of a visit are moved by 0.2″ to the north."""

    def change(table: Any) -> Any:
        table["coord_dec"] = table["coord_dec"] + 0.2 / 3600 * table["coord_dec"].unit
        return table

    rewrite(target, "single_visit_star", change)


@defect("visit-flux-scaled", found_by="quality.visit-photometry", after="process")
def visit_flux_scaled(target: DefectTarget) -> None:
    """The fluxes of a visit are 5 % too high."""
    rewrite(target, "single_visit_star", _scaled("psfFlux", 1.05))


@defect("object-flux-scaled", found_by="quality.object-photometry", after="process")
def object_flux_scaled(target: DefectTarget) -> None:
    """The fluxes of objects in the first band are 5 % too low."""

    def change(table: Any) -> Any:
        name = next(c for c in table.colnames if c.endswith("_psfFlux"))
        return _scaled(name, 0.95)(table)

    rewrite(target, "object", change)


@defect("objects-dropped", found_by="quality.completeness", after="process")
def objects_dropped(target: DefectTarget) -> None:
    """Every third object is missing."""

    def change(table: Any) -> Any:
        import numpy as np

        return table[np.arange(len(table)) % 3 != 0]

    rewrite(target, "object", change)


@defect("coadd-noise-added", found_by="quality.coadd-noise", after="process")
def coadd_noise_added(target: DefectTarget) -> None:
    """A coadd has as much noise again as it should have."""

    def change(coadd: Any) -> Any:
        import numpy as np

        rng = np.random.default_rng(target.dataset.seed)
        coadd.image.array += rng.standard_normal(coadd.image.array.shape) * np.sqrt(coadd.variance.array)
        return coadd

    rewrite(target, "deep_coadd", change)


@defect("psf-too-wide", found_by="quality.psf-size", after="process")
def psf_too_wide(target: DefectTarget) -> None:
    """The PSFs of a visit's detectors are reported a quarter too wide."""
    rewrite(target, "preliminary_visit_summary", _scaled("psfSigma", 1.25))


DEFECTS: tuple[Defect, ...] = (
    stars_shifted,
    visit_flux_scaled,
    object_flux_scaled,
    objects_dropped,
    coadd_noise_added,
    psf_too_wide,
)
"""The defects of this family."""
