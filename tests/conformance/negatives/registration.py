"""Wrong in what they register."""

from __future__ import annotations

from lsst.daf.butler.registry import ConflictingDefinitionError

from . import wrong


def _records(toy, change):
    """An instrument whose records are changed, or left out where the change is None."""

    class Instrument(toy.Instrument):
        @classmethod
        def records(cls):
            for element, fields in super().records():
                changed = change(element, dict(fields))
                if changed is not None:
                    yield element, changed

    return toy.kit(instrument=Instrument)


@wrong("test_register_gives_records_of_its_instrument", "physical_filter")
def no_filters(toy):
    """No filter is registered."""
    return _records(toy, lambda element, fields: None if element == "physical_filter" else fields)


@wrong("test_register_twice_changes_nothing", "register() again raised")
def register_not_idempotent(toy):
    """Registering a second time raises."""

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            with registry.transaction():
                for element, fields in self.records():
                    registry.insertDimensionData(element, fields)

    return toy.kit(instrument=Instrument)


@wrong("test_register_twice_changes_nothing", "records after register(update=True) again")
def register_counts(toy):
    """Each registration changes a serial number in the records."""
    times = iter(range(10, 1000))

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            super().register(registry, update=update)
            if update:
                name = self.getName()
                fields = {"instrument": name, "name": f"r{next(times)}", "band": "r"}
                registry.syncDimensionData("physical_filter", fields)

    return toy.kit(instrument=Instrument)


@wrong("test_a_conflict_is_raised_and_names_the_record", "did not raise")
def conflict_not_raised(toy):
    """Other definitions are overwritten without being asked."""

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            super().register(registry, update=True)

    return toy.kit(instrument=Instrument)


@wrong("test_a_conflict_is_raised_and_names_the_record", "to name r")
def conflict_not_named(toy):
    """The exception does not say which record conflicts."""

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            try:
                super().register(registry, update=update)
            except ConflictingDefinitionError as error:
                raise ConflictingDefinitionError("not so") from error

    return toy.kit(instrument=Instrument)


@wrong("test_a_conflict_is_raised_and_names_the_record", "seen ValueError")
def conflict_of_another_kind(toy):
    """A conflict raises an exception that nobody expects."""

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            try:
                super().register(registry, update=update)
            except ConflictingDefinitionError as error:
                raise ValueError(str(error)) from error

    return toy.kit(instrument=Instrument)


@wrong("test_a_failed_register_leaves_nothing", "new physical_filter records")
def register_not_atomic(toy):
    """What was inserted before a conflict stays."""

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            for element, fields in self.records():
                key = fields.get("id", fields.get("name"))
                try:
                    registry.syncDimensionData(element, fields, update=update)
                except ConflictingDefinitionError as error:
                    raise ConflictingDefinitionError(f"{element} {key}: {error}") from error

    return toy.kit(instrument=Instrument)


@wrong("test_register_with_update_corrects_records", "register(update=True) raised")
def update_ignored(toy):
    """``update=True`` raises as if it had not been said."""

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            super().register(registry)

    return toy.kit(instrument=Instrument)


@wrong("test_register_with_update_corrects_records", "detector record after")
def update_forgets_detectors(toy):
    """``update=True`` corrects filters and leaves detectors as they are."""

    class Instrument(toy.Instrument):
        def register(self, registry, *, update=False):
            if not update:
                super().register(registry)
                return
            for element, fields in self.records():
                if element != "detector":
                    registry.syncDimensionData(element, fields, update=True)

    return toy.kit(instrument=Instrument)


@wrong("test_the_record_leads_to_the_class", "cannot be imported")
def class_not_importable(toy):
    """``class_name`` is of a class that is nowhere."""
    change = {"class_name": "harness_toycam.instrument.Toycam"}
    return _records(toy, lambda element, fields: fields | (change if element == "instrument" else {}))


@wrong("test_the_record_leads_to_the_class", "harness_toycam.instrument.ToyCam")
def class_of_another_instrument(toy):
    """``class_name`` is that of another class."""
    change = {"class_name": "harness_toycam.instrument.ToyCam"}
    return _records(toy, lambda element, fields: fields | (change if element == "instrument" else {}))


@wrong("test_detector_ids_are_below_their_limit", "detector id: seen 3")
def detector_max_too_small(toy):
    """There are more detectors than ids."""

    class Instrument(toy.Instrument):
        detector_max = 3

    return toy.kit(instrument=Instrument)


@wrong("test_exposure_ids_are_below_their_limit", "exposure id: seen 1003")
def exposure_id_out_of_range(toy):
    """The limit of exposure ids is too low."""

    class Instrument(toy.Instrument):
        exposure_max = 1003

    return toy.kit(instrument=Instrument)


@wrong("test_visit_ids_are_below_their_limit", "visit id: seen 1002")
def visit_max_too_small(toy):
    """The limit of visit ids is too low."""

    class Instrument(toy.Instrument):
        visit_max = 1002

    return toy.kit(instrument=Instrument)


@wrong("test_detectors_are_those_of_the_camera", "not registered: seen [3]")
def detector_not_registered(toy):
    """One detector fewer is registered than the camera has."""
    return _records(toy, lambda element, fields: None if fields.get("id") == 3 else fields)


@wrong("test_detectors_are_those_of_the_camera", "the camera lacks: seen [4]")
def detector_not_in_camera(toy):
    """A detector is registered that the camera does not have."""

    class Instrument(toy.Instrument):
        @classmethod
        def records(cls):
            yield from super().records()
            yield "detector", {"instrument": cls.getName(), "id": 4, "full_name": "S20", "purpose": "SCIENCE"}

    return toy.kit(instrument=Instrument)


@wrong("test_detector_names_are_those_of_the_camera", "full_name of detector 1")
def detector_name_wrong(toy):
    """A detector is registered under another name."""
    return _records(toy, lambda element, fields: fields | ({"full_name": "S99"} if fields.get("id") == 1 else {}))


@wrong("test_detector_rafts_are_those_of_the_camera", "raft of detector 1: seen 'R9'")
def raft_wrong(toy):
    """A detector is registered in a raft that it is not in."""
    return _records(toy, lambda element, fields: fields | ({"raft": "R9"} if fields.get("id") == 1 else {}))


@wrong("test_detector_purposes_are_those_of_the_camera", "purpose of detector 2: seen 'GUIDER'")
def purpose_wrong(toy):
    """A science detector is registered as a guider."""
    return _records(toy, lambda element, fields: fields | ({"purpose": "GUIDER"} if fields.get("id") == 2 else {}))


@wrong("test_filters_of_the_dataset_are_registered", "filter of exposure 1002: seen 'g'")
def filter_missing(toy):
    """A filter that is observed through has no record."""
    return _records(toy, lambda element, fields: None if fields.get("band") == "g" else fields)


@wrong("test_bands_are_those_of_the_instrument", "band of filter g: seen 'r', expected 'g'")
def band_wrong(toy):
    """A filter is registered with another band than simulation and pipelines use."""
    return _records(toy, lambda element, fields: fields | ({"band": "r"} if fields.get("band") == "g" else {}))


@wrong("test_packed_ids_come_back", "cannot be packed")
def packer_too_small(toy):
    """The packer has room for two detectors."""

    class Instrument(toy.Instrument):
        def _make_default_dimension_packer(self, config_dict, data_id, is_exposure=None, default="observation"):
            config_dict["observation"].n_detectors = 2
            config_dict["observation"].n_observations = self.exposure_max
            return super()._make_default_dimension_packer(config_dict, data_id, is_exposure, default)

    return toy.kit(instrument=Instrument)
