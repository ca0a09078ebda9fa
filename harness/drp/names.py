"""Names of the datasets that the light pipeline reads and writes.

They are those of the production pipelines of 2025/26 (``post_isr_image``, ``preliminary_visit_image``,
``direct_warp``, ``deep_coadd`` …), with the production dimensions. ``object_peak`` and ``deep_coadd_inputs`` hold
as plain tables what the production stack keeps in afw's own classes.
"""

from __future__ import annotations

__all__ = [
    "BIAS",
    "CAMERA",
    "COADD",
    "COADD_INPUTS",
    "COADD_PEAKS",
    "COADD_PREDETECTION",
    "COADD_SELECTION",
    "CP_BIAS",
    "CP_DARK",
    "CP_FLAT",
    "DARK",
    "DEFECTS",
    "FLAT",
    "FORCED",
    "OBJECT",
    "OBJECT_PATCH",
    "OBJECT_PEAK",
    "POST_ISR",
    "RAW",
    "SKY_MAP",
    "UNFORCED",
    "VISIT_IMAGE",
    "VISIT_STARS",
    "VISIT_STARS_ALL",
    "VISIT_SUMMARY",
    "WARP",
]

RAW = "raw"
CAMERA, BIAS, DARK, FLAT, DEFECTS = "camera", "bias", "dark", "flat", "defects"
SKY_MAP = "skyMap"

CP_BIAS, CP_DARK, CP_FLAT = "cpBiasProc", "cpDarkProc", "cpFlatProc"
"""{instrument, exposure, detector}: a bias, dark or flat exposure, trimmed and corrected with what comes before it
in the chain."""

POST_ISR = "post_isr_image"
"""{instrument, exposure, detector}: trimmed, bias-subtracted, flat-fielded image (electrons)."""

VISIT_IMAGE = "preliminary_visit_image"
"""{instrument, visit, detector}: calibrated, background-subtracted image (nJy) with PSF and sky projection."""

VISIT_STARS = "single_visit_star_unstandardized"
"""{instrument, visit, detector}: sources of one detector."""

VISIT_STARS_ALL = "single_visit_star"
"""{instrument, visit}: sources of all detectors."""

VISIT_SUMMARY = "preliminary_visit_summary"
"""{instrument, visit}: summary statistics, one row per detector."""

WARP = "direct_warp"
"""{skymap, tract, patch, instrument, visit}: a visit resampled onto a patch (nJy)."""

COADD_SELECTION = "deep_coadd_visit_selection"
"""{skymap, tract, patch, band}: weight of each visit that is coadded."""

COADD_PREDETECTION = "deep_coadd_predetection"
"""{skymap, tract, patch, band}: coadd (nJy) before its background is subtracted."""

COADD_INPUTS = "deep_coadd_inputs"
"""{skymap, tract, patch, band}: the visits that went in, with weights."""

COADD = "deep_coadd"
"""{skymap, tract, patch, band}: coadd (nJy) with the background subtracted and detections marked."""

COADD_PEAKS = "deep_coadd_peaks"
"""{skymap, tract, patch, band}: detections in one band."""

OBJECT_PEAK = "object_peak"
"""{skymap, tract, patch}: detections of all bands, merged."""

UNFORCED = "object_unforced_measurement"
"""{skymap, tract, patch, band}: measurements with positions of the band's own."""

FORCED = "object_forced_measurement"
"""{skymap, tract, patch, band}: measurements at the merged positions."""

OBJECT_PATCH = "object_patch"
"""{skymap, tract, patch}: objects of a patch, one row each, a column per band and quantity."""

OBJECT = "object"
"""{skymap, tract}: objects of a tract."""
