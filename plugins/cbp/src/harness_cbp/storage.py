"""The Butler configuration that repositories with exposures of the projector carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["REPOSITORY_CONFIG"]

REPOSITORY_CONFIG: Mapping[str, Any] = {
    "storageClasses": {
        "HarnessCbpExposure": {
            "pytype": "harness_cbp.exposure.CbpExposure",
            # Derived, not constituent: a raw is one file of the observatory and is never taken apart.
            "delegate": "lsst.daf.butler.StorageClassDelegate",
            "derivedComponents": {
                "settings": "StructuredDataDict",
                "time": "NumpyArray",
                "charge": "NumpyArray",
                "header": "StructuredDataDict",
                "obs_info": "ObservationInfo",
            },
        },
    },
}
"""Seed for ``Butler.makeRepo``. There is no entry for a formatter: each raw names it when it is ingested."""
