from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets.manifest import Dataset, load_manifest
from harness.errors import HarnessError

CI_HSC = Path(__file__).parents[2] / "datasets" / "ci_hsc" / "manifest.toml"
GOOD = CI_HSC.read_text()


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "manifest.toml").write_text(text)
    return tmp_path


def test_ci_hsc_has_its_real_pairs() -> None:
    dataset = load_manifest(CI_HSC)
    pairs = {(o.exposure, d) for o in dataset.observations for d in o.detectors}
    assert len(pairs) == 33
    assert {d for e, d in pairs if e == 903334} == {16, 22, 23, 100}
    assert {d for e, d in pairs if e == 903988} == {16, 17, 23, 24}
    assert {o.physical_filter for o in dataset.observations} == {"HSC-R", "HSC-I"}
    assert dataset.detectors == (0, 1, 4, 5, 6, 10, 11, 12, 16, 17, 18, 22, 23, 24, 25, 100)
    assert all(o.begin.scale == "tai" and o.begin < o.end for o in dataset.observations)
    assert len(dataset.calibrations) >= 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("ra = 320.25", "ra = 360.5", "exposures[0].ra: Input should be less than 360 (got 360.5)"),
        ("dec = 0.25", "dec = -91.0", "exposures[3].dec: Input should be greater than or equal to -90 (got -91.0)"),
        ("exposure_time = 30.0", "exposure_time = -1", "exposures[0].exposure_time: Input should be greater than or"),
        (
            "exposure_time = 30.0",
            'exposure_time = "long"',
            "exposures[0].exposure_time: Input should be a valid number",
        ),
        ('target = "STRIPE82L"', 'targt = "STRIPE82L"', "exposures[0].targt: Extra inputs are not permitted"),
        ("exposure_time = 30.0", "", "exposures[0].exposure_time: Field required"),
        ("detectors = [16, 22, 23, 100]", "detectors = []", "exposures[0].detectors: Tuple should have at least 1"),
        (
            "detectors = [17, 24]",
            "detectors = [17, 17]",
            "exposures[1].detectors: Value error, a detector is listed twice",
        ),
        ("id = 903336", "id = 903334", "exposures: Value error, exposure 903334 is listed twice"),
        ("scale = 8", "scale = 0", "scale: Input should be greater than or equal to 1 (got 0)"),
        ("seed = 20131102", "seed = -1", "seed: Input should be greater than or equal to 0 (got -1)"),
        ('kind = "discrete"', 'kind = "square"', "skymap: Input tag 'square'"),
        ("end = 2013-10-01T00:00:00", "end = 2013-05-01T00:00:00", "calibrations[0]: Value error, end must be later"),
        ("begin = 2013-10-01T00:00:00", "begin = 12", "calibrations[1].begin: Input should be a valid datetime"),
        (
            "begin = 2013-10-01T00:00:00",
            "begin = 2013-10-01T00:00:00Z",
            "calibrations[1].begin: Value error, times are",
        ),
        ("ra = 320.25", "", "exposures[0]: Value error, dec, sky_angle without the others of ra, dec, sky_angle"),
        (
            'target = "STRIPE82L"',
            "snap = [3, 2]",
            "exposures[0].snap: Value error, snap 3 of 2",
        ),
        ('name = "ci_hsc"', 'name = "ci/hsc"', "name: String should match pattern"),
        ('config = ["parameters:', 'config = ["parameters-', "processing.config[0]: String should match pattern"),
    ],
)
def test_a_mistake_is_told_with_its_path(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(HarnessError) as caught:
        load_manifest(write(tmp_path, GOOD.replace(old, new, 1)))
    first, *mistakes = str(caught.value).splitlines()
    assert first == f"manifest {tmp_path / 'manifest.toml'} has mistakes:"
    assert len(mistakes) == 1
    assert mistakes[0].strip().startswith(says)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("scale = 8", "scale = 0").replace("ra = 320.5\n", "ra = -1\n")
    with pytest.raises(HarnessError) as caught:
        load_manifest(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 1 + 1 + text.count("ra = -1\n")


def test_a_list_of_wrong_entries_is_not_called_empty_as_well(tmp_path: Path) -> None:
    head, _, _ = GOOD.partition("[[exposures]]")
    exposure = GOOD.split("[[exposures]]")[1]
    text = f"{head}[[exposures]]{exposure.replace('exposure_time = 30.0', 'exposure_time = -1')}"
    with pytest.raises(HarnessError) as caught:
        load_manifest(write(tmp_path, text))
    assert [line.strip().split(":")[0] for line in str(caught.value).splitlines()[1:]] == ["exposures[0].exposure_time"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"name = ", "is not TOML"), (b"\xff\xfe", "is not TOML"), (None, "cannot read manifest")],
)
def test_files_that_are_none(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "manifest.toml").write_bytes(content)
    with pytest.raises(HarnessError, match=says):
        load_manifest(tmp_path)


@given(st.integers(0, 10), st.sampled_from(["id", "exposure_time", "detectors", "filter", "begin"]))
def test_the_path_names_the_exposure(index: int, key: str) -> None:
    data = tomllib.loads(GOOD)
    del data["exposures"][index][key]
    with pytest.raises(ValueError, match="Field required") as caught:
        Dataset(**data, source=CI_HSC)
    assert [e["loc"] for e in caught.value.errors()] == [("exposures", index, key)]
