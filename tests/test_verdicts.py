from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.context import CheckContext
from harness.errors import ExitCode, HarnessError, nearest
from harness.verdicts import Finding, Verdict, check, run_check, worst

VERDICTS = st.lists(st.sampled_from(Verdict))


@given(VERDICTS, VERDICTS, st.randoms())
def test_worst_is_a_maximum(some: list[Verdict], more: list[Verdict], random) -> None:
    shuffled = [*some]
    random.shuffle(shuffled)
    assert worst(shuffled) is worst(some)
    assert worst([*some, *some]) is worst(some)
    if some and more:
        assert worst([*some, *more]) is worst([worst(some), worst(more)])
    assert (worst(some) is Verdict.FAIL) == (Verdict.FAIL in some)
    assert (worst(some) is Verdict.PASS) == (set(some) == {Verdict.PASS}), "nothing at all is unknown"


def test_exit_codes_are_the_documented_ones() -> None:
    assert [v.exit_code for v in (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)] == [0, 1, 3]
    assert (ExitCode.USAGE, ExitCode.INTERRUPTED) == (2, 130)


def outcome(function):
    item = check("time.example", title="It holds", after="create")(function)
    return run_check(item, CheckContext(None, None, {}), "create")


def test_nothing_examined_is_unknown() -> None:
    def empty(context):
        """Why."""
        yield from ()

    result = outcome(empty)
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, "found nothing to look at")


def test_a_crash_is_unknown_and_says_where() -> None:
    def crash(context):
        """Why."""
        context.examined()
        yield from [][0]

    result = outcome(crash)
    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == "crashed: IndexError: list index out of range"
    assert "yield from [][0]" in result.traceback


def test_what_was_found_before_a_crash_is_kept() -> None:
    def both(context):
        """Why."""
        yield Finding("first")
        raise RuntimeError

    result = outcome(both)
    assert result.verdict is Verdict.FAIL
    assert result.findings == (Finding("first"),)
    assert result.traceback


def test_examined_is_counted_anew_for_each_check() -> None:
    def holds(context):
        """Why."""
        context.examined(3)
        yield from ()

    def forgets(context):
        """Why."""
        yield from ()

    context = CheckContext(None, None, {})
    make = check("time.example", title="It holds", after="create")
    assert run_check(make(holds), context, "create").examined == 3
    assert run_check(make(forgets), context, "create").verdict is Verdict.UNKNOWN


def test_a_check_has_a_rationale() -> None:
    def silent(context):
        yield from ()

    with pytest.raises(HarnessError, match=r"check time.silent has no rationale"):
        check("time.silent", title="It holds", after="create")(silent)


@pytest.mark.parametrize(
    ("given_name", "known", "says"),
    [
        ("hsc", ["HSC", "LATISS"], "did you mean 'HSC'?"),
        ("proces", ["process", "rerun"], "did you mean 'process'?"),
        ("zzz", ["b", "a"], "known: a, b"),
        ("zzz", [], "no thing is installed"),
    ],
)
def test_the_nearest_name(given_name: str, known: list[str], says: str) -> None:
    error = nearest("thing", given_name, known)
    assert str(error).startswith(f"unknown thing '{given_name}'")
    assert says in str(error)
    assert error.exit_code == ExitCode.USAGE
