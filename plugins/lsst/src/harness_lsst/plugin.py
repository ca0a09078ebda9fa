"""Hooks of the plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.instrument.kit import InstrumentKit

__all__ = ["harness_instruments"]

CALIBRATIONS = "resource://harness.drp/pipelines/Calibrations.yaml"
"""The pipeline of the calibration chain, with a subset for each kind."""


@hookimpl
def harness_instruments() -> Iterable[InstrumentKit]:
    """Provide LATISS, LSSTComCam, LSSTComCamSim and LSSTCam."""
    from harness.instrument.kit import Capability, InstrumentKit
    from harness.instrument.storage import REPOSITORY_CONFIG

    from .camera import make_comcam, make_latiss, make_lsstcam
    from .instruments import Latiss, LsstCam, LsstComCam, LsstComCamSim
    from .profiles import COMCAM, COMCAM_SIM, LATISS, LSSTCAM
    from .writer import raw_writer

    capabilities = frozenset(
        {
            Capability.IMAGES,
            Capability.VISITS,
            Capability.CALIBRATIONS,
            Capability.REFCATS,
            Capability.PIPELINES,
            Capability.COADDS,
        }
    )
    # Cameras with exposures for calibration in some dataset, and the pipelines that make calibrations of them.
    chain = {kind: f"{CALIBRATIONS}#{kind}" for kind in ("bias", "dark", "flat")}
    chained = (Latiss, LsstComCam, LsstComCamSim)
    more = {Latiss: ("Spectra", "Wavefront"), LsstComCam: ("Wavefront",), LsstCam: ("Wavefront",)}
    return [
        InstrumentKit(
            instrument_class=instrument,
            translator=instrument.translatorClass,
            make_camera=make_camera,
            write_raw=raw_writer(profile, instrument.translatorClass),
            capabilities=capabilities
            | ({Capability.SPECTRA} if instrument is Latiss else set())
            | ({Capability.WAVEFRONT} if "Wavefront" in more.get(instrument, ()) else set())
            | ({Capability.CALIBRATION_CHAIN} if instrument in chained else set()),
            visit_padding=padding,
            repository_config=REPOSITORY_CONFIG,
            pipelines={
                name: f"resource://harness_lsst/pipelines/{instrument.getName()}/{name}.yaml"
                for name in ("DRP", *more.get(instrument, ()))
            }
            | (chain if instrument in chained else {}),
        )
        for instrument, make_camera, profile, padding in (
            (Latiss, make_latiss, LATISS, 4000),
            (LsstComCam, make_comcam, COMCAM, 250),
            (LsstComCamSim, make_comcam, COMCAM_SIM, 250),
            (LsstCam, make_lsstcam, LSSTCAM, 250),
        )
    ]
