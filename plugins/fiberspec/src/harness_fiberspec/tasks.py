"""From a raw spectrum to its emission lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from lsst.pex.config import RangeField
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct, connectionTypes
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table

    from .spectrum import FiberSpectrum

__all__ = [
    "MeasureSpectrumConfig",
    "MeasureSpectrumConnections",
    "MeasureSpectrumTask",
    "ReduceSpectrumConfig",
    "ReduceSpectrumConnections",
    "ReduceSpectrumTask",
]

Floats = NDArray[np.float64]
_DIMENSIONS = ("instrument", "exposure", "detector")


class ReduceSpectrumConnections(PipelineTaskConnections, dimensions=_DIMENSIONS):
    """Inputs and outputs of `ReduceSpectrumTask`."""

    raw = connectionTypes.Input(
        doc="Raw spectrum.", name="rawSpectrum", storageClass="HarnessFiberSpectrum", dimensions=_DIMENSIONS
    )
    spectrum = connectionTypes.Output(
        doc="Wavelength, signal above the continuum, continuum, noise.",
        name="spectrum",
        storageClass="ArrowAstropy",
        dimensions=_DIMENSIONS,
    )


class ReduceSpectrumConfig(PipelineTaskConfig, pipelineConnections=ReduceSpectrumConnections):
    """Configuration of `ReduceSpectrumTask`."""

    window = RangeField[int](doc="Pixels over which the continuum is a median.", default=61, min=5)


class ReduceSpectrumTask(PipelineTask):
    """Subtract the continuum, and the level of the readout with it, from a raw spectrum."""

    ConfigClass = ReduceSpectrumConfig
    _DefaultName = "reduceSpectrum"
    config: ReduceSpectrumConfig

    def run(self, *, raw: FiberSpectrum) -> Struct:
        """Reduce one spectrum.

        Parameters
        ----------
        raw : `~harness_fiberspec.spectrum.FiberSpectrum`
            The raw spectrum.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``spectrum`` (`astropy.table.Table`): ``wavelength`` (nm), ``signal``, ``continuum`` and ``noise``
            (counts), one row for each pixel. The noise is that of all pixels together.
        """
        from astropy.table import Table
        from scipy.ndimage import median_filter

        flux = np.asarray(raw.flux, np.float64)
        continuum = median_filter(flux, size=self.config.window, mode="nearest")
        table = Table({"wavelength": raw.wavelength, "signal": flux - continuum, "continuum": continuum})
        table["wavelength"].unit = "nm"
        table["noise"] = 1.4826 * float(np.median(np.abs(flux - continuum)))
        return Struct(spectrum=table)


class MeasureSpectrumConnections(PipelineTaskConnections, dimensions=_DIMENSIONS):
    """Inputs and outputs of `MeasureSpectrumTask`."""

    spectrum = connectionTypes.Input(
        doc="Spectrum without its continuum.", name="spectrum", storageClass="ArrowAstropy", dimensions=_DIMENSIONS
    )
    lines = connectionTypes.Output(
        doc="Emission lines: wavelength, pixel, flux, width.",
        name="spectrumLines",
        storageClass="ArrowAstropy",
        dimensions=_DIMENSIONS,
    )


class MeasureSpectrumConfig(PipelineTaskConfig, pipelineConnections=MeasureSpectrumConnections):
    """Configuration of `MeasureSpectrumTask`."""

    threshold = RangeField[float](doc="Height of a line in units of the noise.", default=8.0, min=1.0)
    radius = RangeField[int](doc="Pixels on either side of a peak that are fitted.", default=5, min=2)


class MeasureSpectrumTask(PipelineTask):
    """Find emission lines and measure their wavelengths, fluxes and widths."""

    ConfigClass = MeasureSpectrumConfig
    _DefaultName = "measureSpectrum"
    config: MeasureSpectrumConfig

    def run(self, *, spectrum: Table) -> Struct:
        """Find the lines of one spectrum.

        Parameters
        ----------
        spectrum : `astropy.table.Table`
            What `ReduceSpectrumTask` makes.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``lines`` (`astropy.table.Table`): ``wavelength`` (nm) and its error, ``pixel`` (from 0) and its error,
            ``flux`` (counts) and its error, ``fwhm`` (pixels), ``snr`` (height over noise), in order of wavelength.
            Empty if there is no line.
        """
        from astropy.table import Table

        signal, wavelength = (np.asarray(spectrum[n], np.float64) for n in ("signal", "wavelength"))
        noise = float(np.median(spectrum["noise"]))
        rows = [self._fit(signal, int(peak), noise) for peak in self._peaks(signal, noise)]
        pixels = np.arange(len(signal))
        table = Table({name: np.array([r[i] for r in rows], float) for i, name in enumerate(_COLUMNS)})
        table["wavelength"] = np.interp(table["pixel"], pixels, wavelength)
        table["wavelengthErr"] = np.interp(table["pixel"], pixels, np.gradient(wavelength)) * table["pixelErr"]
        for name in ("wavelength", "wavelengthErr"):
            table[name].unit = "nm"
        for name in ("pixel", "pixelErr", "fwhm"):
            table[name].unit = "pix"
        self.log.info("%d lines above %.1f counts", len(table), self.config.threshold * noise)
        return Struct(lines=table)

    def _peaks(self, signal: Floats, noise: float) -> NDArray[np.intp]:
        """Return the pixels that are higher than the threshold and than all neighbours in the radius."""
        from scipy.ndimage import maximum_filter

        highest = maximum_filter(signal, size=2 * self.config.radius - 1, mode="nearest")
        found: NDArray[np.intp] = np.flatnonzero((signal == highest) & (signal > self.config.threshold * noise))
        return found

    def _fit(self, signal: Floats, peak: int, noise: float) -> tuple[float, ...]:
        """Fit a Gaussian to the pixels around a peak."""
        from scipy.optimize import curve_fit

        low, high = max(peak - self.config.radius, 0), min(peak + self.config.radius + 1, len(signal))
        x, y = np.arange(low, high, dtype=float), signal[low:high]
        start = (float(signal[peak]), float(peak), 1.5)
        bounds = ((0.0, peak - 2.0, 0.3), (10 * start[0], peak + 2.0, float(self.config.radius)))
        (height, place, sigma), covariance = curve_fit(_gaussian, x, y, p0=start, bounds=bounds)
        errors = np.sqrt(np.diag(covariance))
        area = float(height * sigma * np.sqrt(2 * np.pi))
        area_error = area * float(np.hypot(errors[0] / height, errors[2] / sigma))
        return place, errors[1], area, area_error, sigma * np.sqrt(8 * np.log(2)), height / max(noise, 1e-9)


_COLUMNS = ("pixel", "pixelErr", "flux", "fluxErr", "fwhm", "snr")


def _gaussian(x: Floats, height: float, place: float, sigma: float) -> Floats:
    return np.asarray(height * np.exp(-0.5 * ((x - place) / sigma) ** 2), np.float64)
