"""Names and numbers of observations."""

from __future__ import annotations

import datetime

import pytest
from harness_fiberspec.devices import DEVICES, exposure_id, observation_id, split_observation_id
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError

DAYS = st.dates(datetime.date(2010, 1, 1), datetime.date(2099, 12, 31)).map(lambda d: int(f"{d:%Y%m%d}"))
NUMBERS = st.integers(0, 99_999)


@given(st.sampled_from(sorted(DEVICES)), DAYS, NUMBERS, st.sampled_from("OCS"))
def test_names_are_taken_apart_as_they_were_made(device: str, day: int, number: int, controller: str) -> None:
    name = observation_id(DEVICES[device], day, number, controller)
    assert split_observation_id(name) == (DEVICES[device].number, controller, day, number)


@given(DAYS, NUMBERS, DAYS, NUMBERS)
def test_exposure_ids_are_unique_ordered_and_within_the_limit(day: int, number: int, other: int, second: int) -> None:
    from harness_fiberspec.instrument import FiberSpec

    one, two = exposure_id(day, number), exposure_id(other, second)
    assert divmod(one, 100_000) == (day, number)
    assert (one < two) == ((day, number) < (other, second))
    assert 0 < one < FiberSpec.exposure_max


@pytest.mark.parametrize("name", ["", "FS3_O_20240109_4", "AT_O_20240109_000004", "FS_O_20240109_000004"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="OBSID"):
        split_observation_id(name)


def test_six_digits_are_too_many() -> None:
    with pytest.raises(HarnessError, match="100000"):
        exposure_id(20240109, 100_000)
