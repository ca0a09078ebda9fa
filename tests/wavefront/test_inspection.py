"""What is said of raw files: nothing of good ones, and of bad ones the thing that is bad."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from harness.cli.inspect_file import command
from harness.plugins import load_plugins
from harness.wavefront.inspection import Inspected, compare_halves, inspect_file


@pytest.fixture(scope="session")
def look() -> Callable[[Path], Inspected]:
    kits = load_plugins().instruments()
    return lambda path: inspect_file(str(path), kits)


def work(file: Inspected) -> dict[str, str]:
    return {i.name: i.text for i in file.items if i.work}


def told(file: Inspected, name: str) -> str:
    return next(i.text for i in file.items if i.name == name)


def edited(source: Path, folder: Path, change: Callable[[fits.HDUList], None]) -> Path:
    """Copy a raw file with something changed, its compressed images as tables."""
    path = folder / source.name
    with fits.open(source, disable_image_compression=True) as hdus:
        change(hdus)
        hdus.writeto(path, checksum=False)
    return path


def test_simulated_files_need_no_work(look, raws) -> None:
    files = [look(path) for path in sorted(raws.glob("*.fits"))]
    assert {f.path: work(f) for f in files if f.needs_work} == {}
    assert len(files) == 21
    sensors = {f.detector.id: told(f, "purpose") for f in files if f.detector.z_mm}
    assert sensors[191] == "WAVEFRONT, extra-focal; its other half is R00_SW1 (192)"
    assert sensors[204] == "WAVEFRONT, intra-focal; its other half is R44_SW0 (203)"
    pairs = [(f.detector.id, item) for f, item in compare_halves(files)]
    assert len(pairs) == 12
    assert not any(item.work for _, item in pairs)


def test_the_size_in_the_primary_header_of_half_sized_sensors_is_told(look, raws) -> None:
    """The readout writes that of a whole sensor; nothing relies on it, so it needs no work."""
    sensor = look(next(raws.glob("*R00_SW0.fits")))
    assert told(sensor, "DETSIZE") == (
        "[1:509,1:500], but the detector is [1:509,1:250]: not relied on, sizes come from the camera"
    )


def test_a_half_that_is_not_among_the_files_is_named(look, raws) -> None:
    alone = look(next(raws.glob("*101_R04_SW1.fits")))
    ((_, item),) = compare_halves([alone])
    assert item.work
    assert item.text == "one half is missing: exposure 2025112100101, detector 195 is not among the files"
    intra = look(next(raws.glob("*102_R22_S11.fits")))
    ((_, item),) = compare_halves([intra])
    assert item.work
    assert "has no other exposure" in item.text
    extra = look(next(raws.glob("*103_R22_S22.fits")))
    items = {f.path: i.text for f, i in compare_halves([intra, extra])}
    assert items[intra.path] == "one half is missing: exposure 2025112100103, detector 94 is not among the files"


CHANGES = {
    "no such amplifier": (lambda h: h["Segment13"].header.set("EXTNAME", "Segment99"), "HDUs", "extension Segment13"),
    "an amplifier less": (lambda h: h.pop(3), "HDUs", "missing"),
    "wrong section": (lambda h: h["Segment10"].header.set("DATASEC", "[5:70,1:250]"), "HDUs", "DATASEC"),
    "no instrument": (lambda h: h[0].header.set("INSTRUME", "Polaroid"), "translator", "no metadata translator"),
    "no date": (lambda h: h[0].header.remove("DATE-OBS") or _dateless(h), "exposure record", "DATE"),
    "another sensor": (lambda h: h[0].header.set("CCDSLOT", "S99"), "translator", "S99"),
    "no pointing": (lambda h: h[0].header.set("TRACKSYS", "LOCAL"), "sky", "cannot become a visit"),
    "no focus": (lambda h: h[0].header.remove("FOCUSZ"), "focus", "none that translates"),
}


def _dateless(hdus: fits.HDUList) -> None:
    for key in list(hdus[0].header):
        if key.startswith(("DATE", "MJD")):
            hdus[0].header.remove(key)


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_wrong_is_named(name: str, look, raws, tmp_path) -> None:
    change, item, word = CHANGES[name]
    found = work(look(edited(next(raws.glob("*R00_SW0.fits")), tmp_path, change)))
    assert item in found, found
    assert word in found[item], found


def test_a_half_of_a_pair_needs_a_group_and_a_focus(look, raws, tmp_path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus[0].header.remove("GROUPID")
        hdus[0].header.remove("FOCUSZ")

    source = next(raws.glob("*102_R22_S11.fits"))
    found = work(look(edited(source, tmp_path, change)))
    assert set(found) == {"group", "focus"}
    assert "which half it is" in found["focus"]


@pytest.mark.parametrize("content", [b"", b"no FITS file at all", b"SIMPLE  =                    T"])
def test_what_is_no_raw_file_is_told(look, tmp_path, content: bytes) -> None:
    path = tmp_path / "strange.fits"
    path.write_bytes(content)
    assert set(work(look(path))) == {"file"}
    assert set(work(look(tmp_path / "nowhere.fits"))) == {"file"}


def test_a_file_that_ends_early_is_told(look, raws, tmp_path) -> None:
    source = next(raws.glob("*R00_SW0.fits"))
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes()[:-3000])
    assert set(work(look(path))) == {"file"}


def test_the_command(raws, tmp_path) -> None:
    good = [str(next(raws.glob(f"*101_R40_SW{i}.fits"))) for i in (0, 1)]
    result = CliRunner().invoke(command, [*good, "--together"])
    assert result.exit_code == 0, result.output
    assert "  needs work" not in result.output
    assert result.output.endswith("2 files, none needs work\n")
    result = CliRunner().invoke(command, [good[0], str(tmp_path / "nowhere.fits")])
    assert result.exit_code == 1
    assert "  needs work  file: no such file" in result.output
    assert result.output.endswith("2 files, 1 need work\n")
    assert CliRunner().invoke(command, [good[0], "--together"]).exit_code == 1


def test_real_files_need_no_work(look, real_fits) -> None:
    files = [look(path) for path in sorted(real_fits.rglob("*.fits"))]
    assert files
    for file in files:
        assert work(file) == {}, file.path
        assert "names, sizes and sections agree" in told(file, "HDUs")


@pytest.fixture
def real_sensor(real_fits) -> dict:
    path = real_fits.parent / "headers/LSSTCam/lsstCam-MC_O_20251121_000156_R44_SW0.json"
    if not path.is_file():
        pytest.skip("no real header of a wavefront sensor")
    return json.loads(path.read_text())


def sensor_file(real: dict, path: Path, corrections: bool) -> Path:
    """Make a file with a real primary header and HDUs as the instrument notes describe them."""
    values = real["header"] | (real["corrections_applied"] if corrections else {})
    hdus = [fits.PrimaryHDU()]
    for key, value in values.items():
        if key in ("__CONTENT__", "CHECKSUM", "DATASUM", "SIMPLE", "BITPIX", "NAXIS", "EXTEND"):
            continue
        if key.startswith("HIERARCH."):
            key = "HIERARCH " + key.removeprefix("HIERARCH.").replace(".", " ")
        hdus[0].header[key] = value
    for i in range(8):
        image = fits.CompImageHDU(np.zeros((2048, 576), np.int32), name=f"Segment1{i}", compression_type="RICE_1")
        image.header["DATASEC"] = "[4:512,1:2000]"
        hdus.append(image)
    fits.HDUList(hdus).writeto(path)
    return path


def test_a_real_wavefront_sensor_is_like_any_other_raw(look, real_sensor, tmp_path) -> None:
    """The answer to the open question: with its corrections nothing of it needs work."""
    file = look(sensor_file(real_sensor, tmp_path / "sw0.fits", corrections=True))
    assert work(file) == {}
    assert told(file, "purpose") == "WAVEFRONT, extra-focal; its other half is R44_SW1 (204)"
    assert told(file, "focus") == "-1.904 mm"
    assert told(file, "DETSIZE").startswith("[1:4072,1:4000], but the detector is [1:4072,1:2000]")
    assert told(file, "group") == "2025-11-22T03:25:16.951"


def test_a_real_header_without_its_values_needs_work(look, real_sensor, tmp_path) -> None:
    """The same header as it was written: the telescope had told the camera nothing."""
    file = look(sensor_file(real_sensor, tmp_path / "sw0.fits", corrections=False))
    assert {"focus", "sky"} <= set(work(file))
