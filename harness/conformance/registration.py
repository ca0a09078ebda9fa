"""Tests of what an instrument registers: all of it or nothing, once, and what the camera and the filters say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .requirement import MismatchError, equal, mismatches, requirement, that

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from .subject import Subject

__all__ = ["Registration"]

Records = dict[str, list[dict[str, Any]]]

_ELEMENTS = ("instrument", "physical_filter", "detector")


def _records(butler: Butler, name: str) -> Records:
    """Return the fields of the records of an instrument by element."""
    butler.registry.refresh()
    return {
        element: sorted(
            (r.toDict() for r in butler.query_dimension_records(element, instrument=name, explain=False)), key=repr
        )
        for element in _ELEMENTS
    }


def _register(subject: Subject, butler: Butler, **options: Any) -> None:
    subject.kit.instrument_class().register(butler.registry, **options)


def _registered(subject: Subject) -> Records:
    return _records(subject.view(subject.registered), subject.name)


def _conflicts(subject: Subject) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield for a filter and for a detector: element, key and a record that contradicts the instrument's."""
    records = _registered(subject)
    physical_filter, detector = records["physical_filter"][-1], records["detector"][-1]
    other = "GUIDER" if detector["purpose"] != "GUIDER" else "FOCUS"
    yield "physical_filter", physical_filter["name"], physical_filter | {"band": f"not-{physical_filter['band']}"[:32]}
    yield "detector", detector["id"], detector | {"purpose": other}


class Registration:
    """Tests of registration."""

    @requirement()
    def test_register_gives_records_of_its_instrument(self, subject: Subject) -> None:
        """The instrument has a record under its name, filters and detectors."""
        butler = subject.view(subject.registered)
        with mismatches() as wrong:
            names = [r.name for r in butler.query_dimension_records("instrument", explain=False)]
            wrong.equal("names of the instruments registered", names, [subject.name])
            for element, records in _records(butler, subject.name).items():
                wrong.that(records, f"{element} records of {subject.name}", len(records), "at least one")

    @requirement(after=(test_register_gives_records_of_its_instrument,))
    def test_register_twice_changes_nothing(self, subject: Subject) -> None:
        """Registering again leaves the records as they are."""
        with subject.fork(subject.registered) as butler:
            before = _records(butler, subject.name)
            for options in ({}, {"update": True}):
                try:
                    _register(subject, butler, **options)
                except Exception as error:
                    message = f"register({_shown(options)}) again raised {type(error).__name__}: {error}"
                    raise MismatchError(message) from error
                equal(f"records after register({_shown(options)}) again", _records(butler, subject.name), before)

    @requirement(after=(test_register_twice_changes_nothing,))
    def test_a_conflict_is_raised_and_names_the_record(self, subject: Subject) -> None:
        """Another definition of a filter or detector raises ConflictingDefinitionError with its name."""
        from lsst.daf.butler.registry import ConflictingDefinitionError

        for element, key, record in _conflicts(subject):
            with subject.fork(subject.registered) as butler:
                butler.registry.syncDimensionData(element, record, update=True)
                try:
                    _register(subject, butler)
                except ConflictingDefinitionError as error:
                    that(str(key) in str(error), f"message about {element} {key}", str(error), f"to name {key}")
                except Exception as error:
                    seen = f"{type(error).__name__}: {error}"
                    raise MismatchError(
                        f"{element} {key} has another definition: seen {seen}, expected ConflictingDefinitionError"
                    ) from error
                else:
                    raise MismatchError(f"{element} {key} has another definition, and register() did not raise")

    @requirement(after=(test_a_conflict_is_raised_and_names_the_record,))
    def test_a_failed_register_leaves_nothing(self, subject: Subject) -> None:
        """If one record conflicts, none is inserted."""
        (instrument,) = _registered(subject)["instrument"]
        for element, key, record in _conflicts(subject):
            with subject.fork(subject.empty) as butler:
                butler.registry.syncDimensionData("instrument", instrument)
                butler.registry.syncDimensionData(element, record)
                before = _records(butler, subject.name)
                with contextlib.suppress(Exception):  # that it raises, and what, is another test's
                    _register(subject, butler)
                after = _records(butler, subject.name)
            for what, records in after.items():
                new = [r for r in records if r not in before[what]]
                seen = f"{len(new)} new {what} records"
                that(not new, f"after register() failed at {element} {key}", seen, "none: use registry.transaction()")

    @requirement(after=(test_a_conflict_is_raised_and_names_the_record,))
    def test_register_with_update_corrects_records(self, subject: Subject) -> None:
        """``register(update=True)`` changes records that have other values."""
        expected = _registered(subject)
        with subject.fork(subject.registered) as butler:
            for element, _, record in _conflicts(subject):
                butler.registry.syncDimensionData(element, record, update=True)
            try:
                _register(subject, butler, update=True)
            except Exception as error:
                raise MismatchError(f"register(update=True) raised {type(error).__name__}: {error}") from error
            found = _records(butler, subject.name)
        with mismatches() as wrong:
            for element, records in expected.items():
                for seen, record in zip(found[element], records, strict=True):
                    wrong.equal(f"{element} record after register(update=True)", seen, record)

    @requirement(after=(test_register_gives_records_of_its_instrument,))
    def test_the_record_leads_to_the_class(self, subject: Subject) -> None:
        """``class_name`` of the record can be imported and is the kit's class."""
        from lsst.pipe.base import Instrument

        (record,) = _registered(subject)["instrument"]
        what = f"class_name {record['class_name']!r} of the instrument's record"
        try:
            found = type(Instrument.fromName(subject.name, subject.view(subject.registered).registry))
        except (ImportError, TypeError, AttributeError, LookupError) as error:
            raise MismatchError(f"{what} cannot be imported: {error}") from error
        equal(what, found, subject.kit.instrument_class)

    @requirement(after=(test_register_gives_records_of_its_instrument,))
    def test_detector_ids_are_below_their_limit(self, subject: Subject) -> None:
        """Every detector id lies in 0 … detector_max - 1."""
        (instrument,) = _registered(subject)["instrument"]
        limit = instrument["detector_max"]
        with mismatches() as wrong:
            for detector in subject.kit.camera.detectors:
                wrong.that(limit and 0 <= detector.id < limit, "detector id", detector.id, f"0 to {limit} - 1")

    @requirement(after=(test_register_gives_records_of_its_instrument,))
    def test_exposure_ids_are_below_their_limit(self, subject: Subject) -> None:
        """Every exposure id of the dataset lies in 1 … exposure_max - 1."""
        (instrument,) = _registered(subject)["instrument"]
        limit = instrument["exposure_max"]
        with mismatches() as wrong:
            for entry in subject.whole.exposures:
                wrong.that(limit and 0 < entry.id < limit, "exposure id", entry.id, f"1 to {limit} - 1")

    @requirement(after=(test_register_gives_records_of_its_instrument,))
    def test_detectors_are_those_of_the_camera(self, subject: Subject) -> None:
        """The registry and the camera have the same detectors, each once."""
        ids = [d.id for d in subject.kit.camera.detectors]
        equal("detectors that the camera has twice", sorted({i for i in ids if ids.count(i) > 1}), [])
        found = {r["id"] for r in _registered(subject)["detector"]}
        equal("detectors registered that the camera lacks", sorted(found - set(ids)), [])
        equal("detectors of the camera that are not registered", sorted(set(ids) - found), [])

    @requirement(after=(test_detectors_are_those_of_the_camera,))
    def test_detector_names_are_those_of_the_camera(self, subject: Subject) -> None:
        """Full names are the camera's, and unique."""
        camera = subject.kit.camera
        with mismatches() as wrong:
            for record in _registered(subject)["detector"]:
                what = f"full_name of detector {record['id']}"
                wrong.equal(what, record["full_name"], camera[record["id"]].name)
            names = [d.name for d in camera.detectors]
            wrong.equal("names that two detectors have", sorted({n for n in names if names.count(n) > 1}), [])

    @requirement(after=(test_detectors_are_those_of_the_camera,))
    def test_detector_rafts_are_those_of_the_camera(self, subject: Subject) -> None:
        """Raft and name in the raft are the camera's."""
        with mismatches() as wrong:
            for record in _registered(subject)["detector"]:
                detector = subject.kit.camera[record["id"]]
                for field in ("raft", "name_in_raft"):
                    what = f"{field} of detector {record['id']}"
                    wrong.equal(what, record[field] or None, getattr(detector, field) or None)

    @requirement(after=(test_detectors_are_those_of_the_camera,))
    def test_detector_purposes_are_those_of_the_camera(self, subject: Subject) -> None:
        """The purpose of each detector is the camera's."""
        with mismatches() as wrong:
            for record in _registered(subject)["detector"]:
                what = f"purpose of detector {record['id']}"
                wrong.equal(what, record["purpose"], subject.kit.camera[record["id"]].purpose.value)

    @requirement(after=(test_register_gives_records_of_its_instrument,))
    def test_filters_of_the_dataset_are_registered(self, subject: Subject) -> None:
        """Every filter through which the dataset observes has a record."""
        found = {r["name"] for r in _registered(subject)["physical_filter"]}
        with mismatches() as wrong:
            for entry in subject.whole.exposures:
                what = f"filter of exposure {entry.id}"
                wrong.that(entry.filter in found, what, entry.filter, f"one of those registered: {sorted(found)}")

    @requirement(after=(test_filters_of_the_dataset_are_registered,))
    def test_bands_are_those_of_the_instrument(self, subject: Subject) -> None:
        """The band of each filter is what the instrument's ``filters()`` says."""
        bands = subject.kit.instrument_class.filters()
        with mismatches() as wrong:
            for record in _registered(subject)["physical_filter"]:
                what = f"band of filter {record['name']}"
                wrong.equal(what, record["band"], bands.get(record["name"]))

    @requirement(
        after=(
            test_the_record_leads_to_the_class,
            test_detectors_are_those_of_the_camera,
            test_detector_ids_are_below_their_limit,
            test_exposure_ids_are_below_their_limit,
        )
    )
    def test_packed_ids_come_back(self, subject: Subject) -> None:
        """The dimension packer gives each detector of each exposure a number of its own, up to the limits."""
        from lsst.daf.butler import DataCoordinate
        from lsst.pipe.base import Instrument

        (record,) = _registered(subject)["instrument"]
        known, taken = {d.id for d in subject.kit.camera.detectors}, {e.id for e in subject.dataset.exposures}
        detectors = sorted({0, record["detector_max"] - 1, max(known), *sorted(known)[::7]})
        exposures = sorted({0, record["exposure_max"] - 1, *taken})
        instrument = subject.view(subject.registered).registry.expandDataId(instrument=subject.name)
        packer = Instrument.make_default_dimension_packer(instrument, is_exposure=True)
        seen: dict[int, tuple[int, int]] = {}
        for exposure in exposures:
            for detector in detectors:
                key = {"instrument": subject.name, "exposure": exposure, "detector": detector}
                what = f"exposure {exposure} detector {detector}"
                try:
                    packed = packer.pack(DataCoordinate.standardize(key, universe=instrument.universe))
                    back = packer.unpack(packed)
                except ValueError as error:
                    if exposure not in taken or detector not in known:
                        continue  # a packer that knows how ids are made may refuse those that no exposure has
                    raise MismatchError(f"{what} cannot be packed: {error}") from error
                pair = (exposure, detector)
                equal(f"{what} from its packed id {packed}", (back["exposure"], back["detector"]), pair)
                that(0 <= packed < 2**63, f"packed id of {what}", packed, "63 bits at most")
                equal(f"owner of packed id {packed}", seen.setdefault(packed, pair), pair)


def _shown(options: dict[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in options.items())
