"""The dispersers of LATISS, and the spectra that they make on its detector."""

from __future__ import annotations

import numpy as np
import pytest

from harness.instrument.dispersion import Trace
from harness.instrument.kit import Capability, InstrumentKit
from harness.plugins import Plugins

GRATINGS = {"ronchi90lpmm": 90, "ronchi170lpmm": 170, "blue300lpmm_qn1": 300, "holo4_001": 156, "holo4_003": 156.3}


@pytest.fixture(scope="module")
def latiss(plugins: Plugins) -> InstrumentKit:
    return plugins.find("instrument", "LATISS")


def test_every_registered_filter_disperses_as_its_grating_does(latiss) -> None:
    seen = set()
    for name in latiss.instrument_class.filters():
        grating = name.partition("~")[2]
        disperser = latiss.disperser(name)
        assert (disperser is not None) == (grating in GRATINGS)
        if disperser is not None:
            assert disperser.lines_per_mm == GRATINGS[grating]
            assert disperser.source
            seen.add(grating)
    assert seen == set(GRATINGS)


def test_other_instruments_disperse_nothing(plugins) -> None:
    for name, kit in plugins.instruments().items():
        if Capability.SPECTRA not in kit.capabilities:
            assert all(kit.disperser(f) is None for f in kit.instrument_class.filters()), name


def test_spectra_run_down_the_detector(latiss) -> None:
    """Towards -y, by at most a degree and a half askew; of red light 170 lines per mm need 2.3 cm."""
    for grating in GRATINGS:
        trace = Trace(latiss.disperser(f"empty~{grating}"), latiss.camera, 0, 2000.0, 3500.0)
        dx, dy = trace.direction
        assert dy < 0
        assert abs(np.degrees(np.arctan2(dx, -dy))) < 1.5
    trace = Trace(latiss.disperser("empty~ronchi170lpmm"), latiss.camera, 0, 2000.0, 3500.0)
    assert trace.along(*trace.pixel(750.0)) == pytest.approx(181 * np.tan(np.arcsin(0.1275)) / 0.01, rel=1e-3)


def test_the_dataset_uses_what_latiss_certifies(plugins) -> None:
    """Seed, scale and epochs must be those of the dataset whose bias and dark are used."""
    from harness.cli.common import find_dataset

    spectra, images = (find_dataset(plugins, name) for name in ("latiss_spectra", "latiss"))
    assert spectra.needs == ("latiss",)
    for name in ("instrument", "seed", "scale", "calibrations"):
        assert getattr(spectra, name) == getattr(images, name), name
    assert len({e.filter for e in spectra.exposures}) == len(spectra.exposures)
