"""Tests of ingest: every raw gets in, in every way that a file can be transferred, and once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..bootstrap.ingest.write import TRANSFERS
from .claims import Claims
from .files import Files
from .headers import Headers
from .registration import Registration
from .requirement import equal, mismatches, requirement, that
from .values import Values

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["Ingests"]

WITHIN = ("direct", "split", "none")
"""Transfers that leave a file where it is."""


class Ingests:
    """Tests of ingest."""

    @requirement(
        after=(
            Files.test_every_raw_has_a_file_of_its_own,
            Registration.test_detector_names_are_those_of_the_camera,
            Registration.test_the_record_leads_to_the_class,
            Registration.test_exposure_ids_are_below_their_limit,
            Registration.test_filters_of_the_dataset_are_registered,
            Claims.test_ingest_chooses_the_translator,
            Headers.test_exposures_have_names_of_their_own,
            Headers.test_detectors_of_an_exposure_agree,
            Values.test_exposure_id_is_the_observations,
            Values.test_detector_is_the_one_written,
            Values.test_exposure_ends_after_it_begins,
            Values.test_observing_day_is_the_day_of_the_begin,
            Values.test_filter_is_the_observations,
        )
    )
    def test_every_raw_is_ingested(self, subject: Subject) -> None:
        """Each file becomes the raw of its exposure and detector."""
        butler = subject.view(subject.ingested)
        with mismatches() as wrong:
            for entry in subject.report.quarantined:
                wrong.that(False, f"ingest of {Path(entry.path).name}", f"{entry.message} [{entry.reason}]", "success")
            found = set(subject.raw_refs(butler)) if not wrong.found else set()
            expected = {(r.observation.exposure, r.detector.id) for r in subject.raws}
            if not wrong.found:
                wrong.equal("exposure and detector of the raws that were not ingested", sorted(expected - found), [])
                wrong.equal("exposure and detector of raws that nobody wrote", sorted(found - expected), [])

    @pytest.mark.parametrize("transfer", TRANSFERS)
    @requirement(after=(test_every_raw_is_ingested,))
    def test_transfer(self, subject: Subject, transfer: str) -> None:
        """The file gets into the repository, or stays where it is, as asked; its bytes are the same."""
        run = f"{subject.name}/conformance/{transfer}"
        butler = subject.scratch
        raw = subject.raws[0]
        (root,) = (Path(r.ospath) for r in butler.get_datastore_roots().values() if r is not None)
        folder = root / "conformance" if transfer == "none" else subject.folder("transfer")
        folder.mkdir(exist_ok=True)
        path = Path(shutil.copy2(raw.path, folder))
        report = subject.ingest(butler, [path], transfer=transfer, run=run)
        equal(f"files refused with transfer {transfer}", [str(q) for q in report.quarantined], [])
        refs = subject.raw_refs(butler, run).values()
        equal(f"raws of {path.name} after {transfer}", len(refs), subject.number_in(raw.path))
        artifacts = {Path(butler.getURI(ref).ospath) for ref in refs}
        equal(f"artifacts of {path.name} after {transfer}", len(artifacts), 1)
        (artifact,) = artifacts
        equal(f"bytes of {artifact.name} after {transfer}", artifact.read_bytes() == raw.path.read_bytes(), True)
        equal(f"source is there after {transfer}", path.exists(), transfer != "move")
        equal(f"artifact of {transfer} is the source itself", artifact == path, transfer in WITHIN)

    @requirement(after=(test_every_raw_is_ingested,))
    def test_ingest_again_skips(self, subject: Subject) -> None:
        """Files that are there are skipped; nothing is changed."""
        with subject.fork(subject.ingested) as butler:
            before = subject.raw_refs(butler)
            report = subject.ingest(butler, [r.path for r in subject.raws])
            seen = (report.ingested, report.skipped, [str(q) for q in report.quarantined])
            equal("ingested, skipped and refused files, the second time", seen, (0, len(subject.raws), []))
            equal("raws after ingesting twice", subject.raw_refs(butler), before)

    @requirement(after=(test_every_raw_is_ingested,))
    def test_ingest_again_fails_if_asked(self, subject: Subject) -> None:
        """With ``on_exists="fail"`` each file that is there is refused for that reason."""
        with subject.fork(subject.ingested) as butler:
            report = subject.ingest(butler, [r.path for r in subject.raws], on_exists="fail")
            reasons = {str(q.reason) for q in report.quarantined}
            that(reasons == {"exists"}, "reasons why files are refused the second time", sorted(reasons), "['exists']")

    @requirement(after=(test_every_raw_is_ingested,))
    def test_ids_are_the_same_in_every_repository(self, subject: Subject) -> None:
        """The ids of raws depend on data ID and run only."""
        expected = subject.raw_refs(subject.view(subject.ingested))
        butler = subject.separate(subject.registered, "another")
        subject.ingest(butler, [r.path for r in reversed(subject.raws)])
        equal("raws in another repository", subject.raw_refs(butler), expected)
