"""What a test of the suite is: capabilities it needs, tests that must hold before it, messages that read well."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..instrument.kit import Capability
    from .subject import Subject

__all__ = ["MismatchError", "equal", "mismatches", "requirement", "that"]

Test = Callable[..., None]

_BLOCKED = "says nothing while"
"""How the reason of a test begins that is skipped because another one fails."""

_SHOWN = 8
"""Mismatches of one test that are shown; a wrong rule is wrong for every file."""


class MismatchError(AssertionError):
    """A property that does not hold: its name, what was seen and what was expected."""


def equal(what: str, seen: object, expected: object) -> None:
    """Raise unless two values are equal.

    Parameters
    ----------
    what : `str`
        The property, with the file or record that it is of.
    seen, expected : `object`
        The values.

    Raises
    ------
    MismatchError
        Names the property and both values.
    """
    __tracebackhide__ = True
    if seen != expected:
        raise MismatchError(f"{what}: seen {seen!r}, expected {expected!r}")


def that(holds: object, what: str, seen: object, expected: str) -> None:
    """Raise unless something holds; arguments as of `equal`, with the expectation in words."""
    __tracebackhide__ = True
    if not holds:
        raise MismatchError(f"{what}: seen {seen!r}, expected {expected}")


class mismatches:  # noqa: N801  (used like a function)
    """Collects what is wrong with each of many files or records, and raises it together at the end of a block.

    Raises
    ------
    MismatchError
        When the block ends, with one line for each mismatch, if there is any.
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    def equal(self, what: str, seen: object, expected: object) -> None:
        """Note it if two values differ."""
        if seen != expected:
            self.found.append(f"{what}: seen {seen!r}, expected {expected!r}")

    def that(self, holds: object, what: str, seen: object, expected: str) -> None:
        """Note it if something does not hold."""
        if not holds:
            self.found.append(f"{what}: seen {seen!r}, expected {expected}")

    def __enter__(self) -> mismatches:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        __tracebackhide__ = True
        found = list(dict.fromkeys(self.found))
        if found and kind is None:
            more = [f"… and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
            raise MismatchError("\n".join([*found[:_SHOWN], *more]))


def requirement(*needs: Capability, after: Iterable[Test] = ()) -> Callable[[Test], Test]:
    """Make a method a test of the suite.

    Parameters
    ----------
    *needs : `~harness.instrument.kit.Capability`
        Capabilities without which the test is skipped.
    after : `~collections.abc.Iterable`, optional
        Tests that must hold for this one to say anything. If one fails, this one is skipped and names it, so that
        one mistake is one failure. They are judged when they are needed, in whatever order tests are run, and once.

    Returns
    -------
    decorate : `~collections.abc.Callable`
        Decorator of methods ``test(self, subject, …)``.
    """
    before = tuple(after)

    def decorate(function: Test) -> Test:
        @functools.wraps(function)
        def test(self: object, subject: Subject, **arguments: Any) -> None:
            __tracebackhide__ = True
            missing = sorted(set(needs) - subject.capabilities)
            if missing:
                pytest.skip(f"needs capability {', '.join(c.name for c in missing)}")
            for other in before:
                outcome = _outcome(other, self, subject, {})
                if isinstance(outcome, pytest.skip.Exception):
                    if str(outcome.msg).startswith(_BLOCKED):  # others don't apply, which blocks nothing
                        pytest.skip(str(outcome.msg))
                elif outcome is not None:
                    pytest.skip(f"{_BLOCKED} {other.__name__} fails")
            result = _outcome(function, self, subject, arguments)
            if result is not None:
                raise result

        return test

    return decorate


def _outcome(test: Test, case: object, subject: Subject, arguments: dict[str, Any]) -> BaseException | None:
    """Return what a test raises for a subject; each is run once."""
    key = (test.__name__, test.__qualname__, test is getattr(test, "__wrapped__", test), *sorted(arguments.items()))
    if key not in subject.outcomes:
        try:
            test(case, subject, **arguments)
        except (pytest.skip.Exception, Exception) as error:  # whatever a plugin raises is its failure
            subject.outcomes[key] = error
        else:
            subject.outcomes[key] = None
    return subject.outcomes[key]
