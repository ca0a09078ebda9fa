"""Each cause of an empty graph is named, on the repository of ci_hsc."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.time import Time
from click.testing import CliRunner
from lsst.daf.butler import Butler, Timespan

from harness.cli.explain_empty import command

INSIDE = "skymap='discrete/ci_hsc' AND tract=0 AND patch=69"


def ask(repo: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(repo), *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def ready(snapshot) -> Path:
    """Everything is there; only to be read."""
    return snapshot("defaults").repo


def test_a_graph_with_quanta_is_no_riddle(ready) -> None:
    code, text = ask(ready, "HSC", INSIDE)
    assert code == 0
    assert "isr: 33" in text
    assert "no quanta" not in text


def test_no_visits_are_defined(snapshot) -> None:
    code, text = ask(snapshot("ingest").repo, "HSC", "-i", "HSC/raw/all,HSC/calib,skymaps,refcats")
    assert code == 1
    assert "the repository has no visit" in text
    assert "harness define-visits" in text
    assert "2." not in text  # that visits have no days or filters either goes without saying


def test_visits_of_other_exposures_only(state) -> None:
    """There are visits and exposures, but the definitions are lost."""
    import sqlite3

    repo = state("defaults")
    with sqlite3.connect(repo / "gen3.sqlite3") as connection:
        connection.execute("DELETE FROM visit_definition")
    _, text = ask(repo, "HSC", INSIDE)
    assert "no exposure belongs to a visit" in text or "no visit belongs to a exposure" in text
    assert "harness define-visits" in text


def test_nothing_registered(tmp_path) -> None:
    Butler.makeRepo(str(tmp_path / "repo"))
    with Butler.from_config(str(tmp_path / "repo"), writeable=True) as butler:
        butler.collections.register("nothing")
    _, text = ask(tmp_path / "repo", "HSC", "-i", "nothing")
    assert "dataset type raw is not registered" in text
    assert "the repository has no instrument" in text or "nothing satisfies instrument = 'HSC'" in text
    assert "the repository has no skymap" in text


def test_no_patch_overlaps(ready) -> None:
    _, text = ask(ready, "HSC", "skymap='discrete/ci_hsc' AND tract=0 AND patch=1")
    assert "no raw in HSC/defaults overlaps what is asked for: patch = 1" in text
    assert "2." not in text


def test_the_value_is_not_there(ready) -> None:
    _, text = ask(ready, "HSC", f"{INSIDE} AND exposure=99")
    assert "nothing satisfies exposure = 99" in text
    assert "903334" in text
    assert "patch" not in text.partition("2.")[0].partition("here")[0]


def test_the_query_contradicts_itself(ready) -> None:
    _, text = ask(ready, "HSC", f"{INSIDE} AND physical_filter='HSC-R' AND band='i'")
    assert "nothing satisfies physical_filter = 'HSC-R' AND band = 'i'" in text


def test_the_wrong_collection(ready) -> None:
    _, text = ask(ready, "HSC", INSIDE, "-i", "HSC/calib,skymaps,refcats")
    assert "there is no raw in HSC/calib, skymaps, refcats" in text
    assert "add --input HSC/raw/all" in text
    assert "2." not in text


def test_calibrations_are_in_another_collection(ready) -> None:
    _, text = ask(ready, "HSC#isr", "-i", "HSC/raw/all")
    assert "isr finds no bias for 33 of 33 quanta" in text
    assert "add --input HSC/calib" in text


def test_no_calibration_at_that_date(state) -> None:
    repo = state("defaults")
    with Butler.from_config(str(repo), writeable=True) as butler:
        refs = butler.query_datasets("bias", "HSC/calib/simulated/*", find_first=False)
        butler.registry.decertify("HSC/calib", "bias", Timespan(None, None))
        butler.registry.certify("HSC/calib", refs, Timespan(Time("2030-01-01", scale="tai"), None))
    _, text = ask(repo, "HSC#isr", "exposure=903334 AND detector=16")
    assert "isr finds no bias for 1 of 1 quanta at 2013-06-17T" in text
    assert "none is valid then (instrument=HSC detector=16 exposure=903334)" in text
    assert "valid 2030-01-01T00:00:00 to ∞ in HSC/calib" in text


def test_everything_has_been_done(snapshot) -> None:
    code, text = ask(snapshot("process").repo, "HSC", INSIDE, "--skip-existing-in", "HSC/runs/ci_hsc")
    assert code == 1
    assert "every quantum has been run already" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("HSC", "foo=1"), "'foo = 1' cannot be understood"),
        (("HSC", "-i", "HSC/raws"), "did you mean"),
        (("HSC#isrr",), "cannot be used"),
        (("nowhere.yaml",), "cannot be used"),
    ],
)
def test_bad_input_is_one_line(ready, arguments, words) -> None:
    from harness.errors import HarnessError

    with pytest.raises(HarnessError, match=words) as info:
        ask(ready, *arguments)
    assert "\n" not in str(info.value)
    assert info.value.exit_code == 2


def test_json_has_the_same(ready) -> None:
    import json

    _, text = ask(ready, "HSC", "exposure=99", "--format", "json")
    answer = json.loads(text)
    assert answer["quanta"] == {}
    assert [c["message"] for c in answer["causes"]] == ["nothing satisfies exposure = 99"]
