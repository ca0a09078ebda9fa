"""Each property holds for the installed release, and fails when a defect is seeded."""

from __future__ import annotations

from harness.contract import AREAS, all_properties, area_of
from harness.contract.base import run_property

PROPERTIES = {c.id: c for c in all_properties() if not AREAS[area_of(c)].startswith("pipes.")}


def outcome(name, effort):
    return run_property(PROPERTIES[name], effort=effort, stop=True)


def test_every_property_has_a_defect(mutants, broken):
    assert {f"contract.{n}" for n in (*mutants, *broken)} == set(PROPERTIES)
    assert not set(mutants) & set(broken)


def test_holds_until_a_defect_is_seeded(mutant, monkeypatch):
    """The same cases pass first: what is found is the defect."""
    name, seed, effort = mutant
    sound = outcome(name, effort)
    assert sound.word == "pass", (sound.result.findings, sound.result.reason, sound.result.traceback)
    seed(monkeypatch)
    result = outcome(name, effort)
    assert result.word == "fail", (result.skipped, result.result.reason, result.result.traceback)
    assert result.result.findings


def test_what_is_broken_upstream_is_found(broken_property):
    result = outcome(broken_property, 0.1)
    assert result.word == "fail", (result.result.reason, result.result.traceback)


def test_less_effort_is_some_of_the_cases(make_lab):
    cases = list(range(20))
    assert make_lab(1.0).some(cases) == cases
    fewer = make_lab(0.1).some(cases)
    assert len(fewer) == 2
    assert fewer == sorted(fewer)
    assert make_lab(0.1).some(cases[:1]) == [0]


def test_a_repository_is_made_once_and_changed_apart(make_lab):
    made = []

    def make(lab):
        def build():
            made.append(lab)
            butler = lab.repository("prepared-once", runs=["run"])
            return butler, "known"

        return build

    one, two = make_lab(1.0), make_lab(1.0)
    first, known = one.prepared("prepared-once", make(one))
    first.registry.registerRun("another")
    second, again = two.prepared("prepared-once", make(two))
    assert (known, again) == ("known", "known")
    assert len(made) == 1
    assert set(second.registry.queryCollections()) == {"run"}
