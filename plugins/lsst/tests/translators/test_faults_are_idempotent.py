"""Putting faults right twice is putting them right once, for every camera and date."""

from __future__ import annotations

import datetime

from astro_metadata_translator import MetadataTranslator, fix_header
from hypothesis import assume, given, settings
from hypothesis import strategies as st

DATES = st.dates(datetime.date(2018, 9, 1), datetime.date(2025, 12, 31)).map(str)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "RA": st.floats(0, 360) | st.none(),
        "DEC": st.floats(-90, 90) | st.none(),
        "RASTART": st.floats(0, 360) | st.none(),
        "ROTPA": st.floats(0, 360) | st.none(),
        "TRACKSYS": st.sampled_from(["SIDEREAL", "RADEC", "LOCAL", None]),
        "RADESYS": st.sampled_from(["", "ICRS", "FK5", None]),
        "SHUTTIME": st.sampled_from([0.0, 30.0, None]),
        "IMGTYPE": st.sampled_from(["OBJECT", "DARK", "", None]),
        "GROUPID": st.sampled_from(["DARK", "focus2", "bias_1_2", "2025-06-09T20:00:00.000#1", None]),
        "FILTER": st.sampled_from(["r", "", "ph_05", "disperser", "empty_1", None]),
        "OBJECT": st.sampled_from(["spec:spec:a", "a", None]),
        "OBSGEO-Z": st.sampled_from([3195186.45, -3195186.45, None]),
        "VIGN_MIN": st.sampled_from(["NO", "FULLY", None]),
        "INSTRUME": st.sampled_from(["LATISS", "lsstCam", "ComCam", "ComCamSim", "LSSTCamSim"]),
        "DATE-OBS": st.just("1970-01-01T00:00:08"),
        "MJD": st.just(58877.5),
    },
)


@given(st.sampled_from(["LATISS", "LSSTCam", "LSSTComCam", "LSSTComCamSim"]), DATES, KEYS)
@settings(max_examples=200, deadline=None)
def test_fixing_a_fixed_header_changes_nothing(make, camera, date, keys):
    header = make[camera](date, **keys)
    assume(any(one.can_translate(header) for one in MetadataTranslator.translators.values()))
    translator = MetadataTranslator.determine_translator(header)
    before = dict(header)
    modified = translator.fix_header(header, "", "")
    once = dict(header)
    assert modified == (once != before)
    assert translator.fix_header(header, "", "") is False
    assert header == once
    fix_header(header)
    assert {k: header[k] for k in once} == once


@given(st.sampled_from(["LSSTCam", "LSSTComCam", "LSSTComCamSim"]), KEYS)
@settings(max_examples=50, deadline=None)
def test_faults_that_are_no_angles_are_seen_to_be_put_right(make, camera, keys):
    """Without a mark that it was put right, too."""
    header = make[camera](**{k: v for k, v in keys.items() if k != "INSTRUME"})
    translator = MetadataTranslator.determine_translator(header)
    header |= translator.faults(header)
    assert translator.faults(header) == {}
