from __future__ import annotations

import pytest
from astro_metadata_translator.translators import HscTranslator as Upstream
from harness_hsc.identifiers import NEW_SCHEME_MJD, exposure_id, frame_id, observation_id
from harness_hsc.instrument import HyperSuprimeCam
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError

exposures = st.integers(0, HyperSuprimeCam.exposure_max - 1)
boards = st.tuples(st.integers(0, 1), st.integers(0, 57))


@given(exposures, st.booleans())
def test_every_exposure_id_survives_its_name(exposure: int, new: bool) -> None:
    try:
        name = observation_id(exposure, NEW_SCHEME_MJD - 0.001 + 0.001 * new)
    except HarnessError:
        assert not new
        assert exposure // 1_000_000 == 4, "only names that begin with HSCE are ambiguous"
        return
    assert len(name) == 12
    assert exposure_id(name) == exposure
    # Upstream agrees; it asks FRAMEID where the name has no number.
    assert Upstream({"EXP-ID": name, "FRAMEID": name}).to_exposure_id() == exposure


@given(exposures.map(lambda n: n - n % 2), boards, exposures.map(lambda n: n - n % 2), boards)
def test_frames_are_unique(a: int, board_a: tuple[int, int], b: int, board_b: tuple[int, int]) -> None:
    same = (a, board_a) == (b, board_b)
    assert (frame_id(a, *board_a) == frame_id(b, *board_b)) == same


def test_names_of_the_observatory() -> None:
    assert observation_id(904024, 56598.26) == "HSCA90402400"
    assert observation_id(21474798, 56598.26) == "HSCV47479800"
    assert observation_id(904024, NEW_SCHEME_MJD) == "HSCE00904024"
    assert frame_id(904024, 1, 12) == "HSCA90402512"
    assert frame_id(903334, 0, 16) == "HSCA90333416"
    assert frame_id(999998, 1, 12) == "HSCA99999912"
    assert frame_id(1000000, 0, 1) == "HSCB00000001"


@pytest.mark.parametrize("name", ["", "HSCA904024", "SUPA01234560", "HSCA90402412", "HSCE1234567", "hscA90402400"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="is not one of HSC") as caught:
        exposure_id(name)
    assert caught.value.code == "exposure-id"


def test_odd_exposures_have_no_frames() -> None:
    with pytest.raises(HarnessError, match="904025 is odd"):
        frame_id(904025, 0, 1)


@pytest.mark.parametrize(("exposure", "mjd"), [(-2, 56000), (26_000_000, 56000), (10**8, 58000), (4_000_000, 56000)])
def test_unnameable_exposures(exposure: int, mjd: float) -> None:
    with pytest.raises(HarnessError, match=f"exposure {exposure} has no name"):
        observation_id(exposure, mjd)
