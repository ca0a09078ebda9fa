"""Names of the datasets that the spectra pipeline writes."""

from __future__ import annotations

__all__ = ["SPECTRUM", "SPECTRUM_LINES", "SPECTRUM_SUMMARY"]

SPECTRUM = "spectrum"
"""{instrument, exposure, detector}: flux by wavelength of the brightest source."""

SPECTRUM_LINES = "spectrumLines"
"""{instrument, exposure, detector}: the lines in it, with their residuals."""

SPECTRUM_SUMMARY = "spectrumSummary"
"""{instrument, exposure, detector}: one row with what was found out about the disperser and the image. Not metadata of
the spectrum's table, because the middleware's formatter strips those when it reads."""
