from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from harness_lsst.translators.identifiers import detector_exposure_id, exposure_id
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.daf.butler import Butler, Config, DataCoordinate
from lsst.pipe.base import Instrument, Pipeline

from harness.instrument.kit import Capability, InstrumentKit

Kits = Mapping[str, InstrumentKit]
SIZES = {"LATISS": (1, 707, 1), "LSSTComCam": (9, 15, 1000), "LSSTComCamSim": (9, 15, 1000), "LSSTCam": (205, 276, 256)}
"""Detectors, filters, limit of detector ids."""


@pytest.fixture(scope="module")
def butler(tmp_path_factory: pytest.TempPathFactory, kits: Kits) -> Iterator[Butler]:
    root = str(tmp_path_factory.mktemp("instruments"))
    Butler.makeRepo(root, Config(dict(kits["LATISS"].repository_config)))
    with Butler.from_config(root, writeable=True) as butler:
        for kit in kits.values():
            kit.instrument_class().register(butler.registry)
        yield butler


def test_the_kits_are_those_of_four_instruments(kits: Kits) -> None:
    assert set(kits) == set(SIZES)
    assert {n: k.visit_padding for n, k in kits.items()} == dict.fromkeys(SIZES, 250) | {"LATISS": 4000}
    for kit in kits.values():
        assert kit.capabilities >= {Capability.IMAGES, Capability.VISITS, Capability.CALIBRATIONS, Capability.COADDS}


@pytest.mark.parametrize("name", SIZES)
def test_records(butler: Butler, name: str) -> None:
    (record,) = butler.query_dimension_records("instrument", instrument=name)
    n_detectors, n_filters, detector_max = SIZES[name]
    assert (record.visit_max, record.exposure_max, record.visit_system) == (7050123199999, 7050123199999, 2)
    assert record.detector_max == detector_max
    detectors = butler.query_dimension_records("detector", instrument=name)
    assert len(detectors) == n_detectors
    assert all(d.id < detector_max for d in detectors)
    assert len(butler.query_dimension_records("physical_filter", instrument=name)) == n_filters
    assert type(Instrument.fromName(name, butler.registry)).getName() == name


def test_detectors_have_their_names_and_purposes(butler: Butler) -> None:
    def rows(instrument: str, number: int) -> tuple[str, str | None, str, str]:
        (d,) = butler.query_dimension_records("detector", instrument=instrument, detector=number)
        return d.full_name, d.raft, d.name_in_raft, d.purpose

    assert rows("LATISS", 0) == ("RXX_S00", None, "S00", "SCIENCE")
    assert rows("LSSTComCam", 5) == ("R22_S12", "R22", "S12", "SCIENCE")
    assert rows("LSSTCam", 94) == ("R22_S11", "R22", "S11", "SCIENCE")
    assert rows("LSSTCam", 190) == ("R00_SG1", "R00", "SG1", "GUIDER")
    assert rows("LSSTCam", 204) == ("R44_SW1", "R44", "SW1", "WAVEFRONT")


def test_filters_have_their_bands(kits: Kits) -> None:
    on_sky = {
        "LSSTCam": {"u_24": "u", "g_6": "g", "r_57": "r", "i_39": "i", "z_20": "z", "y_10": "y", "ph_5": "white"},
        "LSSTComCam": {"u_05": "u", "g_01": "g", "r_03": "r", "i_06": "i", "z_03": "z", "y_04": "y", "empty": "white"},
        "LATISS": {"SDSSr_65mm~empty": "r", "empty~empty": "white"},
    }
    for name, expected in on_sky.items():
        filters = kits[name].instrument_class.filters()
        assert {f: filters[f] for f in expected} == expected


DAYS = st.dates(min_value=datetime.date(2010, 1, 1), max_value=datetime.date(2049, 12, 31))


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(sorted(SIZES)),
    day=DAYS,
    seq_num=st.integers(0, 32767),
    controller=st.sampled_from("OCHPQS"),
    detector=st.integers(0, 255),
    kind=st.sampled_from(["exposure", "visit", "first snap"]),
)
def test_packed_ids_round_trip(
    butler: Butler, name: str, day: object, seq_num: int, controller: str, detector: int, kind: str
) -> None:
    owner = butler.registry.expandDataId(instrument=name)
    number = exposure_id(f"{day:%Y%m%d}", seq_num, controller)
    element = "exposure" if kind == "exposure" else "visit"
    packer = Instrument.make_default_dimension_packer(owner, is_exposure=element == "exposure")
    given_id = int(f"9{number}") if kind == "first snap" else number
    data_id = {"instrument": name, element: given_id, "detector": detector}
    packed = packer.pack(DataCoordinate.standardize(data_id, dimensions=packer.dimensions))
    assert packed % 2**40 == detector_exposure_id(number, detector), "the observatory's"
    assert 0 <= packed < 2**packer.maxBits
    assert packer.maxBits <= 41, "or too little is left for the sources of a detector"
    assert dict(packer.unpack(packed).required) == data_id


@pytest.mark.parametrize(
    ("number", "detector", "what"),
    [
        (2025112140000, 0, "sequence number"),
        (2025112100001, 256, "detector"),
        (2009112100001, 0, "days"),
        (904024, 0, "no exposure id"),
    ],
)
def test_what_cannot_be_packed_is_refused(butler: Butler, number: int, detector: int, what: str) -> None:
    owner = butler.registry.expandDataId(instrument="LSSTCam")
    packer = Instrument.make_default_dimension_packer(owner, is_exposure=True)
    data_id = {"instrument": "LSSTCam", "exposure": number, "detector": detector}
    with pytest.raises(ValueError, match=what):
        packer.pack(DataCoordinate.standardize(data_id, dimensions=packer.dimensions))


def test_real_exposures_pack_to_their_real_ids(real: Path, butler: Butler) -> None:
    import json

    seen = 0
    for path in sorted((real / "headers").glob("L*/*.json")):
        document = json.loads(path.read_text())
        exposure, other = document["expected_exposure"], document["expected_other"]
        owner = butler.registry.expandDataId(instrument=exposure["instrument"])
        packer = Instrument.make_default_dimension_packer(owner, is_exposure=True)
        data_id = {"instrument": exposure["instrument"], "exposure": exposure["id"], "detector": other["detector"]}
        packed = packer.pack(DataCoordinate.standardize(data_id, dimensions=packer.dimensions))
        assert packed == other["detector_exposure_id"], path.name
        seen += 1
    assert seen > 10


@pytest.mark.parametrize("name", SIZES)
def test_pipelines_can_be_read_and_are_of_this_instrument(kits: Kits, name: str) -> None:
    kit = kits[name]
    own = f"{kit.instrument_class.__module__}.{kit.instrument_class.__qualname__}"
    assert "isr" in Pipeline.fromFile(kit.pipelines["DRP"]).task_labels
    for key, uri in kit.pipelines.items():
        pipeline = Pipeline.fromFile(uri)
        assert pipeline.task_labels
        # Those of the core, for any instrument, have none.
        assert pipeline.getInstrument() == (own if uri.startswith("resource://harness_lsst/") else None), key
