"""Names of the datasets of the wavefront pipeline: those of ts_wep, with its dimensions.

What ts_wep keeps in its own class of stamps is a plain table here.
"""

from __future__ import annotations

__all__ = ["DONUT_TABLE", "STAMPS_EXTRA", "STAMPS_INTRA", "ZERNIKES"]

DONUT_TABLE = "donutTable"
"""{instrument, visit, detector}: donuts on one detector."""

STAMPS_EXTRA, STAMPS_INTRA = "donutStampsExtra", "donutStampsIntra"
"""{instrument, visit, detector}: images of donuts of either half of a pair, both under the extra-focal half's id."""

ZERNIKES = "zernikes"
"""{instrument, visit, detector}: Zernike coefficients (nm) of the pairs of donuts and their average."""
