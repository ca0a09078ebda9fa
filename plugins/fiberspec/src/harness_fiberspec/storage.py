"""The Butler configuration that repositories with spectra carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["REPOSITORY_CONFIG"]

REPOSITORY_CONFIG: Mapping[str, Any] = {
    "storageClasses": {
        "HarnessFiberSpectrum": {
            "pytype": "harness_fiberspec.spectrum.FiberSpectrum",
            # Derived, not constituent: a raw is one file of the observatory and is never taken apart.
            "delegate": "lsst.daf.butler.StorageClassDelegate",
            "derivedComponents": {
                "wavelength": "NumpyArray",
                "flux": "NumpyArray",
                "header": "StructuredDataDict",
                "obs_info": "ObservationInfo",
            },
        },
    },
}
"""Seed for ``Butler.makeRepo``. There is no entry for a formatter: each raw names it when it is ingested.

The middleware has a storage class ``FiberSpectrum`` of its own, whose Python type is in a package that is not on PyPI;
it cannot be given another type, so that this one has another name."""
