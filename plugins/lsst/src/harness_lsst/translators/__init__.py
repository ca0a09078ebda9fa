"""Header translators of Rubin's cameras, for `astro_metadata_translator`; importing them registers them.

Reading order: ``identifiers``, ``groups``, ``days`` (arithmetic), ``tables`` (data), ``pointing`` and ``rubin`` (what
all headers have in common), ``lsstcam``, ``comcam``, ``latiss``.

Rules and dates are those of the observatory's obs_lsst (0e84d755). A fault of a single exposure is data, not code: a
file ``LATISS-AT_O_20190915_000037.yaml`` with the right values, in a folder on ``METADATA_CORRECTIONS_PATH``.
"""

from __future__ import annotations

from .comcam import LsstComCamSimTranslator, LsstComCamTranslator
from .latiss import LatissTranslator
from .lsstcam import LsstCamSimTranslator, LsstCamTranslator

__all__ = [
    "LatissTranslator",
    "LsstCamSimTranslator",
    "LsstCamTranslator",
    "LsstComCamSimTranslator",
    "LsstComCamTranslator",
    "load_translators",
]


def load_translators() -> list[str]:
    """Return the names under which the translators were registered when this package was imported (`list` [`str`])."""
    classes = (LatissTranslator, LsstCamSimTranslator, LsstCamTranslator, LsstComCamSimTranslator, LsstComCamTranslator)
    return [c.name for c in classes]
