from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from lsst.daf.butler import Butler, DataCoordinate, DatasetIdGenEnum, DatasetRef

from harness.bootstrap.create import create_repository
from harness.bootstrap.ingest import ingest
from harness.bootstrap.register import register_instrument
from harness.datasets.observations import Observation
from harness.errors import HarnessError
from harness.instrument.assembly import assemble
from harness.instrument.kit import InstrumentKit
from harness.instrument.pointing import Pointing
from harness.instrument.raw import Raw
from harness.repository import open_repository

Kits = Mapping[str, InstrumentKit]
SCALE = 16
EXPOSURE = 2025112100156
EXAMPLES = [("LATISS", 0), ("LSSTComCam", 4), ("LSSTComCamSim", 8), ("LSSTCam", 35), ("LSSTCam", 98), ("LSSTCam", 203)]
COMPONENTS = ("image", "header", "detector", "wcs")


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory,
    kits: Kits,
    observe: Callable[..., Observation],
    write: Callable[..., Path],
) -> Iterator[Butler]:
    root = tmp_path_factory.mktemp("formatter")
    for instrument, detector in EXAMPLES:
        write(root / "raws", observe(instrument), detector, SCALE)
    bias = observe("LSSTCam", exposure=EXPOSURE + 1, observation_type="bias", ra=None, dec=None, sky_angle=None)
    write(root / "raws", bias, 98, SCALE)
    create_repository(root / "repo", kits["LATISS"].repository_config)
    with open_repository(root / "repo", writeable=True) as butler:
        for kit in kits.values():
            register_instrument(butler, kit)
        report = ingest(butler, [root / "raws"], transfer="copy")
        assert not report.quarantined
        assert report.ingested == len(EXAMPLES) + 1
        yield butler


def _ref(butler: Butler, instrument: str, exposure: int, detector: int) -> DatasetRef:
    data_id = DataCoordinate.standardize(
        instrument=instrument, exposure=exposure, detector=detector, universe=butler.dimensions
    )
    run = f"{instrument}/raw/all"
    kind = butler.get_dataset_type("raw")
    return DatasetRef(kind, data_id, run, id_generation_mode=DatasetIdGenEnum.DATAID_TYPE_RUN)


@pytest.mark.parametrize(("instrument", "detector"), EXAMPLES)
def test_components_equal_the_full_read(repository: Butler, kits: Kits, instrument: str, detector: int) -> None:
    ref = _ref(repository, instrument, EXPOSURE, detector)
    raw: Raw = repository.get(ref)
    for component in COMPONENTS:
        assert repository.get(ref.makeComponentRef(component)) == getattr(raw, component), component
    assert (raw.scale, raw.obs_info.exposure_id, raw.detector.id) == (SCALE, EXPOSURE, detector)
    assert raw.detector.name == kits[instrument].camera[detector].name
    assert raw.obs_info.has_simulated_content is True


@pytest.mark.parametrize(("instrument", "detector"), EXAMPLES)
def test_each_amplifier_is_in_its_place_and_turned(
    repository: Butler, kits: Kits, patterns: Callable[..., Any], instrument: str, detector: int
) -> None:
    raw: Raw = repository.get(_ref(repository, instrument, EXPOSURE, detector))
    item = kits[instrument].make_camera(SCALE)[detector]
    written = patterns(item)
    for a in item.amplifiers:
        assert np.array_equal(raw.image.array[a.raw_bbox.slices], written[a.name]), a.name
    trimmed = assemble(raw.image.array, item)
    for a in item.amplifiers:
        # Where a pixel of the amplifier goes, by the rule of the detector section in its header (see the writer's
        # tests for its agreement with real files): the first pixel that is read lies at the corner that it names.
        here = trimmed[a.bbox.slices]
        before = a.raw_data.x0 - a.raw_bbox.x0
        first, last_column = written[a.name][0, before], written[a.name][0, before + a.bbox.nx - 1]
        corner = (-1 if a.flip_y else 0, -1 if a.flip_x else 0)
        assert here[corner] == first
        assert here[corner[0], 0 if a.flip_x else -1] == last_column


@pytest.mark.parametrize(("instrument", "detector"), [e for e in EXAMPLES if e != ("LSSTCam", 203)])
def test_assembled_pixels_lie_where_the_header_puts_them(
    repository: Butler, kits: Kits, instrument: str, detector: int
) -> None:
    """DETSEC of the file, whose form real files confirm, with rows counted from the top."""
    ref = _ref(repository, instrument, EXPOSURE, detector)
    raw: Raw = repository.get(ref)
    item = kits[instrument].make_camera(SCALE)[detector]
    trimmed = assemble(raw.image.array, item)
    with repository.getURI(ref).as_local() as local, fits.open(local.ospath) as hdus:
        for hdu in hdus[1:17]:
            (c0, c1), (r0, r1) = _section(hdu.header["DATASEC"])
            (x0, x1), (h0, h1) = _section(hdu.header["DETSEC"])
            for column, x in ((c0, x0), (c1, x1)):
                for row, h in ((r0, h0), (r1, h1)):
                    assert trimmed[item.ny - h, x - 1] == hdu.data[row - 1, column - 1]


def _section(text: str) -> list[list[int]]:
    return [[int(n) for n in part.split(":")] for part in text.strip("[]").split(",")]


@pytest.mark.parametrize(("instrument", "detector"), EXAMPLES)
def test_wcs_is_the_camera_on_the_sky(
    repository: Butler, kits: Kits, observe: Callable[..., Observation], instrument: str, detector: int
) -> None:
    raw: Raw = repository.get(_ref(repository, instrument, EXPOSURE, detector))
    observation, camera = observe(instrument), kits[instrument].make_camera(SCALE)
    assert raw.wcs is not None
    pointing = Pointing(observation.ra, observation.dec, observation.sky_angle, camera.sky_parity)
    x, y = camera[detector].corners()
    sky = SkyCoord(*pointing.pixel_to_sky(camera, detector, x, y), unit="deg")
    assert raw.wcs.pixel_to_sky(x=x, y=y).separation(sky).arcsec.max() < 1e-3
    assert raw.wcs.pixel_frame == raw.detector.frame


def test_no_wcs_where_the_telescope_looks_at_no_sky(repository: Butler) -> None:
    ref = _ref(repository, "LSSTCam", EXPOSURE + 1, 98)
    raw: Raw = repository.get(ref)
    assert raw.obs_info.observation_type == "bias"
    assert raw.wcs is None
    assert repository.get(ref.makeComponentRef("wcs")) is None


def test_header_components_need_no_pixels(repository: Butler, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("pixels were read")

    monkeypatch.setattr(fits, "open", refuse)
    for instrument, detector in EXAMPLES:
        ref = _ref(repository, instrument, EXPOSURE, detector)
        for component in ("header", "detector", "wcs"):
            repository.get(ref.makeComponentRef(component))


def test_every_real_file_is_ingested_and_read(real: Path, kits: Kits, tmp_path: Path) -> None:
    files = sorted(p for n in kits for p in (real / "fits" / n).glob("*.fits"))
    assert files
    create_repository(tmp_path / "repo", kits["LATISS"].repository_config)
    with open_repository(tmp_path / "repo", writeable=True) as butler:
        for kit in kits.values():
            register_instrument(butler, kit)
        report = ingest(butler, files, transfer="copy")
        assert not report.quarantined
        refs = [ref for n in report.instruments for ref in butler.query_datasets("raw", collections=f"{n}/raw/all")]
        assert len(refs) == len(files)
        for ref in refs:
            raw: Raw = butler.get(ref)
            for component in COMPONENTS:
                assert butler.get(ref.makeComponentRef(component)) == getattr(raw, component), component
            item = kits[str(ref.dataId["instrument"])].camera[raw.detector.id]
            assert assemble(raw.image.array, item).shape == (item.ny, item.nx)
            assert raw.image.array.dtype == np.int32


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_pixels_name_the_extension(
    tmp_path: Path, kits: Kits, observe: Callable[..., Observation], write: Callable[..., Path]
) -> None:
    path = write(tmp_path / "raws", observe("LSSTComCam"), 4, 8)
    content = path.read_bytes()
    start = content.index(b"Segment12")
    table = content.index(b"END" + 77 * b" ", start) // 2880 * 2880 + 2880
    # Descriptors of the first rows point beyond the heap.
    path.write_bytes(content[:table] + 80 * b"\x7f" + content[table + 80 :])
    create_repository(tmp_path / "repo", kits["LSSTComCam"].repository_config)
    with open_repository(tmp_path / "repo", writeable=True) as butler:
        register_instrument(butler, kits["LSSTComCam"])
        assert ingest(butler, [tmp_path / "raws"], transfer="copy").ingested == 1
        ref = _ref(butler, "LSSTComCam", EXPOSURE, 4)
        with pytest.raises(Exception, match=r"extension Segment12 of raw .* cannot be read") as caught:
            butler.get(ref)
        causes = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert any(isinstance(c, HarnessError) for c in causes)
        # What the header says can still be had.
        assert butler.get(ref.makeComponentRef("detector")).id == 4
