"""Rubin's cameras as the Butler sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from harness.instrument.base import HarnessInstrument

from .camera import make_comcam, make_latiss, make_lsstcam
from .dispersers import disperser
from .formatters import ComCamRawFormatter, ComCamSimRawFormatter, LatissRawFormatter, LsstCamRawFormatter
from .packer import PACKER
from .translators import LatissTranslator, LsstCamTranslator, LsstComCamSimTranslator, LsstComCamTranslator

if TYPE_CHECKING:
    from lsst.daf.butler import DataCoordinate, DimensionPacker, FormatterV2

    from harness.instrument.camera import Camera
    from harness.instrument.dispersion import Disperser

__all__ = ["Latiss", "LsstCam", "LsstComCam", "LsstComCamSim", "RubinInstrument"]

ID_MAX = 7050123199999
"""Exclusive limit of exposure and visit ids in the observatory's own repositories."""

CONFIG = ("resource://harness_lsst/config",)
"""Where tasks of cameras find what is to be configured otherwise for them, in every pipeline: files named as tasks."""


@lru_cache(maxsize=1)
def _filters() -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath("data/filters.json").read_text(encoding="utf-8")
    filters: dict[str, dict[str, str]] = json.loads(text)["filters"]
    return filters


class RubinInstrument(HarnessInstrument):
    """What the records of Rubin's cameras have in common.

    Visits are grouped by sequence numbers (visit system 2): the snaps of one visit follow each other.
    """

    visit_max = ID_MAX
    exposure_max = ID_MAX
    visit_system = 2

    @classmethod
    def filters(cls) -> Mapping[str, str]:
        """Return the band of each filter (`~collections.abc.Mapping` [`str`, `str`])."""
        return _filters()[cls.getName()]

    def _make_default_dimension_packer(
        self, config_dict: Any, data_id: DataCoordinate, is_exposure: bool | None = None, default: str = PACKER
    ) -> DimensionPacker:
        """Choose `~harness_lsst.packer.RubinPacker`: exposure ids are not dense, and leave no room as they are."""
        return super()._make_default_dimension_packer(config_dict, data_id, is_exposure=is_exposure, default=default)


class Latiss(RubinInstrument):
    """LATISS, imager and spectrograph of the auxiliary telescope."""

    detector_max = 1
    translatorClass = LatissTranslator
    policyName = "latiss"
    configPaths = CONFIG

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension (`str`)."""
        return "LATISS"

    @classmethod
    def camera(cls) -> Camera:
        """Return the unbinned camera (`~harness.instrument.camera.Camera`)."""
        return make_latiss(1)

    @classmethod
    def disperser(cls, physical_filter: str) -> Disperser | None:
        """Return the grating or hologram of a filter (`~harness.instrument.dispersion.Disperser` or `None`)."""
        return disperser(physical_filter)

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files (`type` [`lsst.daf.butler.FormatterV2`])."""
        return LatissRawFormatter


class LsstComCam(RubinInstrument):
    """LSSTComCam, the commissioning camera."""

    detector_max = 1000
    translatorClass = LsstComCamTranslator
    policyName = "comCam"
    configPaths = CONFIG

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension (`str`)."""
        return "LSSTComCam"

    @classmethod
    def camera(cls) -> Camera:
        """Return the unbinned camera (`~harness.instrument.camera.Camera`)."""
        return make_comcam(1)

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files (`type` [`lsst.daf.butler.FormatterV2`])."""
        return ComCamRawFormatter


class LsstComCamSim(LsstComCam):
    """LSSTComCam in rehearsals, with images that are not of the sky."""

    translatorClass = LsstComCamSimTranslator
    policyName = "comCamSim"

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension (`str`)."""
        return "LSSTComCamSim"

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files (`type` [`lsst.daf.butler.FormatterV2`])."""
        return ComCamSimRawFormatter


class LsstCam(RubinInstrument):
    """LSSTCam.

    The limit of detector ids is that of the observatory's ``detector_exposure_id``: its detectors are 0 to 204.
    """

    detector_max = 256
    translatorClass = LsstCamTranslator
    policyName = "lsstCam"

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension (`str`)."""
        return "LSSTCam"

    @classmethod
    def camera(cls) -> Camera:
        """Return the unbinned camera (`~harness.instrument.camera.Camera`)."""
        return make_lsstcam(1)

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files (`type` [`lsst.daf.butler.FormatterV2`])."""
        return LsstCamRawFormatter
