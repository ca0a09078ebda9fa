"""How wrong instruments are judged: by all tests of the suite, as pytest runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from toy import registry_kept

from harness.conformance import InstrumentConformance
from harness.conformance.subject import Subject

if TYPE_CHECKING:
    from negatives import Negative
    from toy import Toy

ALL = {name for name in dir(InstrumentConformance) if name.startswith("test_")}


def judge(subject: Subject) -> dict[str, str]:
    """Run all tests of the suite as pytest does; return the messages of those that fail."""
    failures = {}
    suite = InstrumentConformance()
    for name in sorted(ALL):
        test = getattr(suite, name)
        calls: list[dict[str, object]] = [{}]
        for mark in getattr(test, "pytestmark", ()):
            if mark.name == "parametrize":
                argument, values = mark.args
                calls = [call | {argument: value} for call in calls for value in values]
        for call in calls:
            try:
                test(subject, **call)
            except pytest.skip.Exception:
                continue
            except Exception as error:
                failures[name + (f"[{', '.join(map(str, call.values()))}]" if call else "")] = str(error)
    subject.close()
    return failures


def fails_alone(negative: Negative, toy: Toy, folder: Path) -> None:
    """Assert that a wrong instrument fails the test that names its defect, and no other."""
    with registry_kept():
        kit = negative.make(toy)
        failures = judge(Subject(kit, toy.dataset, folder, toy.plugins(kit)))
    print(f"{negative.name}: {negative.title} -> {negative.fails}")  # noqa: T201  (the table, with pytest -rP)
    assert set(failures) == {negative.fails}, failures
    assert negative.says in failures[negative.fails]
