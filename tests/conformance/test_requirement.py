"""What a test of the suite does about capabilities, about others that fail, and about being asked twice."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.conformance.requirement import MismatchError, equal, mismatches, requirement
from harness.instrument.kit import Capability


def subject(*capabilities: Capability) -> SimpleNamespace:
    return SimpleNamespace(capabilities=frozenset(capabilities), outcomes={})


def test_a_missing_capability_is_named() -> None:
    @requirement(Capability.VISITS, Capability.IMAGES)
    def test(self, subject):
        raise AssertionError

    with pytest.raises(pytest.skip.Exception, match=r"needs capability VISITS$"):
        test(None, subject(Capability.IMAGES))


def test_one_mistake_is_one_failure() -> None:
    calls = []

    @requirement()
    def first(self, subject):
        calls.append("first")
        equal("number of moons", 0, 1)

    @requirement(after=(first,))
    def second(self, subject):
        calls.append("second")

    @requirement(after=(second,))
    def third(self, subject):
        calls.append("third")

    one = subject()
    for test in (third, second):
        with pytest.raises(pytest.skip.Exception, match="says nothing while first fails"):
            test(None, one)
    with pytest.raises(MismatchError, match="number of moons: seen 0, expected 1"):
        first(None, one)
    assert calls == ["first"], "judged once, in whatever order tests are run"


def test_what_does_not_apply_blocks_nothing() -> None:
    calls = []

    @requirement(Capability.VISITS)
    def first(self, subject):
        raise AssertionError

    @requirement(after=(first,))
    def second(self, subject):
        calls.append("second")

    second(None, subject())
    assert calls == ["second"]


def test_parameters_are_judged_apart() -> None:
    @requirement()
    def test(self, subject, number):
        equal("number", number, 1)

    one = subject()
    test(None, one, number=1)
    with pytest.raises(MismatchError):
        test(None, one, number=2)


def test_all_mismatches_are_shown_but_not_too_many() -> None:
    def judge() -> None:
        with mismatches() as wrong:
            for i in range(20):
                wrong.equal(f"thing {i}", i, 0)
                wrong.that(True, "what holds", i, "anything")

    with pytest.raises(MismatchError) as found:
        judge()
    lines = str(found.value).splitlines()
    assert lines[0] == "thing 1: seen 1, expected 0"
    assert lines[-1] == "… and 11 more"
