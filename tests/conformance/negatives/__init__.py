"""Instruments that are wrong in one thing each, and the one test of the suite that must fail for it."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from toy import Toy

    from harness.instrument.kit import InstrumentKit

MODULES = ("registration", "geometry", "headers", "values", "reading", "stages")


@dataclasses.dataclass(frozen=True)
class Negative:
    """A wrong instrument.

    Parameters
    ----------
    name : `str`
        Name of the defect.
    title : `str`
        What is wrong.
    fails : `str`
        The test that must fail, with its parameter in brackets.
    says : `str`
        What its message must contain.
    make : `~collections.abc.Callable`
        Makes the kit of the toy.
    """

    name: str
    title: str
    fails: str
    says: str
    make: Callable[[Toy], InstrumentKit]


_found: list[Negative] = []


def wrong(fails: str, says: str) -> Callable[[Callable[[Toy], InstrumentKit]], Callable[[Toy], InstrumentKit]]:
    """Make a negative of a function; its docstring says what is wrong."""

    def decorate(make: Callable[[Toy], InstrumentKit]) -> Callable[[Toy], InstrumentKit]:
        _found.append(Negative(make.__name__, " ".join((make.__doc__ or "").split()), fails, says, make))
        return make

    return decorate


def negatives_of(module: str) -> list[Negative]:
    """Return the negatives of a module."""
    name = importlib.import_module(f"{__name__}.{module}").__name__
    return [n for n in _found if n.make.__module__ == name]


def cases(module: str) -> list[Any]:
    """Return the negatives of a module as parameters; of those that fail one test the first is for every day."""
    seen: set[str] = set()
    out = []
    for negative in negatives_of(module):
        marks = [pytest.mark.thorough] if negative.fails in seen else []
        out.append(pytest.param(negative, id=negative.name, marks=marks))
        seen.add(negative.fails)
    return out


def all_negatives() -> list[Negative]:
    """Return every negative."""
    return [n for name in MODULES for n in negatives_of(name)]
