"""The dispersers of LATISS.

Lines per mm, the distance of 181 mm (± 0.4 mm) to the detector and the tilts of the spectra are those with which
LSSTDESC's Spectractor reads images of the auxiliary telescope (``config/auxtel.ini`` and
``spectractor/extractor/dispersers``). There the image is transposed and turned so that spectra run along +x: on the
assembled detector first orders run towards -y.

Assumptions: one number of lines for all places of the target, though a hologram has fewer away from its centre
(Spectractor: 156.3 to 127 for holo4_003); tilts counted as here, an angle in the transposed image; the tilt of
ronchi90lpmm, of which Spectractor says nothing. Of the light in the orders only the Ronchi rulings' is known, from
theory: a quarter of it is not dispersed, and 1/π² goes into each first order.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from types import MappingProxyType

from harness.instrument.dispersion import Disperser

__all__ = ["DISPERSERS", "disperser"]

_SOURCE = "LSSTDESC/Spectractor, config/auxtel.ini and spectractor/extractor/dispersers"
_DISTANCE = 181.0
_RONCHI = {0: 0.25, 1: 1 / pi**2, -1: 1 / pi**2}
_HOLOGRAM = {0: 0.20, 1: 0.25, -1: 0.05}
_BLAZED = {0: 0.15, 1: 0.50, -1: 0.03}


def _make(name: str, lines: float, tilt: float, efficiency: Mapping[int, float]) -> Disperser:
    return Disperser(name, lines, _DISTANCE, -90.0 - tilt, efficiency, _SOURCE)


DISPERSERS: Mapping[str, Disperser] = MappingProxyType(
    {
        d.name: d
        for d in (
            _make("ronchi90lpmm", 90.0, 0.0, _RONCHI),
            _make("ronchi170lpmm", 170.0, 1.05, _RONCHI),
            _make("blue300lpmm_qn1", 300.0, 0.5, _BLAZED),
            _make("holo4_001", 156.0, 0.0, _HOLOGRAM),
            _make("holo4_003", 156.3, -0.25, _HOLOGRAM),
        )
    }
)
"""By the name that the header's GRATING gives."""


def disperser(physical_filter: str) -> Disperser | None:
    """Return what disperses the light that comes through ``FILTER~GRATING``.

    Parameters
    ----------
    physical_filter : `str`
        Physical filter.

    Returns
    -------
    disperser : `~harness.instrument.dispersion.Disperser` or `None`
        `None` if the grating wheel has no disperser in the beam: it is empty, unknown, a pinhole or a filter.
    """
    return DISPERSERS.get(physical_filter.partition("~")[2])
