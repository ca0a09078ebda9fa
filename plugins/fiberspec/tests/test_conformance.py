"""The calibration fiber spectrographs pass the tests that every instrument must pass."""

from __future__ import annotations

from harness.conformance import *  # noqa: F403

INSTRUMENT = "FiberSpec"
