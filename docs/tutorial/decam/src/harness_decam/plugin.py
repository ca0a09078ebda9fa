"""Hooks of the plugin: what gen3-harness asks it for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.instrument.kit import InstrumentKit


@hookimpl
def harness_instruments() -> Iterable[InstrumentKit]:
    """Provide DECam."""
    from harness.instrument.kit import Capability, InstrumentKit
    from harness.instrument.storage import REPOSITORY_CONFIG

    from .camera import make_camera
    from .instrument import DECam
    from .translator import DecamTranslator
    from .writer import write_exposure

    return [
        InstrumentKit(
            instrument_class=DECam,
            translator=DecamTranslator,
            make_camera=make_camera,
            write_exposure=write_exposure,
            capabilities=frozenset(
                {
                    Capability.IMAGES,
                    Capability.VISITS,
                    Capability.CALIBRATIONS,
                    Capability.REFCATS,
                    Capability.PIPELINES,
                    Capability.COADDS,
                }
            ),
            repository_config=REPOSITORY_CONFIG,
            pipelines={"DRP": "resource://harness_decam/pipelines/DRP.yaml"},
        )
    ]


@hookimpl
def harness_datasets() -> Iterable[Path]:
    """Provide every folder of datasets/ that has a manifest."""
    return sorted(p.parent for p in (Path(__file__).parent / "datasets").glob("*/manifest.toml"))
