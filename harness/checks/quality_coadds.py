"""Invariants of coadds and of the objects on them: they agree with the truth as well as photons allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..instrument.kit import Capability
from ..verdicts import Finding, check
from .quality_data import load, match, robust_sigma, simulated
from .quality_stars import MIN_STARS, bright, judge_photometry, look

if TYPE_CHECKING:
    from .context import CheckContext

__all__ = ["coadd_noise", "completeness", "object_photometry"]

COADDS = {Capability.COADDS}


@check(
    "quality.object-photometry",
    title="Fluxes of stars on coadds are those that were simulated, with honest errors",
    after="process",
    needs=COADDS,
    deep=True,
)
def object_photometry(context: CheckContext) -> Iterator[Finding]:
    """The object table is what people use; a coadd's fluxes are wrong if weights, warps or zero points are.

    Bias and scatter are judged as for visits; see quality.visit-photometry.
    """
    known = simulated(context)
    if known is None:
        return
    for data_id, objects in load(context, "object"):
        matched = match(objects["coord_ra"], objects["coord_dec"], known[2], 1.0)
        matched = matched.where(np.asarray(objects["detect_isPrimary"])[matched.index])
        for band in _bands(objects):
            flags = np.asarray(objects[f"{band}_psfFlux_flag"]) | np.asarray(objects[f"{band}_pixelFlags_saturated"])
            good = matched.where(~flags[matched.index])
            good = bright(objects, good, f"{band}_psfFlux", f"{band}_psfFluxErr", 20.0)
            if len(good.index) < MIN_STARS:
                continue
            context.examined()
            yield from judge_photometry(objects, known[2], good, band, f"{band}_", {**data_id, "band": band}, "object")


@check(
    "quality.completeness",
    title="Stars well above the noise of the coadds are in the object table",
    after="process",
    needs=COADDS,
    deep=True,
)
def completeness(context: CheckContext) -> Iterator[Finding]:
    """Lost objects are the failure that nobody notices: the table looks fine.

    An isolated star whose flux is ten times its expected error on the coadd lies five standard deviations above
    the threshold of detection. Blends with galaxies remain: a twentieth may be missing, and three standard
    deviations of the binomial distribution.
    """
    known = simulated(context)
    if known is None:
        return
    dataset, _, truth = known
    tables = {(d["skymap"], d["tract"]): t for d, t in load(context, "object")}
    maps = {d["skymap"]: m for d, m in _sky_maps(context)}
    for data_id, coadd in load(context, "deep_coadd"):
        key = (data_id["skymap"], data_id["tract"])
        if key not in tables or data_id["skymap"] not in maps:
            continue
        objects, band = tables[key], data_id["band"]
        wanted = _findable(coadd, maps[data_id["skymap"]], data_id, truth, band, dataset.scale)
        if len(wanted) < 2 * MIN_STARS:
            continue
        context.examined(len(wanted))
        primary = np.asarray(objects["detect_isPrimary"])
        matched = match(np.asarray(objects["coord_ra"])[primary], np.asarray(objects["coord_dec"])[primary], truth, 1.5)
        missing = wanted[~np.isin(wanted, matched.truth)]
        allowed = 0.05 * len(wanted) + 3 * np.sqrt(0.05 * 0.95 * len(wanted))
        if len(missing) > allowed:
            first = missing[0]
            yield Finding(
                f"{len(missing)} of {len(wanted)} stars with S/N above 10 are missing",
                data_id=data_id,
                where="object",
                seen=f"completeness {1 - len(missing) / len(wanted):.3f}; first missing at "
                f"{float(truth['ra'][first]):.6f}, {float(truth['dec'][first]):.6f}",
                expected=f"at least {1 - allowed / len(wanted):.3f}",
                look=look("object", {k: data_id[k] for k in ("skymap", "tract")}),
            )


@check(
    "quality.coadd-noise",
    title="The noise of a coadd falls with the square root of the number of visits",
    after="process",
    needs=COADDS,
    deep=True,
)
def coadd_noise(context: CheckContext) -> Iterator[Finding]:
    """A coadd that is noisier has lost visits or weighted them wrongly; one that is too smooth shares noise.

    Where N visits contribute and nothing was detected the variance is 1/N of that of the single warps, apart from
    the light of sources below the limit, which no averaging removes: Σf²/(4πσ²) per pixel of area, taken from
    the truth. 15 % of the noise are left for that estimate and for visits of unlike depth.
    """
    known = simulated(context)
    if known is None:
        return
    truth = known[2]
    for data_id, coadd in load(context, "deep_coadd"):
        warps = _warps(context, data_id)
        if not warps:
            continue
        confusion = _confusion(coadd, truth, data_id["band"])
        blank = ~coadd.mask.get("DETECTED") & ~coadd.mask.get("NO_DATA")
        usable = np.stack([~w.mask.array.any(axis=-1) | _only(w, "DETECTED") for w in warps])
        single = np.median([robust_sigma(w.image.array[u & blank]) ** 2 for w, u in zip(warps, usable, strict=True)])
        count = usable.sum(axis=0)
        for n in range(1, len(warps) + 1):
            here = blank & (count == n)
            if here.sum() < 2000:
                continue
            context.examined()
            seen = robust_sigma(coadd.image.array[here])
            expected = float(np.sqrt(max(single - confusion, 0.0) / n + confusion))
            if abs(seen / expected - 1) > 0.15:
                yield Finding(
                    f"noise of {n} visits is {seen / expected:.2f} times what it should be",
                    data_id=data_id,
                    where="deep_coadd",
                    seen=f"{seen:.2f} nJy per pixel where {n} visits contribute",
                    expected=f"{expected:.2f} nJy = √(({np.sqrt(single):.2f}² - {np.sqrt(confusion):.2f}²)/{n}"
                    f" + {np.sqrt(confusion):.2f}²), within 15 %",
                    look=look("deep_coadd", data_id),
                )


def _findable(coadd: Any, sky_map: Any, data_id: Mapping[str, Any], truth: Any, band: str, scale: int) -> Any:
    """Return the rows of the truth that are isolated stars with S/N above 10 on a patch's own pixels."""
    from scipy.spatial import cKDTree

    grid = sky_map.grid(data_id["tract"], data_id["patch"], scale)
    ra, dec = (np.asarray(truth[c], float) for c in ("ra", "dec"))
    tracts, patches = sky_map.find_patch(ra, dec)
    rows = np.flatnonzero((tracts == data_id["tract"]) & (patches == data_id["patch"]))
    sky = grid.projection.sky_to_pixel_transform.apply_forward(x=np.radians(ra[rows]), y=np.radians(dec[rows]))
    x, y = np.asarray(sky.x), np.asarray(sky.y)
    start, (ny, nx) = coadd.bbox.start, coadd.image.array.shape
    ix, iy = np.rint(x - start.x).astype(int), np.rint(y - start.y).astype(int)
    inside = (ix >= 8) & (iy >= 8) & (ix < nx - 8) & (iy < ny - 8)
    rows, x, y, ix, iy = (a[inside] for a in (rows, x, y, ix, iy))
    sigma = float(coadd.metadata["PSF_SIGMA"])
    flux = np.asarray(truth[f"{band}_flux"], float)[rows]
    noise = np.sqrt(4 * np.pi * sigma**2 * coadd.variance.array[iy, ix])
    bad = coadd.mask.get("NO_DATA") | coadd.mask.get("SATURATED")
    good = ~np.array([bad[j - 4 : j + 5, i - 4 : i + 5].any() for i, j in zip(ix, iy, strict=True)], bool)
    # Isolated: no source of a tenth of its flux or more within six widths of the PSF.
    near = cKDTree(np.column_stack([x, y])).query_ball_point(np.column_stack([x, y]), 6 * sigma)
    alone = np.array([max((flux[j] for j in group if j != i), default=0.0) for i, group in enumerate(near)])
    star = np.asarray(truth["is_star"])[rows]
    return rows[star & good & (flux > 10 * noise) & (alone < 0.1 * flux)]


def _confusion(coadd: Any, truth: Any, band: str) -> float:
    """Return the variance per pixel (nJy²) of the light of sources below the limit of detection."""
    ny, nx = coadd.image.array.shape
    start = coadd.bbox.start
    corners = coadd.sky_projection.pixel_to_sky_transform.apply_forward(
        x=start.x + np.array([0.0, nx]), y=start.y + np.array([0.0, ny])
    )
    ra, dec = np.sort(np.degrees(np.asarray(corners.x)) % 360.0), np.sort(np.degrees(np.asarray(corners.y)))
    here = (
        (np.asarray(truth["ra"]) > ra[0])
        & (np.asarray(truth["ra"]) < ra[1])
        & (np.asarray(truth["dec"]) > dec[0])
        & (np.asarray(truth["dec"]) < dec[1])
    )
    sigma = float(coadd.metadata["PSF_SIGMA"])
    depth = np.median(coadd.variance.array[~coadd.mask.get("NO_DATA")])
    flux = np.asarray(truth[f"{band}_flux"], float)[here]
    faint = flux[flux < 5 * np.sqrt(4 * np.pi * sigma**2 * depth)]
    return float(np.sum(faint**2) / (ny * nx) / (4 * np.pi * sigma**2))


def _warps(context: CheckContext, data_id: Mapping[str, Any]) -> list[Any]:
    """Return the warps that went into a coadd."""
    key = {k: data_id[k] for k in ("skymap", "tract", "patch")}
    used: set[int] = set()
    for _, table in load(context, "deep_coadd_inputs", **dict(data_id)):
        used |= {int(v) for v in table["visit"]}
    return [w for d, w in load(context, "direct_warp", **key) if d["visit"] in used]


def _only(image: Any, plane: str) -> Any:
    """Return where a plane is the only one that is set."""
    others = [p for p in image.mask.schema.names if p not in (plane, "INTERPOLATED")]
    return ~np.any([image.mask.get(p) for p in others], axis=0)


def _sky_maps(context: CheckContext) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield the sky maps of the repository."""
    for ref in context.butler.query_datasets("skyMap", "skymaps", explain=False):
        yield dict(ref.dataId.mapping), context.butler.get(ref)


def _bands(objects: Any) -> list[str]:
    return [c.removesuffix("_psfFlux") for c in objects.colnames if c.endswith("_psfFlux")]
