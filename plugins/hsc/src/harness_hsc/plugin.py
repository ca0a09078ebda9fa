"""Hooks of the plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.instrument.kit import InstrumentKit

__all__ = ["harness_instruments"]


@hookimpl
def harness_instruments() -> Iterable[InstrumentKit]:
    """Provide Hyper Suprime-Cam."""
    from harness.instrument.kit import Capability, InstrumentKit
    from harness.instrument.storage import REPOSITORY_CONFIG

    from .camera import make_camera
    from .instrument import HyperSuprimeCam
    from .translator import HscTranslator
    from .writer import write_raw

    return [
        InstrumentKit(
            instrument_class=HyperSuprimeCam,
            translator=HscTranslator,
            make_camera=make_camera,
            write_raw=write_raw,
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
            visit_padding=250,
            repository_config=REPOSITORY_CONFIG,
            pipelines={"DRP": "resource://harness_hsc/pipelines/DRP.yaml"},
        )
    ]
