"""Tests of visits: every exposure of the sky is in one, once, and its regions hold what its detectors see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from .headers import Headers
from .ingests import Ingests
from .requirement import equal, mismatches, requirement
from .values import Values

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from .subject import Subject

__all__ = ["OnSky"]

ELEMENTS = ("visit", "visit_definition", "visit_system_membership", "visit_detector_region")
"""Elements that visits are made of."""


class OnSky:
    """Tests of visits."""

    @requirement(
        Capability.VISITS,
        after=(
            Ingests.test_every_raw_is_ingested,
            Headers.test_exposures_have_names_of_their_own,
            Values.test_pointing_is_the_observations,
            Values.test_observation_type_is_the_observations,
        ),
    )
    def test_exposures_of_the_sky_are_in_visits(self, subject: Subject) -> None:
        """Each exposure that looks at the sky belongs to a visit; visits have no exposure that does not."""
        butler = subject.view(subject.visited)
        found = {r.exposure for r in _records(butler, "visit_definition", subject)}
        wanted = {r.observation.exposure for r in subject.firsts if r.observation.on_sky}
        skipped = subject.visits.skipped
        with mismatches() as wrong:
            for exposure in sorted(wanted - found):
                wrong.that(False, f"visits of exposure {exposure}", skipped.get(exposure, "none"), "at least one")

    @requirement(Capability.VISITS, after=(test_exposures_of_the_sky_are_in_visits,))
    def test_defining_visits_again_changes_nothing(self, subject: Subject) -> None:
        """Visits are defined once; a second time changes no record."""
        from ..bootstrap.visits import define_visits

        with subject.fork(subject.visited) as butler:
            before = {e: [r.toDict() for r in _records(butler, e, subject)] for e in ELEMENTS}
            report = define_visits(butler, subject.kit)
            equal("visits defined the second time", list(report.defined), [])
            after = {e: [r.toDict() for r in _records(butler, e, subject)] for e in ELEMENTS}
        for element in ELEMENTS:
            equal(f"{element} records after defining visits twice", after[element], before[element])

    @requirement(Capability.VISITS, after=(test_exposures_of_the_sky_are_in_visits,))
    def test_visit_ids_are_below_their_limit(self, subject: Subject) -> None:
        """Every visit that pipelines process has an id in 1 … visit_max - 1."""
        butler = subject.view(subject.visited)
        with mismatches() as wrong:
            (instrument,) = butler.query_dimension_records("instrument", instrument=subject.name)
            preferred = instrument.visit_system
            members = {
                r.visit for r in _records(butler, "visit_system_membership", subject) if r.visit_system == preferred
            }
            for visit in sorted(members):
                limit = instrument.visit_max
                wrong.that(limit and 0 < visit < limit, "visit id", visit, f"1 to visit_max - 1, {limit} - 1")

    @requirement(Capability.VISITS, after=(test_exposures_of_the_sky_are_in_visits,))
    def test_regions_hold_what_detectors_see(self, subject: Subject) -> None:
        """The region of each detector holds its corners on the sky, and that of the visit holds them all."""
        from lsst.sphgeom import LonLat, UnitVector3d

        from ..instrument.pointing import Pointing

        camera = subject.kit.camera
        butler = subject.view(subject.visited)
        with mismatches() as wrong:
            visits = {r.id: r for r in _records(butler, "visit", subject)}
            regions = {(r.visit, r.detector): r.region for r in _records(butler, "visit_detector_region", subject)}
            exposures = {r.id: r for r in butler.query_dimension_records("exposure", instrument=subject.name)}
            for definition in _records(butler, "visit_definition", subject):
                e = exposures[definition.exposure]
                pointing = Pointing(e.tracking_ra, e.tracking_dec, e.sky_angle, camera.sky_parity)
                for detector in camera.detectors:
                    region = regions.get((definition.visit, detector.id))
                    what = f"region of visit {definition.visit} detector {detector.id}"
                    if region is None:
                        wrong.that(False, what, None, "one")
                        continue
                    # a little inside, where rounding does not matter
                    x, y = detector.corners(-0.01)
                    sky = zip(*pointing.pixel_to_sky(camera, detector.id, x, y), strict=True)
                    points = [UnitVector3d(LonLat.fromDegrees(float(ra), float(dec))) for ra, dec in sky]
                    outside = [i for i, p in enumerate(points) if not region.contains(p)]
                    wrong.equal(f"corners of the detector outside the {what}", outside, [])
                    outside = [i for i, p in enumerate(points) if not visits[definition.visit].region.contains(p)]
                    wrong.equal(f"corners of detector {detector.id} outside visit {definition.visit}", outside, [])


def _records(butler: Butler, element: str, subject: Subject) -> Any:
    return butler.query_dimension_records(element, instrument=subject.name, limit=None, explain=False)
