from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from lsst.daf.butler import Butler, Config, DataCoordinate, DatasetIdGenEnum, DatasetRef, DatasetType, FileDataset
from lsst.images import Image, VisitImage
from lsst.images.psfs import GaussianPointSpreadFunction

from harness.datasets.observations import Observation
from harness.instrument.assembly import assemble
from harness.instrument.kit import InstrumentKit
from harness.instrument.pointing import Pointing
from harness.instrument.raw import Raw

SCALE = 16
DAY_OBS = 20131102
DETECTORS = (50, 100)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files of this machine as remote ones."""

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory,
    kit: InstrumentKit,
    observe: Callable[..., Observation],
    write: Callable[..., Path],
) -> Iterator[Butler]:
    folder = tmp_path_factory.mktemp("raws")
    handler = partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Butler.makeRepo(str(folder / "repo"), Config(dict(kit.repository_config)))
    with Butler.from_config(str(folder / "repo"), writeable=True, run="HSC/raw/all") as butler:
        instrument = kit.instrument_class()
        instrument.register(butler.registry)
        name, dimensions, storage_class = instrument.raw_definition
        butler.registry.registerDatasetType(DatasetType(name, dimensions, storage_class, universe=butler.dimensions))
        butler.registry.registerDatasetType(
            DatasetType("visit_image", ("instrument", "exposure", "detector"), "VisitImage", universe=butler.dimensions)
        )
        butler.registry.insertDimensionData("day_obs", {"instrument": "HSC", "id": DAY_OBS})
        for exposure, changes in {904024: {}, 904026: {"observation_type": "bias"}, 904028: {}}.items():
            observation = observe(exposure=exposure, **changes)
            butler.registry.insertDimensionData("group", {"instrument": "HSC", "name": str(exposure)})
            butler.registry.insertDimensionData(
                "exposure",
                {
                    "instrument": "HSC",
                    "id": exposure,
                    "obs_id": str(exposure),
                    "physical_filter": "HSC-I",
                    "group": str(exposure),
                    "day_obs": DAY_OBS,
                },
            )
            for detector in DETECTORS:
                path = write(folder, observation, detector, SCALE)
                if exposure == 904026:
                    fits.delval(path, "RA2000")
                if exposure == 904028:
                    path = _compressed(path)
                if exposure == 904024 and detector == 100:
                    source, transfer = f"http://127.0.0.1:{server.server_port}/{path.name}", "direct"
                else:
                    source, transfer = str(path), "copy"
                ref = _ref(butler, exposure, detector)
                formatter = instrument.getRawFormatter(ref.dataId)
                butler.ingest(FileDataset(source, [ref], formatter=formatter), transfer=transfer)
        yield butler
    server.shutdown()
    server.server_close()


def _compressed(path: Path) -> Path:
    with fits.open(path) as hdus:
        image = fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1")
        target = path.with_suffix(".fits.fz")
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(target)
    return target


def _ref(butler: Butler, exposure: int, detector: int) -> DatasetRef:
    data_id = DataCoordinate.standardize(
        instrument="HSC", exposure=exposure, detector=detector, universe=butler.dimensions
    )
    raw = butler.get_dataset_type("raw")
    return DatasetRef(raw, data_id, "HSC/raw/all", id_generation_mode=DatasetIdGenEnum.DATAID_TYPE_RUN)


@pytest.mark.parametrize("detector", DETECTORS)
def test_components_equal_the_full_read(repository: Butler, kit: InstrumentKit, detector: int) -> None:
    ref = _ref(repository, 904024, detector)
    assert repository.getURI(ref).isLocal is (detector == 50)
    raw: Raw = repository.get(ref)
    for component in ("image", "header", "detector", "wcs"):
        assert repository.get(ref.makeComponentRef(component)) == getattr(raw, component), component
    with repository.getURI(ref).as_local() as local:
        pixels = fits.getdata(local.ospath)
    assert np.array_equal(raw.image.array, pixels)
    assert raw.image.array.dtype == np.uint16
    assert (raw.scale, raw.obs_info.exposure_id, raw.detector.id) == (SCALE, 904024, detector)
    assert raw.detector.name == kit.camera[detector].name
    assert raw.obs_info.has_simulated_content is True


def test_header_components_need_no_pixels(repository: Butler, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("pixels were read")

    monkeypatch.setattr(fits, "open", refuse)
    for detector in DETECTORS:
        ref = _ref(repository, 904024, detector)
        for component in ("header", "detector", "wcs"):
            repository.get(ref.makeComponentRef(component))


@pytest.mark.parametrize("detector", DETECTORS)
def test_wcs_is_the_camera_on_the_sky(
    repository: Butler, kit: InstrumentKit, observe: Callable[..., Observation], detector: int
) -> None:
    raw: Raw = repository.get(_ref(repository, 904024, detector))
    observation, camera = observe(), kit.make_camera(SCALE)
    assert raw.wcs is not None
    pointing = Pointing(observation.ra, observation.dec, observation.sky_angle, camera.sky_parity)
    x, y = camera[detector].corners()
    sky = SkyCoord(*pointing.pixel_to_sky(camera, detector, x, y), unit="deg")
    assert raw.wcs.pixel_to_sky(x=x, y=y).separation(sky).arcsec.max() < 0.168e-3
    assert raw.wcs.pixel_frame == raw.detector.frame
    assert raw.wcs.pixel_frame.visit == 904024


def test_tile_compressed_files_are_read_alike(repository: Butler) -> None:
    plain, compressed = (repository.get(_ref(repository, exposure, 100)) for exposure in (904024, 904028))
    assert repository.getURI(_ref(repository, 904028, 100)).getExtension() == ".fits.fz"
    assert np.array_equal(plain.image.array, compressed.image.array)
    assert compressed.image.array.dtype == np.uint16
    assert (compressed.detector.id, compressed.obs_info.exposure_id) == (100, 904028)
    assert compressed.detector.amplifiers == plain.detector.amplifiers


def test_no_wcs_where_the_header_has_no_position(repository: Butler) -> None:
    ref = _ref(repository, 904026, 50)
    raw: Raw = repository.get(ref)
    assert raw.obs_info.observation_type == "bias"
    assert raw.wcs is None
    assert repository.get(ref.makeComponentRef("wcs")) is None


def test_assembled_pixels_are_mirrored_as_the_readout_does(repository: Butler, kit: InstrumentKit) -> None:
    for detector in DETECTORS:
        raw: Raw = repository.get(_ref(repository, 904024, detector))
        item = kit.make_camera(SCALE)[detector]
        trimmed = assemble(raw.image.array, item)
        first = item.amplifiers[0]
        in_file = raw.image.array[first.raw_data.slices]
        if detector == 100:
            assert np.array_equal(trimmed[:, : first.bbox.nx], in_file[::-1])
        else:
            assert np.array_equal(trimmed[:, -first.bbox.nx :], in_file[:, ::-1])


def test_detector_and_wcs_can_be_stored_with_a_visit_image(repository: Butler) -> None:
    raw: Raw = repository.get(_ref(repository, 904024, 50))
    image = Image(np.zeros(raw.detector.bbox.shape, np.float32), unit=_njy())
    visit_image = VisitImage(
        image,
        variance=Image(np.ones(raw.detector.bbox.shape, np.float32), unit=_njy() ** 2),
        mask_schema=_mask_schema(),
        sky_projection=raw.wcs,
        obs_info=raw.obs_info,
        psf=GaussianPointSpreadFunction(1.5, stamp_size=11, bounds=raw.detector.bbox),
        detector=raw.detector,
        band="i",
    )
    repository.put(visit_image, "visit_image", instrument="HSC", exposure=904024, detector=50)
    back = repository.get("visit_image", instrument="HSC", exposure=904024, detector=50, collections="HSC/raw/all")
    assert back.detector == raw.detector
    assert back.sky_projection == raw.wcs
    assert back.obs_info.has_simulated_content is True
    points = np.array([0.0, 100.0])
    there = back.detector.to_field_angle.apply_forward(x=points, y=points)
    again = back.detector.to_field_angle.apply_inverse(there)
    np.testing.assert_allclose(again, (points, points), atol=1e-6)


def _njy() -> Any:
    from astropy import units

    return units.nJy


def _mask_schema() -> Any:
    from lsst.images import MaskPlane, MaskSchema

    return MaskSchema([MaskPlane("BAD", "bad")])
