"""Readers of raw files, real or simulated: one image HDU for each amplifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.instrument.formatter import RawFormatter

from .camera import make_comcam, make_latiss, make_lsstcam
from .translators import LatissTranslator, LsstCamTranslator, LsstComCamSimTranslator, LsstComCamTranslator

if TYPE_CHECKING:
    from harness.instrument.camera import Camera

__all__ = ["ComCamRawFormatter", "ComCamSimRawFormatter", "LatissRawFormatter", "LsstCamRawFormatter"]


class LatissRawFormatter(RawFormatter):
    """Read raw files of LATISS."""

    translator = LatissTranslator

    @classmethod
    def camera(cls, scale: int) -> Camera:
        """Return the camera with its pixels binned (`~harness.instrument.camera.Camera`)."""
        return make_latiss(scale)


class ComCamRawFormatter(RawFormatter):
    """Read raw files of LSSTComCam."""

    translator = LsstComCamTranslator

    @classmethod
    def camera(cls, scale: int) -> Camera:
        """Return the camera with its pixels binned (`~harness.instrument.camera.Camera`)."""
        return make_comcam(scale)


class ComCamSimRawFormatter(ComCamRawFormatter):
    """Read raw files of LSSTComCamSim."""

    translator = LsstComCamSimTranslator


class LsstCamRawFormatter(RawFormatter):
    """Read raw files of LSSTCam."""

    translator = LsstCamTranslator

    @classmethod
    def camera(cls, scale: int) -> Camera:
        """Return the camera with its pixels binned (`~harness.instrument.camera.Camera`)."""
        return make_lsstcam(scale)
