"""Tests of the stages: calibrations are found for each exposure, and a run of the pipeline passes every check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from .claims import Claims
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

_READY = tuple(
    test
    for subject in (Registration, Geometry, Files, Claims, Headers, Values, Reading, OnSky)
    for name, test in vars(subject).items()
    if name.startswith("test_")
)
"""Everything that can be said without running stages, which would fail for the same reasons and say less."""


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
        _judge(subject, [s.name for s in subject.runner.stages("defaults")])

    @requirement(
        Capability.PIPELINES,
        after=(test_bootstrap_passes_all_checks,),
    )
    def test_pipeline_passes_all_checks(self, subject: Subject) -> None:
        """The stages from there up to ``process`` run on some exposures, and all checks that hold by then pass."""
        before = subject.runner.stages("defaults")
        _judge(subject, [s.name for s in subject.runner.stages("process") if s not in before])


def _judge(subject: Subject, stages: list[str]) -> None:
    """Raise for each of some stages, and of the checks after them, that is not passed."""
    outcomes = [o for o in subject.record.outcomes if o.stage.name in stages]
    with mismatches() as wrong:
        for outcome in outcomes:
            why = f"{outcome.error} ({outcome.remedy})" if outcome.remedy else outcome.error
            wrong.that(not outcome.error, f"stage {outcome.stage.name}", why, "success")
        for result in subject.record.results:
            if result.stage in stages:
                seen = "; ".join(_findings(result)) or result.reason
                wrong.that(result.verdict == "pass", f"check {result.check.id} after {result.stage}", seen, "pass")
    equal("stages run", [o.stage.name for o in outcomes], stages)


def _findings(result: Any) -> Iterator[str]:
    for finding in result.findings[:3]:
        values = f" (seen {finding.seen}, expected {finding.expected})" if finding.seen or finding.expected else ""
        yield f"{finding.message}{values}"
