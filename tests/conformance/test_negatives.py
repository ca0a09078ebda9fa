"""The right instrument fails no test, and the wrong ones together fail each that a plugin can fail.

Each of them is judged in the module of its subject, so that two processes share the work.
"""

from __future__ import annotations

from pathlib import Path

from judging import ALL, judge
from negatives import MODULES, all_negatives
from negatives.geometry import corner_sensors
from toy import Toy

from harness.conformance import InstrumentConformance
from harness.conformance.subject import Subject

NEGATIVES = all_negatives()


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


def test_every_negative_is_judged() -> None:
    here = Path(__file__).parent
    assert {p.stem for p in (here / "negatives").glob("[a-z]*.py")} == set(MODULES)
    assert {p.stem.removeprefix("test_negatives_") for p in here.glob("test_negatives_*.py")} == set(MODULES)


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
