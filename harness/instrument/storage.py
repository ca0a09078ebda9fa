"""The Butler configuration that repositories of the harness carry: storage classes and their formatters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["REPOSITORY_CONFIG"]

_DELEGATE = "lsst.daf.butler.StorageClassDelegate"
_UNCOMPRESSED = "harness.drp.formatter.UncompressedFormatter"
_JSON = "lsst.daf.butler.formatters.json.JsonFormatter"

REPOSITORY_CONFIG: Mapping[str, Any] = {
    "storageClasses": {
        "HarnessRaw": {
            "pytype": "harness.instrument.raw.Raw",
            # Derived, not constituent: a raw is one file of the observatory and is never taken apart. The
            # delegate is named because only constituent components bring one by default.
            "delegate": _DELEGATE,
            "derivedComponents": {
                "image": "ImageV2",
                "header": "StructuredDataDict",
                "detector": "DetectorV2",
                "wcs": "SkyProjection",
            },
        },
        "HarnessCamera": {"pytype": "harness.instrument.camera.Camera"},
        "HarnessSkyMap": {"pytype": "harness.sky.skymaps.SkyMapDefinition"},
    },
    "datastore": {
        "formatters": {
            # No entry for HarnessRaw: each raw names its formatter when it is ingested, because only the
            # instrument knows how to read it.
            "HarnessCamera": _JSON,
            "HarnessSkyMap": _JSON,
            "ImageV2": _UNCOMPRESSED,
            "MaskedImageV2": _UNCOMPRESSED,
            "VisitImage": _UNCOMPRESSED,
        }
    },
}
"""Seed for ``Butler.makeRepo(root, Config(REPOSITORY_CONFIG))``.

``makeRepo`` writes it into ``butler.yaml``, so that every later process finds the storage classes without any
environment variable, as long as the packages named by ``pytype`` can be imported.
"""
