"""Tests of the stages: calibrations are found for each exposure, and a run of the pipeline passes every check."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from .files import Files
from .geometry import Geometry
from .headers import Headers
from .onsky import OnSky
from .reading import Reading
from .registration import Registration
from .requirement import equal, mismatches, requirement
from .values import Values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .subject import Subject

__all__ = ["Running"]

_READY = (
    Registration.test_packed_ids_come_back,
    Registration.test_bands_are_those_of_the_instrument,
    Geometry.test_raw_sections_lie_in_the_raw_image,
    Geometry.test_gains_and_noises_are_possible,
    Geometry.test_binning_keeps_detectors_in_their_places,
    Files.test_writing_again_gives_the_same_bytes,
    Values.test_times_are_the_observations,
    Values.test_exposure_time_is_the_observations,
    Headers.test_simulated_content_is_marked,
    Reading.test_every_raw_can_be_read,
    OnSky.test_defining_visits_again_changes_nothing,
    OnSky.test_visit_ids_are_below_their_limit,
    OnSky.test_regions_hold_what_detectors_see,
)


class Running:
    """Tests of the stages."""

    @requirement(Capability.CALIBRATIONS, after=_READY)
    def test_every_raw_finds_its_calibrations(self, subject: Subject) -> None:
        """For each raw there is one bias, flat … that is certified for the time of its exposure."""
        from lsst.daf.butler import Timespan

        from ..repository import open_repository

        with open_repository(subject.calibrated) as butler, mismatches() as wrong:
            collection = subject.kit.instrument_class().makeCalibrationCollectionName()
            types = [t for t in butler.registry.queryDatasetTypes() if t.isCalibration()]
            wrong.that(types, "calibration dataset types", [], "some")
            raws = [(o, d) for o in subject.sequence.observations for d in o.detectors]
            for o, detector in raws:
                for dataset_type in types:
                    if "physical_filter" in dataset_type.dimensions and not o.on_sky:
                        continue
                    key = {"instrument": subject.name, "detector": detector, "physical_filter": o.physical_filter}
                    key = {k: v for k, v in key.items() if k in dataset_type.dimensions}
                    span = Timespan(o.begin, o.end)
                    found = butler.find_dataset(dataset_type, key, collections=collection, timespan=span)
                    what = f"{dataset_type.name} of exposure {o.exposure} detector {detector}"
                    wrong.that(found is not None, what, None, f"one in {collection}")

    @requirement(after=(*_READY, test_every_raw_finds_its_calibrations))
    def test_bootstrap_passes_all_checks(self, subject: Subject) -> None:
        """The stages up to ``defaults`` run on some exposures, and all checks that hold by then pass."""
        _run(subject, "defaults")

    @requirement(
        Capability.PIPELINES,
        after=(
            test_bootstrap_passes_all_checks,
            Reading.test_pixels_are_integers,
            Reading.test_a_star_is_where_the_wcs_says,
        ),
    )
    def test_pipeline_passes_all_checks(self, subject: Subject) -> None:
        """The stages up to ``process`` run on some exposures, and all checks that hold by then pass."""
        _run(subject, "process")


def _run(subject: Subject, until: str) -> None:
    """Run stages and checks, and raise for each that is not passed."""
    from ..results import RunRecord
    from ..stages.fingerprint import versions

    runner, dataset = subject.runner, subject.sequence
    record = RunRecord(
        id=dataset.name,
        folder=subject.folder("run"),
        dataset=dataset,
        engine="inprocess",
        scale=dataset.scale,
        environment=dict(versions()),
        started=datetime.datetime.now(datetime.UTC),
    )
    runner.execute(record, runner.stages(until))
    with mismatches() as wrong:
        for outcome in record.outcomes:
            why = f"{outcome.error} ({outcome.remedy})" if outcome.remedy else outcome.error
            wrong.that(not outcome.error, f"stage {outcome.stage.name}", why, "success")
        for result in record.results:
            seen = "; ".join(_findings(result)) or result.reason
            wrong.that(result.verdict == "pass", f"check {result.check.id} after {result.stage}", seen, "pass")
    done = [o.stage.name for o in record.outcomes]
    equal("stages run", done, [s.name for s in runner.stages(until)])


def _findings(result: Any) -> Iterator[str]:
    for finding in result.findings[:3]:
        values = f" (seen {finding.seen}, expected {finding.expected})" if finding.seen or finding.expected else ""
        yield f"{finding.message}{values}"
