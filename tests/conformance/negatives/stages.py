"""Wrong in visits, calibrations, or what pipelines need."""

from __future__ import annotations

import itertools

from . import wrong


def _grouping(visits):
    from harness.instrument.visits import VisitGrouping

    return VisitGrouping("toy", frozenset({0}), lambda e: e.id, visits)


@wrong("test_exposures_of_the_sky_are_in_visits", "visits of exposure 1001")
def no_visits(toy):
    """No exposure becomes a visit."""
    return toy.kit(visit_grouping=_grouping(lambda exposures: iter(())))


@wrong("test_defining_visits_again_changes_nothing", "exposure 1001 of ToyCam is in visit 1")
def visits_counted(toy):
    """Visits are numbered as they are defined, so that a second time defines others."""
    from harness.instrument.visits import VisitGroup

    number = itertools.count(1)

    def visits(exposures):
        for e in exposures:
            n = next(number)
            yield VisitGroup(n, f"v{n}", (e,), frozenset({0}))

    return toy.kit(visit_grouping=_grouping(visits))


@wrong("test_regions_hold_what_detectors_see", "outside the region of visit 1001 detector 0")
def padding_negative(toy):
    """Regions are smaller than the detectors."""
    return toy.kit(visit_padding=-20)


@wrong("test_every_raw_finds_its_calibrations", "No collection with name")
def calibrations_out_of_reach(toy):
    """Calibrations are certified in a collection of another name each time."""
    number = itertools.count()

    class Instrument(toy.Instrument):
        def makeCalibrationCollectionName(self, *labels):
            return self.makeCollectionName("calib", str(next(number)), *labels)

    return toy.kit(instrument=Instrument)


@wrong("test_pipeline_passes_all_checks", "stage process")
def pipeline_of_another_name(toy):
    """The manifest asks for a pipeline that the kit does not have."""
    return toy.kit(pipelines={"other": toy.right.pipelines["process"]})
