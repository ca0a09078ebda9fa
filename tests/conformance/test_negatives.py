"""Each wrong instrument fails the test that names its defect, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from negatives import Negative, all_negatives
from negatives.geometry import corner_sensors
from toy import Toy, registry_kept

from harness.conformance import InstrumentConformance
from harness.conformance.subject import Subject

NEGATIVES = all_negatives()
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


def test_the_right_one_passes_everything(toy: Toy, tmp_path: Path) -> None:
    for kit in (toy.right, toy.kit()):
        folder = tmp_path / kit.instrument_class.__name__
        subject = Subject(kit, toy.dataset, folder, toy.plugins(kit))
        assert judge(subject) == {}


def test_wavefront_sensors_in_pairs_pass(toy: Toy, tmp_path: Path) -> None:
    kit = corner_sensors(toy, {2: -1.5, 3: 1.5})
    subject = Subject(kit, toy.dataset, tmp_path, toy.plugins(kit))
    InstrumentConformance().test_wavefront_sensors_come_in_pairs(subject)
    subject.close()


@pytest.mark.parametrize("negative", NEGATIVES, ids=lambda n: n.name)
def test_fails_the_test_that_names_it(negative: Negative, toy: Toy, tmp_path: Path) -> None:
    with registry_kept():
        kit = negative.make(toy)
        subject = Subject(kit, toy.dataset, tmp_path, toy.plugins(kit))
        failures = judge(subject)
    print(f"{negative.name}: {negative.title} -> {negative.fails}")  # noqa: T201  (the table, with pytest -rP)
    assert set(failures) == {negative.fails}, failures
    assert negative.says in failures[negative.fails]


def test_every_test_that_a_plugin_can_fail_is_failed_by_one() -> None:
    """Those that none fails are about the core's ingest and stages, and are proven elsewhere."""
    failed = {n.fails.partition("[")[0] for n in NEGATIVES}
    assert failed <= ALL
    assert {n.name for n in NEGATIVES if not n.title or not n.says} == set()
    assert len(NEGATIVES) >= 25
    assert ALL - failed == {
        "test_transfer",
        "test_ingest_again_skips",
        "test_ingest_again_fails_if_asked",
        "test_ids_are_the_same_in_every_repository",
        "test_second_file_of_a_raw_is_refused",
        "test_unknown_filter_is_refused",
        "test_unknown_detector_is_refused",
        "test_bootstrap_passes_all_checks",
    }
