"""What a disperser makes of the sky: undispersed images and spectra, of one bright target above all.

The target is not in the truth catalogue. Its place, brightness and continuum are the manifest's, its lines a pure
function of the seed and the exposure; `target` gives all of it, for the simulation and for the checks. Half of the
lines are those that every star has (`~harness.instrument.dispersion.SPECTRAL_LINES`), the others are emission
lines that no list of lines knows, by which a wavelength calibration can be judged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..errors import HarnessError, nearest
from ..instrument.dispersion import SPECTRAL_LINES, Disperser, Trace
from ..sky.seeds import generator
from .light import checked_sky
from .photometry import NANOJANSKY_AB, flux_to_electrons
from .profiles import render
from .scene import place, psf_fwhm, render_sources

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..datasets.observations import Observation
    from ..instrument.camera import Camera, Floats
    from ..instrument.kit import InstrumentKit
    from .exposure import Simulator

__all__ = ["BAND_EDGES", "Line", "Target", "dispersed_sky", "mounted", "target"]

BAND_EDGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "u": (330.0, 400.0),
        "g": (402.0, 552.0),
        "r": (552.0, 691.0),
        "i": (691.0, 818.0),
        "z": (818.0, 922.0),
        "y": (922.0, 1060.0),
        "white": (350.0, 1050.0),
    }
)
"""Wavelengths (nm) between which a band lets light through: Rubin's nominal bands (Ivezić et al. 2019, table 1),
and for no filter what optics and silicon leave; an assumption."""

EDGE = 6.0
"""Width of the edges of bands (nm): the transmission is a logistic function; an assumption."""

TEMPERATURE = 9500.0
"""Temperature of the target (K) if the manifest gives none."""

MAGNITUDE = 12.0
"""AB magnitude of the target if the manifest gives none."""

LINE_SIGMA = 1.2
"""Width of all lines (nm, standard deviation): too narrow to be resolved by a camera with binned pixels."""

ABSORPTION, EMISSION = (1.0, 2.6), (3.0, 6.0)
"""Ranges of equivalent widths (nm) of absorption and of emission lines; an assumption. An absorption line of the
largest one and of `LINE_SIGMA` is 86 % deep."""

EMISSION_LINES, SEPARATION = 3, 26.0
"""Number of emission lines, and how far they are at least from each other and from all others (nm)."""

DISTANCE_ERROR, ANGLE_ERROR = 0.002, 0.1
"""R.m.s. of the true distance of the disperser relative to its nominal one, and of its direction (degrees): nothing
is mounted twice in the same way. 0.4 mm of 181 mm is the uncertainty that Spectractor gives for LATISS."""

STEP = 0.2
"""Length of the pieces (pixels) that the target's spectrum is made of."""

NEGLIGIBLE = 0.05
"""A field star has no spectrum if its peak is less than so much of the sky's noise."""

MARGIN = 20.0
"""Light that falls so many pixels outside the detector is left out."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A spectral line, a Gaussian.

    Parameters
    ----------
    name : `str`
        Its name in `~harness.instrument.dispersion.SPECTRAL_LINES`; empty if it has none.
    wavelength : `float`
        Centre (nm).
    equivalent_width : `float`
        Continuum that has as much light (nm); negative in emission.
    """

    name: str
    wavelength: float
    equivalent_width: float


@dataclasses.dataclass(frozen=True)
class Target:
    """The star that a dispersed exposure is of.

    Parameters
    ----------
    field : `tuple` [`float`, `float`]
        Its field angles (radians).
    electrons : `float`
        Electrons that its continuum would give without disperser.
    edges : `tuple` [`float`, `float`]
        Wavelengths (nm) between which there is light.
    temperature : `float`
        Temperature (K) of the continuum.
    lines : `tuple` [`Line`]
        Lines, by wavelength.
    """

    field: tuple[float, float]
    electrons: float
    edges: tuple[float, float]
    temperature: float
    lines: tuple[Line, ...]

    @property
    def range(self) -> tuple[float, float]:
        """Wavelengths (nm) outside which there is no light."""
        return self.edges[0] - 8 * EDGE, self.edges[1] + 8 * EDGE

    def _shape(self, wavelength: Floats) -> Floats:
        """Photons of a black body through the band, in arbitrary units per nm."""
        low, high = self.edges
        # hc/k = 14387769 nm K
        body = 1e11 / wavelength**4 / np.expm1(14387769.0 / (wavelength * self.temperature))
        out: Floats = body / (1 + np.exp(-(wavelength - low) / EDGE)) / (1 + np.exp((wavelength - high) / EDGE))
        return out

    def continuum(self, wavelength: Floats) -> Floats:
        """Return the electrons per nm of the continuum, without disperser (1-d, nm)."""
        grid = np.linspace(*self.range, 2001)
        total = float(np.trapezoid(self._shape(grid), grid))
        return self.electrons / total * self._shape(np.asarray(wavelength, np.float64))

    def density(self, wavelength: Floats) -> Floats:
        """Return the electrons per nm, lines included, without disperser (1-d, nm)."""
        wavelength = np.asarray(wavelength, np.float64)
        factor = np.ones_like(wavelength)
        for line in self.lines:
            phase = (wavelength - line.wavelength) / LINE_SIGMA
            factor -= line.equivalent_width / (LINE_SIGMA * np.sqrt(2 * np.pi)) * np.exp(-0.5 * phase**2)
        return self.continuum(wavelength) * factor

    def pixel(self, camera: Camera, detector: int) -> tuple[float, float]:
        """Return where its undispersed image lies (pixels)."""
        x, y = camera.field_to_pixel(detector, *self.field)
        return float(x), float(y)


def target(dataset: Dataset, kit: InstrumentKit, observation: Observation) -> Target:
    """Return the truth about the target of an exposure.

    Parameters
    ----------
    dataset : `~harness.datasets.manifest.Dataset`
        The manifest: its seed.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.
    observation : `~harness.datasets.observations.Observation`
        The exposure. Its ``settings`` may have ``target_field`` (field angles x and y from the boresight, arcsec; by
        default 0, 0), ``target_magnitude`` (AB) and ``target_temperature`` (K).

    Raises
    ------
    HarnessError
        If a setting is of a wrong kind, or the filter's band is one whose spectrum is not modelled.
    """
    bands: Mapping[str, str] = kit.instrument_class.filters()
    if observation.physical_filter not in bands:
        raise nearest(f"filter of {kit.name}", observation.physical_filter, bands)
    band = bands[observation.physical_filter]
    if band not in BAND_EDGES:
        raise nearest("band of the spectral model", band, BAND_EDGES)
    magnitude = _number(observation, "target_magnitude", MAGNITUDE)
    temperature = _number(observation, "target_temperature", TEMPERATURE)
    if temperature <= 0:
        raise _wrong(observation, "target_temperature", temperature, "a positive number")
    field = observation.settings.get("target_field", (0.0, 0.0))
    if not (isinstance(field, list | tuple) and len(field) == 2 and all(isinstance(v, int | float) for v in field)):
        raise _wrong(observation, "target_field", field, "two numbers (arcsec)")
    flux = 10 ** (0.4 * (NANOJANSKY_AB - magnitude))
    return Target(
        field=(float(np.radians(field[0] / 3600)), float(np.radians(field[1] / 3600))),
        electrons=float(flux_to_electrons(flux, band, observation.exposure_time)),
        edges=BAND_EDGES[band],
        temperature=temperature,
        lines=_lines(dataset.seed, kit.name, observation.exposure, BAND_EDGES[band]),
    )


def mounted(dataset: Dataset, kit: InstrumentKit, observation: Observation) -> Disperser:
    """Return the disperser of an exposure, where it really was.

    Raises
    ------
    HarnessError
        If there is none.
    """
    nominal = kit.disperser(observation.physical_filter)
    if nominal is None:
        raise HarnessError(f"{observation.physical_filter} of {kit.name} has no disperser", code="disperser")
    rng = generator(dataset.seed, kit.name, observation.exposure, purpose="disperser")
    return nominal.adjusted(1 + rng.normal(0.0, DISTANCE_ERROR), rng.normal(0.0, ANGLE_ERROR))


def _lines(seed: int, instrument: str, exposure: int, edges: tuple[float, float]) -> tuple[Line, ...]:
    rng = generator(seed, instrument, exposure, purpose="spectral lines")
    widths = rng.uniform(*ABSORPTION, len(SPECTRAL_LINES))
    lines = [Line(n, w, float(e)) for (n, w), e in zip(SPECTRAL_LINES.items(), widths, strict=True)]
    low, high = edges[0] + SEPARATION, edges[1] - SEPARATION
    for wavelength in rng.uniform(low, max(low, high), 200):
        if len(lines) == len(SPECTRAL_LINES) + EMISSION_LINES:
            break
        if all(abs(wavelength - line.wavelength) >= SEPARATION for line in lines):
            lines.append(Line("", float(wavelength), -float(rng.uniform(*EMISSION))))
    return tuple(sorted(lines, key=lambda line: line.wavelength))


def dispersed_sky(simulator: Simulator, observation: Observation, detector: int) -> Floats:
    """Return the light of a dispersed exposure (electrons, trimmed [y, x], flat field of 1, no noise).

    The target and the field's stars have an undispersed image and their spectra; galaxies only an undispersed
    image, because theirs are too faint to be seen. The sky comes through every order. Stars of the field have the
    target's continuum without lines.

    Raises
    ------
    HarnessError
        If the sky alone would saturate, or the manifest's settings make no sense.
    """
    camera = simulator.camera
    disperser = mounted(simulator.dataset, simulator.kit, observation)
    star = target(simulator.dataset, simulator.kit, observation)
    undispersed = disperser.efficiency[0]
    image = checked_sky(simulator, observation, detector, share=sum(disperser.efficiency.values()))
    fwhm = psf_fwhm(camera, detector, observation)
    noise = float(np.sqrt(image.mean()))

    placed = place(camera, detector, observation, simulator.sources, simulator.band(observation))
    dimmed = dataclasses.replace(placed, electrons=placed.electrons * undispersed)
    image += render_sources(camera, detector, observation, dimmed)
    x, y = star.pixel(camera, detector)
    wavelength = np.linspace(*star.range, 2001)
    total = float(np.trapezoid(star.density(wavelength), wavelength))
    render(image.shape, np.array([x]), np.array([y]), np.array([undispersed * total]), None, fwhm, out=image)

    for order, share in disperser.efficiency.items():
        if order == 0 or share == 0:
            continue
        trace = Trace(disperser, camera, detector, x, y, order)
        _add(image, *_pieces(trace, star, STEP, lines=True), share, fwhm)
        for i in np.flatnonzero(placed.is_star):
            faint = placed.electrons[i] / star.electrons * share
            trace = Trace(disperser, camera, detector, float(placed.x[i]), float(placed.y[i]), order)
            px, py, electrons = _pieces(trace, star, 1.0, lines=False)
            # A trace is as wide as the PSF: its peak is some 1/FWHM of the light per pixel of length.
            if len(px) and electrons.max() * faint > NEGLIGIBLE * noise * fwhm:
                _add(image, px, py, electrons, faint, fwhm)
    return image


def _pieces(trace: Trace, star: Target, step: float, *, lines: bool) -> tuple[Floats, Floats, Floats]:
    """Cut a spectrum into pieces: their pixels and their electrons (for an efficiency of 1)."""
    item = trace.camera[trace.detector]
    ends = trace.along(*trace.pixel(np.array(star.range)))
    edges = np.arange(float(ends[0]), float(ends[1]) + step, step)
    x, y = trace.point((edges[1:] + edges[:-1]) / 2)
    near = (x > -MARGIN) & (x < item.nx + MARGIN) & (y > -MARGIN) & (y < item.ny + MARGIN)
    if not near.any():
        nothing = np.zeros(0)
        return nothing, nothing, nothing
    at = trace.wavelength(*trace.point(edges))
    middle, width = (at[1:] + at[:-1])[near] / 2, np.diff(at)[near]
    return x[near], y[near], (star.density if lines else star.continuum)(middle) * width


def _add(image: Floats, x: Floats, y: Floats, electrons: Floats, share: float, fwhm: float) -> None:
    render(image.shape, x, y, electrons * share, None, fwhm, out=image)


def _number(observation: Observation, name: str, default: float) -> float:
    value = observation.settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise _wrong(observation, name, value, "a number")
    return float(value)


def _wrong(observation: Observation, name: str, value: object, wanted: str) -> HarnessError:
    return HarnessError(
        f"exposure {observation.exposure}: setting {name} is {value!r}",
        remedy=f"give {wanted} in the manifest",
        code="settings",
    )
