"""What the listing commands print, and how wrong names end."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "hcs"], "unknown instrument or dataset 'hcs' (did you mean 'HSC'?)"),
        (["run", "ci_hcs"], "unknown instrument or dataset 'ci_hcs' (did you mean 'ci_hsc'?)"),
        (["run"], "nothing to run (name an instrument or a dataset, or give --all)"),
        (["run", "HSC", "--all"], "--all together with 'HSC' (give names, or --all alone)"),
        (["run", "HSC", "--until", "injest"], "unknown stage 'injest' (did you mean 'ingest'?)"),
        (["run", "HSC", "--engine", "inproces"], "unknown engine 'inproces' (did you mean 'inprocess'?)"),
        (["checks", "visits.definition-complete"], "did you mean 'visits.definitions-complete'?"),
        (["checks", "visits.def"], "did you mean 'visits.definitions-complete'?"),
        (["checks", "--family", "visit"], "unknown family 'visit' (did you mean 'visits'?)"),
        (["chekcs"], "unknown command 'chekcs' (did you mean 'checks'?)"),
        (["run", "nowhere/manifest.toml"], "cannot read manifest nowhere/manifest.toml: No such file or directory"),
        (["run", "HSC", "--work", "/dev/null/x"], "cannot write to /dev/null/x/snapshots: Not a directory"),
        (["ingest", "nowhere", "x.fits"], "no repository at nowhere"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_wrong_name_is_one_line_with_a_remedy(harness, words: list[str], says: str) -> None:
    done = harness(*words)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert says in done.err


def test_the_listing_of_checks_is_complete(harness, plugins) -> None:
    rows = [line.split("\t") for line in harness("checks").out.splitlines()]
    assert {r[0]: r[2] for r in rows} == {c.id: c.title for c in plugins.checks().values()}
    assert len(rows) >= 30
    visits = harness("checks", "--family", "visits").out.splitlines()
    assert visits
    assert all(line.startswith("visits.") for line in visits)


def test_a_check_is_explained(harness, plugins) -> None:
    check = plugins.checks()["geometry.visit-contains-detectors"]
    out = harness("checks", check.id).out
    assert check.title in out
    assert " ".join(check.rationale.split()) in " ".join(out.split())
    assert "visit-region-shrunk" in out, "the defect that proves it"
    assert "--deep" not in out
    assert "only with --deep" in harness("checks", "quality.psf-size").out


def test_defects_and_datasets(harness, plugins) -> None:
    rows = [line.split("\t") for line in harness("defects").out.splitlines()]
    assert {r[0]: r[1] for r in rows} == {d.id: d.found_by for d in plugins.defects().values()}
    listed = harness("datasets").out.splitlines()
    assert [line.partition("\t")[0] for line in listed] == sorted(plugins.dataset_folders())
    wanted = "ci_hsc\tHSC\t11 exposures, 33 raws\tscale 8\t33 raws of HSC on STRIPE82L, r and i, over one patch"
    assert wanted in listed


def test_every_check_is_proven_by_a_defect(plugins) -> None:
    proven = {d.found_by for d in plugins.defects().values()}
    assert proven == set(plugins.checks())


def test_the_doctor_finds_this_environment_fit(harness, tmp_path) -> None:
    done = harness("doctor")
    assert done.code == 0, done.out
    found = {line.split("\t")[1]: line.split("\t")[2] for line in done.out.splitlines()}
    assert "dimension universe daf_butler" in found["middleware"]
    assert "HSC" in found["plugins"]
    assert not (tmp_path / ".harness").exists(), "looking leaves nothing"


def test_the_doctor_names_what_is_wrong(harness) -> None:
    done = harness("doctor", "--work", "/dev/null/x")
    assert done.code == 2
    (bad,) = [line for line in done.out.splitlines() if line.startswith("bad")]
    assert "work folder\tcannot write to /dev/null/x" in bad
