"""``harness roundtrip`` as its user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from minirepo import NAME

from harness.cli.roundtrip import command
from harness.errors import HarnessError
from harness.plugins import Plugins
from harness.transfer.kinds import KINDS_OF_TRANSFER


def invoke(plugins: Plugins, *words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(w) for w in words], obj=plugins, catch_exceptions=False)


def test_the_list_names_every_kind(plugins: Plugins) -> None:
    lines = invoke(plugins, "--list").output.splitlines()
    assert [line.split("\t")[0] for line in lines] == list(KINDS_OF_TRANSFER)


def test_a_repository_is_carried(plugins: Plugins, pristine: Path) -> None:
    done = invoke(plugins, pristine, "--kind", "transfer-from", "--kind", "export-hardlink", "--once")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].endswith("everything, 19 datasets")
    assert "19 datasets, 32 records" in lines[1]
    assert lines[-1] == "pass: 2 pass"
    assert "not carried: 4 records, 1 dataset-types, 5 collections, 2 chains, 3 tags, 4 certifications" in done.output


def test_a_selection_as_json(plugins: Plugins, pristine: Path) -> None:
    words = ["--kind", "transfer-from", "--dataset-type", "raw", "--where", f"instrument='{NAME}' AND exposure=101"]
    done = invoke(plugins, pristine, *words, "--format", "json")
    facts = json.loads(done.output)
    assert (done.exit_code, facts["verdict"]) == (0, "pass")
    (kind,) = facts["kinds"]
    assert kind["expected"]["dataset"] == 4
    assert kind["again"] == "nothing changed"


def test_what_was_asked_for_and_cannot_be_tried_is_unknown(plugins: Plugins, pristine: Path) -> None:
    done = invoke(plugins, pristine, "--kind", "zip-from-graph")
    assert done.exit_code == 3
    assert "needs a quantum graph: --graph" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no repository given"),
        (["{repo}", "--kind", "exprt"], "unknown kind of transfer 'exprt'"),
        (["{repo}", "--universe", "5"], "no dimension universe 5"),
        (["{repo}", "--where", "instrument='Mini' AND visit=7"], "no dataset matches"),
        (["/nowhere"], "no repository at /nowhere"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], message: str, plugins: Plugins, pristine: Path) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        invoke(plugins, *(w.format(repo=pristine) for w in words))
    assert "\n" not in str(caught.value)
    assert int(caught.value.exit_code) == 2


@pytest.mark.thorough  # it processes two datasets
def test_a_dataset_that_needs_another_is_carried_with_it(plugins: Plugins, tmp_path: Path) -> None:
    done = invoke(plugins, "CBP", "--kind", "transfer-from", "--once", "--work", tmp_path)
    assert done.exit_code == 0, done.output
    assert "pass    transfer-from" in done.output
