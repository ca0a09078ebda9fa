"""Headers to properties, records, and refusals."""

from __future__ import annotations

import datetime
import re

import pytest
from astro_metadata_translator import MetadataTranslator, ObservationInfo
from harness_cbp.identifiers import exposure_id, observation_id, split_exposure_id, split_observation_id
from harness_cbp.instrument import CollimatedBeamProjector
from harness_cbp.translator import CbpTranslator, load_translators
from hypothesis import given
from hypothesis import strategies as st

from harness.bootstrap.ingest.records import build_records
from harness.errors import HarnessError

HEADER = {
    "INSTRUME": "CBP",
    "OBSID": "CB_O_20250301_000012",
    "CONTRLLR": "O",
    "DAYOBS": 20250301,
    "SEQNUM": 12,
    "DATE-BEG": "2025-03-02T03:00:00.000",
    "DATE-END": "2025-03-02T03:00:30.000",
    "TIMESYS": "TAI",
    "EXPTIME": 30.0,
    "IMGTYPE": "CBP",
    "GROUPID": "2025-03-02T02:59:00.000#3",
    "CURINDEX": 3,
    "MAXINDEX": 5,
    "CBPAZ": -0.05,
    "CBPEL": -46.5,
    "CBPFOC": 3800.0,
    "CBPMASK": 1,
    "CBPMROT": 96.5,
    "LASERWL": 500.0,
    "OPTCONF": "F1 SCU",
    "NBURST": 5,
}
DAYS = st.dates(datetime.date(2020, 1, 1), datetime.date(2099, 12, 31)).map(lambda d: int(f"{d:%Y%m%d}"))


def info(**changes) -> ObservationInfo:
    header = {k: v for k, v in (HEADER | {k.replace("_", "-"): v for k, v in changes.items()}).items() if v != "absent"}
    return ObservationInfo(header, pedantic=True)


def test_the_record_of_an_exposure() -> None:
    record = build_records(info()).exposure
    assert (record["instrument"], record["id"], record["obs_id"]) == ("CBP", 2025030100012, "CB_O_20250301_000012")
    assert (record["day_obs"], record["seq_num"], record["seq_start"], record["seq_end"]) == (20250301, 12, 10, 14)
    assert (record["group"], record["observation_type"]) == ("2025-03-02T02:59:00.000#3", "cbp")
    assert (record["can_see_sky"], record["has_simulated"]) == (False, False)
    assert {record[k] for k in ("tracking_ra", "tracking_dec", "sky_angle", "azimuth", "zenith_angle")} == {None}
    assert (record["exposure_time"], record["physical_filter"]) == (30.0, "empty")
    span = build_records(info()).day_obs["timespan"]
    assert (span.begin.isot[:19], span.end.isot[:19]) == ("2025-03-01T12:00:00", "2025-03-02T12:00:00")


def test_the_entry_point_registers_the_translator() -> None:
    assert load_translators() == ["CBP"]
    assert MetadataTranslator.determine_translator(HEADER) is CbpTranslator
    assert not CbpTranslator.can_translate({"INSTRUME": "LATISS"})


def test_without_a_group_an_exposure_is_alone() -> None:
    assert info(GROUPID="absent").exposure_group == "2025030100012"


def test_the_end_follows_from_the_exposure_time() -> None:
    assert info(DATE_END="absent").datetime_end.isot == "2025-03-02T03:00:30.000"


def test_a_focus_in_mm_becomes_one_in_um() -> None:
    assert info(CBPFOC=3.8, CBPFUNIT="mm").focus_z.to_value("um") == pytest.approx(3800.0)
    assert info().focus_z.to_value("um") == 3800.0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"OBSID": "CB_O_20250301_000013"}, "SEQNUM 12"),
        ({"OBSID": "CB_X_20250301_000012"}, "CB_X"),
        ({"OBSID": "CB_O_20250301_000000", "SEQNUM": 0}, "out of range"),
        ({"OBSID": "CB_O_20251301_000012", "DAYOBS": 20251301}, "no date"),
        ({"CBPAZ": 45.1}, "CBPAZ is 45.1 deg.*-45 to 45"),
        ({"CBPEL": -70}, "CBPEL is -70 deg"),
        ({"CBPFOC": 13.5, "CBPFUNIT": "mm"}, "CBPFOC is 13500 um.*0 to 13000 um"),
        ({"CBPFUNIT": "inch"}, "CBPFUNIT"),
        ({"CBPMASK": 6}, "CBPMASK is 6"),
        ({"CBPMASK": True}, "CBPMASK"),
        ({"CBPMROT": 361.0}, "CBPMROT"),
        ({"OPTCONF": "F3 SCU"}, "F3 SCU"),
        ({"NBURST": -1}, "NBURST"),
        ({"LASERWL": "absent"}, "LASERWL is missing"),
        ({"LASERWL": float("nan")}, "LASERWL"),
        ({"ELECMODE": "VOLTAGE"}, "ELECMODE"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes: dict, word: str) -> None:
    with pytest.raises(KeyError) as caught:
        info(**changes)
    reason = str(caught.value.__cause__)
    assert re.search(word, reason), reason
    assert "\n" not in reason


@pytest.mark.parametrize("mask", [1, 2, 3, 4, 5, 9])
def test_all_masks_and_limits_are_possible(mask: int) -> None:
    info(CBPMASK=mask, CBPAZ=-45.0, CBPEL=45, CBPFOC=0, CBPMROT=360.0, OPTCONF="F2 No SCU", NBURST=0)


@given(DAYS, st.integers(1, 99_999))
def test_names_and_numbers_are_taken_apart_as_they_were_made(day: int, sequence: int) -> None:
    number = exposure_id(day, sequence)
    assert split_exposure_id(number) == (day, sequence)
    assert split_observation_id(observation_id(day, sequence)) == (day, sequence)
    assert 0 < number < CollimatedBeamProjector.exposure_max


@pytest.mark.parametrize("name", ["", "CB_O_20250301_12", "AT_O_20250301_000012", "CB_O_20250301_000012x"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="OBSID"):
        split_observation_id(name)
