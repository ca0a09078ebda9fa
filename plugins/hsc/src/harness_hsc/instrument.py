"""Hyper Suprime-Cam as the Butler sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from harness.instrument.base import HarnessInstrument

from .camera import make_camera
from .formatter import HscRawFormatter
from .translator import HscTranslator

if TYPE_CHECKING:
    from lsst.daf.butler import FormatterV2

    from harness.instrument.camera import Camera

__all__ = ["HyperSuprimeCam"]


@lru_cache(maxsize=1)
def _filters() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("data/filters.json").read_text(encoding="utf-8")
    filters: dict[str, str] = json.loads(text)["filters"]
    return filters


class HyperSuprimeCam(HarnessInstrument):
    """Hyper Suprime-Cam on the Subaru telescope.

    The limits of ids are those of the instrument record in the observatory's own repositories: exposure ids up to
    21474799 times 200 detectors still fit 32 bits.
    """

    visit_max = 21474800
    exposure_max = 21474800
    detector_max = 200
    translatorClass = HscTranslator
    policyName = "hsc"

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension (`str`)."""
        return "HSC"

    @classmethod
    def camera(cls) -> Camera:
        """Return the unbinned camera (`~harness.instrument.camera.Camera`)."""
        return make_camera(1)

    @classmethod
    def filters(cls) -> Mapping[str, str]:
        """Return the band of each of the 25 filters (`~collections.abc.Mapping` [`str`, `str`])."""
        return _filters()

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files (`type` [`lsst.daf.butler.FormatterV2`])."""
        return HscRawFormatter
