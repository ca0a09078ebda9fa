from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness_hsc.instrument import HyperSuprimeCam
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.daf.butler import Butler, Config, DataCoordinate
from lsst.daf.butler.registry import ConflictingDefinitionError
from lsst.pipe.base import Instrument, Pipeline

from harness.instrument.kit import InstrumentKit


@pytest.fixture
def butler(tmp_path: Path, kit: InstrumentKit) -> Iterator[Butler]:
    Butler.makeRepo(str(tmp_path), Config(dict(kit.repository_config)))
    with Butler.from_config(str(tmp_path), writeable=True) as butler:
        yield butler


def _records(butler: Butler) -> dict[str, list[dict[str, object]]]:
    return {
        element: [r.toDict() for r in butler.query_dimension_records(element, explain=False)]
        for element in ("instrument", "physical_filter", "detector")
    }


def test_register_is_complete_and_idempotent(butler: Butler) -> None:
    HyperSuprimeCam().register(butler.registry)
    records = _records(butler)
    assert {k: len(v) for k, v in records.items()} == {"instrument": 1, "physical_filter": 25, "detector": 112}
    assert records["instrument"][0] == {
        "name": "HSC",
        "visit_max": 21474800,
        "exposure_max": 21474800,
        "detector_max": 200,
        "visit_system": 0,
        "class_name": "harness_hsc.instrument.HyperSuprimeCam",
    }
    assert {r["id"]: (r["full_name"], r["raft"], r["name_in_raft"], r["purpose"]) for r in records["detector"]}[
        106
    ] == ("1_52", "1", "52", "FOCUS")
    HyperSuprimeCam().register(butler.registry)
    HyperSuprimeCam().register(butler.registry, update=True)
    assert _records(butler) == records


def test_the_record_leads_back_to_the_class(butler: Butler) -> None:
    HyperSuprimeCam().register(butler.registry)
    assert type(Instrument.fromName("HSC", butler.registry)) is HyperSuprimeCam


def test_filters_have_their_bands() -> None:
    filters = HyperSuprimeCam.filters()
    assert len(filters) == 25
    broad = {"HSC-G": "g", "HSC-R": "r", "HSC-R2": "r", "HSC-I": "i", "HSC-I2": "i", "HSC-Z": "z", "HSC-Y": "y"}
    assert filters.items() >= broad.items()
    narrow = {f: b for f, b in filters.items() if f[:2] in ("NB", "IB")}
    assert narrow == {f: f"{f[0]}{int(f[2:])}" for f in narrow}
    assert set(filters) - set(broad) - set(narrow) == {"ENG-R1", "SH", "PH", "empty", "unknown"}


@pytest.mark.parametrize("element", ["detector", "physical_filter"])
def test_a_conflict_names_the_record_and_leaves_nothing(butler: Butler, element: str) -> None:
    registry = butler.registry
    theirs = [(e, dict(fields)) for e, fields in HyperSuprimeCam.records() if e in ("instrument", element)]
    registry.syncDimensionData(*theirs[0])
    wrong = dict(theirs[-1][1]) | ({"purpose": "GUIDER"} if element == "detector" else {"band": "q"})
    registry.syncDimensionData(element, wrong)
    before = _records(butler)
    key = wrong["id"] if element == "detector" else wrong["name"]
    with pytest.raises(ConflictingDefinitionError, match=rf"{element} {key} of HSC .*(GUIDER|'q')"):
        HyperSuprimeCam().register(registry)
    butler.registry.refresh()
    assert _records(butler) == before, "a failed registration must leave nothing"
    HyperSuprimeCam().register(registry, update=True)
    after = _records(butler)
    assert {k: len(v) for k, v in after.items()} == {"instrument": 1, "physical_filter": 25, "detector": 112}
    assert not [r for r in after[element] if "GUIDER" in r.values() or "q" in r.values()]


@pytest.fixture(scope="module")
def instrument_id(tmp_path_factory: pytest.TempPathFactory) -> DataCoordinate:
    root = tmp_path_factory.mktemp("packer")
    Butler.makeRepo(str(root))
    with Butler.from_config(str(root), writeable=True) as butler:
        HyperSuprimeCam().register(butler.registry)
        return butler.registry.expandDataId(instrument="HSC")


@settings(deadline=None)
@given(st.integers(0, 21474799), st.integers(0, 199), st.booleans())
def test_packed_ids_round_trip(instrument_id: DataCoordinate, number: int, detector: int, is_exposure: bool) -> None:
    packer = Instrument.make_default_dimension_packer(instrument_id, is_exposure=is_exposure)
    name = "exposure" if is_exposure else "visit"
    data_id = DataCoordinate.standardize(
        {"instrument": "HSC", name: number, "detector": detector}, universe=instrument_id.universe
    )
    packed = packer.pack(data_id)
    assert packed == number * 200 + detector, "the observatory's detector_exposure_id"
    assert 0 <= packed < 2**packer.maxBits
    unpacked = packer.unpack(packed)
    assert (unpacked[name], unpacked["detector"]) == (number, detector)


def test_ids_beyond_the_limits_are_refused(instrument_id: DataCoordinate) -> None:
    packer = Instrument.make_default_dimension_packer(instrument_id, is_exposure=True)
    for wrong in ({"exposure": 21474800, "detector": 0}, {"exposure": 0, "detector": 200}):
        with pytest.raises(ValueError, match="out of bounds"):
            packer.pack(DataCoordinate.standardize(instrument="HSC", **wrong, universe=instrument_id.universe))


def test_pipelines_can_be_read_and_are_of_this_instrument(kit: InstrumentKit) -> None:
    for uri in kit.pipelines.values():
        pipeline = Pipeline.fromFile(uri)
        assert pipeline.getInstrument() == "harness_hsc.instrument.HyperSuprimeCam"
        assert "isr" in pipeline.task_labels
