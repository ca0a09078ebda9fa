"""Rubin's cameras pass the tests that every instrument must pass."""

from __future__ import annotations

import pytest

from harness.conformance import InstrumentConformance


class TestLatiss(InstrumentConformance):
    instrument = "LATISS"


class TestLsstComCam(InstrumentConformance):
    instrument = "LSSTComCam"


@pytest.mark.thorough  # the camera is that of LSSTComCam
class TestLsstComCamSim(InstrumentConformance):
    instrument = "LSSTComCamSim"


class TestLsstCam(InstrumentConformance):
    instrument = "LSSTCam"
