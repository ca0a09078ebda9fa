"""The noise-free scene on a detector: where sources of the truth catalogue fall, and the light of the sky."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HarnessError
from ..instrument.camera import Camera, Floats
from ..instrument.pointing import Pointing
from ..sky.seeds import generator
from .photometry import flux_to_electrons, sky_electrons
from .profiles import MIN_FWHM, render

if TYPE_CHECKING:
    from ..datasets.observations import Observation

__all__ = ["Placed", "Sources", "place", "pointing", "psf_fwhm", "render_sources", "sky_background"]

ARCSEC = np.pi / 180 / 3600
MARGIN = 60.0
"""Arcseconds beyond the edges of a detector within which sources are considered."""

SKY_GRADIENT = 0.02
"""Relative change of the sky brightness per degree, r.m.s. over exposures; an assumption."""


@dataclasses.dataclass(frozen=True)
class Sources:
    """The truth catalogue, as arrays.

    Parameters
    ----------
    id : `numpy.ndarray`
        Identifiers.
    ra, dec : `numpy.ndarray`
        ICRS (degrees).
    is_star : `numpy.ndarray`
        Whether it is a point source.
    half_light_radius : `numpy.ndarray`
        Half-light radius along the major axis (arcsec).
    axis_ratio : `numpy.ndarray`
        Minor to major axis.
    position_angle : `numpy.ndarray`
        Of the major axis, from north to east (degrees).
    flux : `~collections.abc.Mapping` [`str`, `numpy.ndarray`]
        Fluxes (nJy) by band.
    """

    id: NDArray[np.int64]
    ra: Floats
    dec: Floats
    is_star: NDArray[np.bool_]
    half_light_radius: Floats
    axis_ratio: Floats
    position_angle: Floats
    flux: Mapping[str, Floats]

    @cached_property
    def _by_dec(self) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Order of declination, the declinations and the unit vectors in that order."""
        order = np.argsort(self.dec, kind="stable")
        return order, self.dec[order], _unit_vectors(self.ra[order], self.dec[order])

    def __len__(self) -> int:
        return len(self.ra)

    @classmethod
    def from_table(cls, table: Any) -> Sources:
        """Take the columns of a truth table (`astropy.table.Table` or a mapping of arrays)."""

        def column(name: str) -> Floats:
            return np.asarray(table[name], np.float64)

        names = list(table.keys())
        return cls(
            id=np.asarray(table["id"], np.int64),
            ra=column("ra"),
            dec=column("dec"),
            is_star=np.asarray(table["is_star"], bool),
            half_light_radius=column("r_half_arcsec"),
            axis_ratio=column("axis_ratio"),
            position_angle=column("position_angle"),
            flux={n.removesuffix("_flux"): column(n) for n in names if n.endswith("_flux")},
        )

    @classmethod
    def none(cls) -> Sources:
        """Return an empty catalogue, for datasets without exposures of the sky."""
        names = ("id", "ra", "dec", "is_star", "r_half_arcsec", "axis_ratio", "position_angle")
        return cls.from_table(dict.fromkeys(names, ()))

    def near(self, ra: float, dec: float, radius: float) -> NDArray[np.int64]:
        """Return the indices of sources within a radius (degrees) of a position (degrees)."""
        order, decs, vectors = self._by_dec
        band = slice(*np.searchsorted(decs, (dec - radius, dec + radius)))
        # The chord keeps its precision at small angles, where the dot product loses it.
        chord = np.sum((vectors[band] - _unit_vectors(ra, dec)) ** 2, axis=-1)
        return np.sort(order[band][chord <= (2 * np.sin(np.radians(min(radius, 180.0)) / 2)) ** 2])


@dataclasses.dataclass(frozen=True)
class Placed:
    """Sources on a detector.

    Parameters
    ----------
    index : `numpy.ndarray`
        Their indices in the `Sources`.
    x, y : `numpy.ndarray`
        Positions (pixels; the centre of the first pixel is 0); some lie outside the detector.
    electrons : `numpy.ndarray`
        Expected electrons for a flat field of 1.
    covariance : `numpy.ndarray`
        Ellipse at the half-light radius: xx, xy, yy (pixels²), shape (n, 3); zeros for stars.
    is_star : `numpy.ndarray`
        Whether it is a point source.
    """

    index: NDArray[np.int64]
    x: Floats
    y: Floats
    electrons: Floats
    covariance: Floats
    is_star: NDArray[np.bool_]


def pointing(camera: Camera, observation: Observation) -> Pointing:
    """Return where an observation looks (`~harness.instrument.pointing.Pointing`)."""
    return Pointing(*observation.pointing, camera.sky_parity)


def psf_fwhm(camera: Camera, detector: int, observation: Observation) -> float:
    """Return the FWHM (pixels) of the PSF that is rendered: the seeing, but never below `MIN_FWHM` pixels.

    It is the truth for measurements of the PSF size; the pixel scale is that at the detector's centre.
    """
    jacobian = _jacobian(camera, detector, pointing(camera, observation))
    scale = 1 / np.sqrt(abs(float(np.linalg.det(jacobian))))
    return max(observation.seeing / scale, MIN_FWHM)


def place(camera: Camera, detector: int, observation: Observation, sources: Sources, band: str) -> Placed:
    """Find the sources that a detector may see, and where.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The (binned) camera.
    detector : `int`
        Detector id.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    sources : `Sources`
        Truth catalogue.
    band : `str`
        Band of the exposure's filter.

    Raises
    ------
    HarnessError
        If the truth catalogue has no fluxes in the band.
    """
    if band not in sources.flux:
        raise HarnessError(
            f"the truth catalogue has no {band} fluxes, which exposure {observation.exposure}"
            f" ({observation.physical_filter}) needs",
            remedy=f"it has {', '.join(sorted(sources.flux)) or 'none'}",
            code="truth-band",
        )
    item, at = camera[detector], pointing(camera, observation)
    corners_ra, corners_dec = at.pixel_to_sky(camera, detector, *item.corners())
    ra, dec = at.pixel_to_sky(camera, detector, (item.nx - 1) / 2, (item.ny - 1) / 2)
    centre = _unit_vectors(ra, dec)
    reach = np.max(np.linalg.norm(_unit_vectors(corners_ra, corners_dec) - centre, axis=-1))
    index = sources.near(float(ra), float(dec), float(np.degrees(reach)) + MARGIN / 3600)
    x, y = at.sky_to_pixel(camera, detector, sources.ra[index], sources.dec[index])
    jacobian = _jacobian(camera, detector, at)

    angle = np.radians(sources.position_angle[index])
    major = np.stack([np.sin(angle), np.cos(angle)], axis=-1) @ jacobian.T
    minor = np.stack([np.cos(angle), -np.sin(angle)], axis=-1) @ jacobian.T
    major *= sources.half_light_radius[index, None]
    minor *= (sources.half_light_radius * sources.axis_ratio)[index, None]
    covariance = np.stack(
        [major[:, i] * major[:, j] + minor[:, i] * minor[:, j] for i, j in ((0, 0), (0, 1), (1, 1))], 1
    )
    stars = sources.is_star[index]
    covariance[stars] = 0.0
    electrons = flux_to_electrons(sources.flux[band][index], band, observation.exposure_time)
    return Placed(index, x, y, electrons, covariance, stars)


def render_sources(camera: Camera, detector: int, observation: Observation, placed: Placed) -> Floats:
    """Return the noise-free light of stars and galaxies on the trimmed detector (electrons, [y, x])."""
    item = camera[detector]
    fwhm = psf_fwhm(camera, detector, observation)
    image = np.zeros((item.ny, item.nx))
    for kind in (placed.is_star, ~placed.is_star):
        round_ = kind is placed.is_star
        render(
            image.shape,
            placed.x[kind],
            placed.y[kind],
            placed.electrons[kind],
            None if round_ else placed.covariance[kind],
            fwhm,
            out=image,
        )
    return image


def sky_background(camera: Camera, detector: int, observation: Observation, band: str, seed: int) -> Floats:
    """Return the light of the sky on the trimmed detector (electrons, [y, x]).

    The mean level is that of `~harness.simulate.photometry.sky_electrons`; it follows the solid angle of the
    pixels, which the distortion changes over the field, and a weak gradient of the exposure's own.
    """
    item = camera[detector]
    rng = generator(seed, camera.name, observation.exposure, purpose="sky")
    gradient = rng.normal(0.0, SKY_GRADIENT, 2)
    u = np.linspace(-1, 1, 5)
    x, y = np.meshgrid((u + 1) / 2 * (item.nx - 1), (u + 1) / 2 * (item.ny - 1))
    fx, fy = camera.pixel_to_field(detector, x, y)
    sides = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        ahead = camera.pixel_to_field(detector, x + dx, y + dy)
        behind = camera.pixel_to_field(detector, x - dx, y - dy)
        sides.append((ahead[0] - behind[0], ahead[1] - behind[1]))
    area = np.abs(sides[0][0] * sides[1][1] - sides[0][1] * sides[1][0]) / ARCSEC**2
    level = area * (1 + gradient[0] * np.degrees(fx) + gradient[1] * np.degrees(fy))
    # A quadratic through 5 x 5 points: the distortion of a field is smooth on the scale of a detector.
    basis = np.vander(u, 3)
    inverse = np.linalg.pinv(basis)
    return sky_electrons(band, observation.exposure_time) * surface(inverse @ level @ inverse.T, (item.ny, item.nx))


def surface(coefficients: Floats, shape: tuple[int, int]) -> Floats:
    """Evaluate a polynomial in x and y, each running from -1 to 1 across an image.

    Parameters
    ----------
    coefficients : `numpy.ndarray`
        Coefficients [power of y, power of x], highest power first.
    shape : `tuple` [`int`, `int`]
        Rows and columns.
    """
    vy = np.vander(np.linspace(-1, 1, shape[0]), coefficients.shape[0])
    vx = np.vander(np.linspace(-1, 1, shape[1]), coefficients.shape[1])
    out: Floats = vy @ coefficients @ vx.T
    return out


def _jacobian(camera: Camera, detector: int, at: Pointing) -> Floats:
    """Return d(x, y)/d(east, north) at a detector's centre (pixels per arcsec), shape (2, 2)."""
    item = camera[detector]
    ra, dec = at.pixel_to_sky(camera, detector, (item.nx - 1) / 2, (item.ny - 1) / 2)
    step = 1.0 / 3600
    east = step / np.cos(np.radians(dec))
    ras, decs = np.array([ra + east, ra - east, ra, ra]), np.array([dec, dec, dec + step, dec - step])
    x, y = at.sky_to_pixel(camera, detector, ras, decs)
    return np.array([[x[0] - x[1], x[2] - x[3]], [y[0] - y[1], y[2] - y[3]]]) / 2


def _unit_vectors(ra: Floats | float, dec: Floats | float) -> Floats:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
