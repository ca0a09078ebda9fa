"""The task: what it refuses, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.daf.butler import Butler
from lsst.images import Image, MaskedImage
from lsst.pipe.base import NoWorkFound

from harness.drp.planes import VISIT_SCHEMA
from harness.errors import HarnessError
from harness.spectra.errors import SpectrumError
from harness.spectra.task import ExtractSpectrumConfig, ExtractSpectrumTask


def _masked(image: np.ndarray, variance: np.ndarray, bad: np.ndarray) -> MaskedImage:
    out = MaskedImage(
        Image(image.astype(np.float32)), mask_schema=VISIT_SCHEMA, variance=Image(variance.astype(np.float32))
    )
    out.mask.set("BAD", bad)
    return out


def _task(**config: object) -> ExtractSpectrumTask:
    made = ExtractSpectrumConfig()
    made.update(**config)
    made.validate()
    return ExtractSpectrumTask(config=made)


@pytest.mark.parametrize(("number", "order"), [(1, 1), (2, 1), (3, -1)])
def test_any_direction_and_order(toy_kit, expose, number, order) -> None:
    exposed = expose(number)
    disperser = toy_kit.disperser(exposed.observation.physical_filter)
    image = _masked(exposed.image, exposed.variance, ~exposed.usable)
    result = _task(order=order).run(image=image, camera=toy_kit.make_camera(1), detector=3, disperser=disperser)
    assert int(result.summary["order"][0]) == order
    assert int(result.summary["nLinesUsed"][0]) >= 3
    assert (np.diff(result.spectrum["wavelength"][~result.spectrum["flag"]]) > 0).all()
    residual = np.asarray(result.lines["residual"])[np.asarray(result.lines["used"])]
    assert np.abs(residual).max() < 2.0


def test_an_image_without_a_star_is_an_error_of_the_algorithm(toy_kit) -> None:
    rng = np.random.default_rng(1)
    image = _masked(rng.normal(500, 25, (420, 460)), np.full((420, 460), 625.0), np.zeros((420, 460), bool))
    with pytest.raises(SpectrumError, match="zeroth: no source") as error:
        _task().run(image=image, camera=toy_kit.make_camera(1), detector=3, disperser=toy_kit.disperser("clear~coarse"))
    assert error.value.metadata == {"step": "zeroth"}


def test_an_image_of_another_binning_is_refused(toy_kit, expose) -> None:
    exposed = expose(1)
    image = _masked(exposed.image[:200], exposed.variance[:200], ~exposed.usable[:200])
    with pytest.raises(HarnessError, match="another binning"):
        _task().run(image=image, camera=toy_kit.make_camera(1), detector=3, disperser=toy_kit.disperser("clear~coarse"))


@pytest.mark.parametrize("config", [{"order": 0}, {"minWavelength": 800.0, "maxWavelength": 500.0}])
def test_a_configuration_of_no_spectrum_is_refused(config) -> None:
    with pytest.raises(ValueError, match="is no spectrum"):
        _task(**config)


def test_direct_images_are_no_work(processed) -> None:
    """Of the exposures of an instrument the graph takes those that something disperses."""
    with Butler.from_config(str(processed.repo), writeable=False) as butler:
        direct = butler.registry.expandDataId(instrument="LATISS", exposure=2024062400101, detector=0)
        dispersed = butler.registry.expandDataId(instrument="LATISS", exposure=2024062500301, detector=0)
    connections = ExtractSpectrumConfig.ConnectionsClass(config=ExtractSpectrumConfig())
    with pytest.raises(NoWorkFound, match="SDSSr_65mm~empty of LATISS disperses nothing"):
        connections.adjustQuantum({}, {}, "extractSpectrum", direct)
    connections.adjustQuantum({}, {}, "extractSpectrum", dispersed)
