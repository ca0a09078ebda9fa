from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astro_metadata_translator import MetadataTranslator, ObservationInfo
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from harness_hsc.sky import SITE, sexagesimal
from harness_hsc.translator import HscTranslator
from hypothesis import given
from hypothesis import strategies as st

from harness.bootstrap.ingest.records import build_records
from harness.datasets.observations import Observation
from harness.errors import HarnessError
from harness.instrument.camera import Camera, RadialDistortion
from harness.instrument.headers import read_header
from harness.instrument.horizon import horizon
from harness.instrument.kit import InstrumentKit
from harness.instrument.pointing import Pointing

Observe = Callable[..., Observation]
Write = Callable[..., Path]
SCALE = 16


@pytest.fixture
def real_header(real: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((real / "headers/HSC/fitsheader-hsc.json").read_text())
    return document


def test_the_real_header_gives_the_real_record(real_header: dict[str, Any]) -> None:
    info = ObservationInfo(dict(real_header["header"]), translator_class=HscTranslator, pedantic=True)
    record = dict(build_records(info).exposure)
    expected, other = real_header["expected_exposure"], real_header["expected_other"]
    timespan = record.pop("timespan")
    for time, key in ((timespan.begin, "datetime_begin_tai"), (timespan.end, "datetime_end_tai")):
        assert time.tai.to_value("isot", subfmt="date_hms")[:23] == expected.pop(key)
    assert record.keys() == expected.keys()
    numbers = {k for k, v in expected.items() if isinstance(v, float)}
    assert {k: record[k] for k in expected if k not in numbers} == {
        k: expected[k] for k in expected if k not in numbers
    }
    assert {k: record[k] for k in numbers} == pytest.approx({k: expected[k] for k in numbers}, abs=1e-12)
    assert (info.detector_num, info.detector_serial) == (other["detector"], other["detector_serial"])
    assert info.detector_exposure_id == other["detector_exposure_id"]
    assert info.detector_unique_name == other["detector_unique_name"]
    assert [a.deg for a in info.location.geodetic[:2]] == pytest.approx(other["location_geodetic_deg_m"][:2])


def test_simulated_raw_has_the_structure_of_the_real_one(
    real_header: dict[str, Any], tmp_path: Path, observe: Observe, write: Write
) -> None:
    header = read_header(write(tmp_path, observe(), 50, scale=1))
    real = real_header["header"]
    same = [k for k in real if k.startswith(("NAXIS", "T_EF", "T_OS", "T_GAIN", "CTYPE"))]
    same += ["SIMPLE", "BITPIX", "BZERO", "EXP-ID", "FRAMEID", "DET-ID", "T_BEEID", "T_SDOID", "T_CCDSN", "FILTER01"]
    same += ["RA2000", "DEC2000", "INST-PA", "DATE-OBS", "UT-STR", "HST-STR", "DATA-TYP", "PROP-ID", "EXPTIME"]
    assert len(same) > 50
    assert {k: header[k] for k in same} == {k: real[k] for k in same}
    # What the translator or a person reads is written with the same type.
    shared = set(header) & set(real) - {"COMMENT"}
    assert {k for k in shared if type(header[k]) is not type(real[k])} == set()
    missing = {k for k in real if k not in header and k not in ("COMMENT",)}
    assert not [k for k in missing if k.startswith("T_") and k[2:4] in ("EF", "OS", "GA")]
    assert header["ALTITUDE"] == pytest.approx(real["ALTITUDE"], abs=0.05)
    assert header["AZIMUTH"] == pytest.approx(real["AZIMUTH"], abs=0.05)
    assert header["AIRMASS"] == pytest.approx(real["AIRMASS"], rel=1e-3)
    # Seconds of sidereal time; the observatory's clock knows UT1.
    assert float(header["LST-STR"][6:]) == pytest.approx(float(real["LST-STR"][6:]), abs=1.5)
    assert header["LST-STR"][:6] == real["LST-STR"][:6]
    assert header["MJD-STR"] == pytest.approx(real["MJD-STR"], abs=1e-8)


def test_file_is_one_image_named_after_its_frame(tmp_path: Path, observe: Observe, write: Write) -> None:
    path = write(tmp_path, observe(exposure=903334), 41)
    assert path.name == "HSCA90333416.fits"
    with fits.open(path) as hdus:
        assert len(hdus) == 1
        assert hdus[0].data.dtype == np.uint16
        assert hdus[0].header["BITPIX"] == 16


@pytest.mark.parametrize(
    ("detector", "changes"),
    [
        (0, {}),
        (50, {"exposure": 903334, "physical_filter": "HSC-R", "ra": 320.25, "dec": 0.0}),
        (100, {"ra": 12.3456789012, "dec": -0.000123456789, "sky_angle": 12.3456}),
        (111, {"ra": 359.9999999999, "dec": -33.25, "sky_angle": -170.0, "exposure_time": 200.5}),
        (16, {"physical_filter": "NB0921", "target": "", "program": ""}),
        (7, {"exposure": 71034, "begin": Time("2016-07-01T10:00:00.1234", scale="tai")}),
        (7, {"exposure": 12, "begin": Time("2014-07-01T23:59:59.9", scale="utc").tai, "exposure_time": 300.0}),
        (55, {"observation_type": "bias", "exposure_time": 0.0, "physical_filter": "empty"}),
        (55, {"observation_type": "domeflat", "physical_filter": "unknown"}),
        # The nights on which the readout misnumbered focus detectors begin and end between these.
        *((107, {"begin": Time(f"2013-{night}T10:00:00", scale="utc").tai}) for night in ("01-25", "01-26")),
        *((108, {"begin": Time(f"2013-{night}T10:00:00", scale="utc").tai}) for night in ("02-08", "02-09")),
        *((d, {"begin": Time("2013-02-01T10:00:00", scale="utc").tai}) for d in (104, 105, 106, 109, 110, 111)),
    ],
)
def test_upstream_reads_what_was_observed(
    tmp_path: Path,
    kit: InstrumentKit,
    observe: Observe,
    write: Write,
    detector: int,
    changes: dict[str, Any],
) -> None:
    observation = observe(**changes)
    header = read_header(write(tmp_path, observation, detector, SCALE))
    assert MetadataTranslator.determine_translator(header).__module__.startswith("astro_metadata_translator.")
    upstream = ObservationInfo(dict(header), pedantic=True)
    info = ObservationInfo(dict(header), pedantic=True, translator_class=kit.translator)
    differing = {p for p in info.all_properties if getattr(info, p) != getattr(upstream, p)}
    assert differing == {"has_simulated_content"}
    assert info.has_simulated_content is True
    assert info.translator_name == "HSC"

    item = kit.make_camera(SCALE)[detector]
    assert info.instrument == "HSC"
    assert info.exposure_id == info.visit_id == observation.exposure
    assert info.observation_counter == observation.exposure
    assert info.exposure_group == str(observation.exposure)
    assert info.physical_filter == observation.physical_filter
    assert info.observation_type == observation.observation_type
    assert info.can_see_sky is (observation.observation_type == "science")
    assert (info.object, info.science_program) == (observation.target, observation.program)
    assert abs((info.datetime_begin - observation.begin).to_value("s")) < 0.51e-3
    assert abs((info.datetime_end - observation.end).to_value("s")) < 0.51e-3
    assert info.exposure_time.to_value("s") == info.dark_time.to_value("s") == observation.exposure_time
    assert info.observing_day == int(observation.begin.tai.strftime("%Y%m%d"))
    assert info.tracking_radec.ra.deg == pytest.approx(observation.ra, abs=1e-11)
    assert info.tracking_radec.dec.deg == pytest.approx(observation.dec, abs=1e-11)
    assert math.remainder(info.boresight_rotation_angle.deg - observation.sky_angle, 360) == pytest.approx(0, abs=1e-12)
    assert info.boresight_rotation_coord == "sky"
    assert info.detector_num == item.id
    assert (info.detector_unique_name, info.detector_serial) == (item.name, item.serial)
    assert (info.detector_group, info.detector_name) == (item.raft, item.name_in_raft)
    assert info.detector_exposure_id == observation.exposure * 200 + detector
    assert (info.telescope, info.focus_z.to_value("mm")) == ("Subaru", 3.7)
    assert info.pressure.to_value("hPa") == 621.7
    assert info.temperature.to_value("K") == 272.35
    assert info.relative_humidity == 33.1
    # The translator lifts to the horizon what is below it.
    altitude = max(horizon(SITE, observation.ra, observation.dec, observation.begin).altitude, 0.0)
    assert info.altaz_begin.alt.deg == pytest.approx(altitude, abs=1e-5)
    assert 1 <= info.boresight_airmass <= 40
    assert header["SIMSCALE"] == SCALE


@pytest.mark.parametrize("scale", [1, 8])
def test_section_keys_are_true(tmp_path: Path, kit: InstrumentKit, observe: Observe, write: Write, scale: int) -> None:
    path = write(tmp_path, observe(), 3, scale)
    header, pixels = read_header(path), fits.getdata(path)
    for a in kit.make_camera(scale)[3].amplifiers:

        def section(kind: str, n: str = a.name) -> np.ndarray[Any, Any]:
            x0, x1, y0, y1 = (header[f"T_{kind}{m}{n}{i}"] for i in (1, 2) for m in ("MN", "MX"))
            return pixels[y0 - 1 : y1, x0 - 1 : x1]

        assert section("EF").shape == (a.bbox.ny, a.bbox.nx)
        assert np.array_equal(section("EF"), pixels[a.raw_data.slices])
        assert header[f"T_GAIN{a.name}"] == pytest.approx(a.gain)


@pytest.mark.parametrize("detector", [0, 50, 100, 103])
@pytest.mark.parametrize("scale", [1, 8])
@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_nominal_wcs_points_where_a_camera_without_distortion_does(
    tmp_path: Path, kit: InstrumentKit, observe: Observe, write: Write, detector: int, scale: int
) -> None:
    observation = observe(sky_angle=280.0)
    camera = kit.make_camera(scale).model_copy(
        update={"distortion": RadialDistortion(coefficients=(0.0, 1.0)), "plate_scale": 0.17 / 0.015}
    )
    header = fits.getheader(write(tmp_path, observation, detector, scale))
    assert _distance(WCS(header), camera, detector, observation) < 0.1


def test_real_wcs_shows_the_same_mirror(kit: InstrumentKit, real_header: dict[str, Any], observe: Observe) -> None:
    # The real header's WCS counts pixels in the file: it fits only if the columns are mirrored as we say. What
    # remains is its nominal scale; a detector is 300 arcsec wide.
    keys = ("WCSAXES", "CTYPE1", "CTYPE2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
    wcs = WCS(fits.Header({k: real_header["header"][k] for k in keys}))
    assert _distance(wcs, kit.camera, 50, observe()) < 15


def _distance(wcs: WCS, camera: Camera, detector: int, observation: Observation) -> float:
    """Return the largest distance (arcsec) at the corners between a WCS in pixels of the file and the camera."""
    item = camera[detector]
    pointing = Pointing(observation.ra, observation.dec, observation.sky_angle, camera.sky_parity)
    x, y = item.corners()
    ra, dec = pointing.pixel_to_sky(camera, item.id, x, y)
    amplifier = item.amplifiers[0]
    in_file = item.nx - 1 - x if amplifier.flip_x else x, item.ny - 1 - y if amplifier.flip_y else y
    wcs_ra, wcs_dec = wcs.wcs_pix2world(*in_file, 0)
    return float(np.hypot((wcs_ra - ra) * np.cos(np.radians(dec)), wcs_dec - dec).max() * 3600)


def test_same_arguments_same_bytes(tmp_path: Path, observe: Observe, write: Write) -> None:
    one = write(tmp_path / "a", observe(), 50)
    two = write(tmp_path / "b", observe(begin=Time("2013-11-02T06:16:30.908", scale="tai")), 50)
    assert one.read_bytes() == two.read_bytes()
    assert write(tmp_path / "a", observe(ra=320.75), 50).read_bytes() != two.read_bytes(), "written over"


def test_wrong_pixels_are_refused(tmp_path: Path, kit: InstrumentKit, observe: Observe) -> None:
    detector = kit.make_camera(8)[0]
    pixels = {a.name: np.zeros((a.raw_bbox.ny, a.raw_bbox.nx), np.uint16) for a in detector.amplifiers}
    with pytest.raises(HarnessError, match="amplifier 2 of detector 1_53 has pixels of shape"):
        kit.write_raw(tmp_path, observe(), detector, pixels | {"2": pixels["2"][:-1]}, 8)
    del pixels["3"]
    with pytest.raises(HarnessError, match="amplifier 3 of detector 1_53 has no pixels"):
        kit.write_raw(tmp_path, observe(), detector, pixels, 8)
    assert not list(tmp_path.iterdir())


@given(st.floats(-90, 90), st.integers(2, 5))
def test_sexagesimal_numbers_can_be_read_back(value: float, decimals: int) -> None:
    text = sexagesimal(value, decimals, signed=True)
    degrees, minutes, seconds = text[1:].split(":")
    size = int(degrees) + int(minutes) / 60 + float(seconds) / 3600
    assert math.copysign(size, -1 if text[0] == "-" else 1) == pytest.approx(value, abs=2e-12)
    assert int(minutes) < 60
    assert float(seconds) < 60
    assert len(seconds) >= 3 + decimals


def test_sexagesimal_hours_wrap() -> None:
    assert sexagesimal(24 - 1e-13, 3, modulus=24) == "00:00:00.000"
    assert sexagesimal(1 + 59 / 60 + 59.9999999999 / 3600, 2) == "02:00:00.00"
