"""The release sets that the matrix runs, and what it asks of the package index for them."""

from __future__ import annotations

import importlib.util
import tomllib
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from harness.contract import all_properties

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def matrix():
    loader = SourceFileLoader("middleware_matrix", str(SCRIPTS / "middleware_matrix"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def listed():
    return tomllib.loads((SCRIPTS / "middleware_releases.toml").read_text())


def test_pairs_name_properties_that_exist(listed):
    known = {c.id.removeprefix("contract.") for c in all_properties()}
    assert {p["property"] for p in listed["pair"]} <= known


def test_the_two_sets_of_a_pair_are_of_the_same_packages_and_differ(listed):
    for pair in listed["pair"]:
        assert pair["bad"] != pair["good"]
        assert set(pair["bad"]) <= set(pair["good"])


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("latest", {}),
        ("29.0.1", {"daf_butler": "29.0.1"}),
        ("daf_butler=29.0.1,resources=29.0.0", {"daf_butler": "29.0.1", "resources": "29.0.0"}),
    ],
)
def test_sets_are_read_and_named(matrix, text, pins):
    assert matrix.parse_set(text) == pins
    assert matrix.name_of(pins) == text


def test_followers_are_not_newer_than_the_butler(matrix):
    wanted = matrix.requirements({"daf_butler": "29.0.1", "resources": "29.0.0"}, pipes=True)
    assert "lsst-daf-butler==29.0.1" in wanted
    assert "lsst-resources==29.0.0" in wanted
    assert "lsst-utils<=29.0.1" in wanted
    assert "lsst-pipe-base<=29.0.1" in wanted
    assert "click>=8.1,<8.2" in wanted
    assert not [w for w in matrix.requirements({"daf_butler": "29.0.1"}, pipes=False) if "pipe-base" in w]
    assert "lsst-daf-butler" in matrix.requirements({}, pipes=True)


@pytest.mark.parametrize(
    ("bad", "good", "status"),
    [
        ("fail", "pass", 0),
        ("fail", "n/a", 0),
        ("fail", "fail", 1),
        ("pass", "pass", 1),
        ("n/a", "pass", 1),
        ("unknown", "pass", 3),
        ("fail", "unknown", 3),
    ],
)
def test_a_pair_is_told_apart_or_not(matrix, monkeypatch, capsys, bad, good, status):
    def run_set(pins, ids, options):
        word = bad if pins["daf_butler"] == "1" else good
        return {"verdict": word, "properties": [{"id": f"contract.{i}", "verdict": word} for i in ids]}

    monkeypatch.setattr(matrix, "run_set", run_set)
    pair = {"area": "a", "property": "put.x", "bad": {"daf_butler": "1"}, "good": {"daf_butler": "2"}}
    assert matrix.judge_pair(pair, None) == status
    assert capsys.readouterr().out.startswith({0: "✓", 1: "✗", 3: "?"}[status])
