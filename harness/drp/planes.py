"""Mask planes of the light pipeline: names and meanings of ``lsst.images``' own visit and coadd planes."""

from __future__ import annotations

from lsst.images import MaskPlane, MaskSchema

__all__ = ["COADD_SCHEMA", "UNUSABLE", "VISIT_SCHEMA"]

VISIT_SCHEMA = MaskSchema(
    [
        MaskPlane("BAD", "Pixel listed in the defects of the detector."),
        MaskPlane("SATURATED", "Pixel was full, or touches one that was."),
        MaskPlane("COSMIC_RAY", "A cosmic ray affected this pixel."),
        MaskPlane("INTERPOLATED", "Pixel value was interpolated from its neighbours."),
        MaskPlane("NO_DATA", "No data was available for this pixel."),
        MaskPlane("DETECTED", "Pixel was part of a detected source."),
    ]
)
"""Planes of post-ISR images, visit images and warps."""

COADD_SCHEMA = MaskSchema(
    [
        MaskPlane("NO_DATA", "No visit contributed to this pixel."),
        MaskPlane("SATURATED", "Some visit was saturated here."),
        MaskPlane("REJECTED", "Some visit was left out of this pixel because of its mask."),
        MaskPlane("CLIPPED", "Some visit was left out of this pixel as an outlier."),
        MaskPlane("DETECTED", "Pixel was part of a detected source."),
    ]
)
"""Planes of coadds."""

UNUSABLE = ("BAD", "SATURATED", "COSMIC_RAY", "NO_DATA")
"""Planes of a visit image whose pixels hold no measurement of the sky."""
