"""What the kit has for files that hold several detectors, and for translators that are there already."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from astro_metadata_translator import MetadataTranslator
from astro_metadata_translator.translators import DecamTranslator, HscTranslator

from harness.errors import HarnessError
from harness.instrument.kit import Capability, InstrumentKit
from harness.instrument.structure import structure_problems
from harness.instrument.upstream import sees_simulation


def image(nx: int, ny: int, **cards: Any) -> dict[str, Any]:
    return {"XTENSION": "IMAGE", "NAXIS": 2, "NAXIS1": nx, "NAXIS2": ny} | cards


def detector(nx: int, ny: int, extension: str = "") -> Any:
    box = SimpleNamespace(x0=0, y0=0, nx=nx, ny=ny)
    return SimpleNamespace(amplifiers=[SimpleNamespace(extension=extension, raw_bbox=box, raw_data=box)])


def test_only_the_detectors_own_hdus_are_judged() -> None:
    headers = [{"NAXIS": 0}, image(4, 6), image(5, 6), image(4, 6)]
    assert not structure_problems(headers, detector(4, 6), [1])
    assert not structure_problems(headers, detector(5, 6), [2])
    (problem,) = structure_problems(headers, detector(4, 6), [2])
    assert (problem.extension, problem.seen, problem.expected) == ("2", "5 × 6", "4 × 6")
    (problem,) = structure_problems(headers, detector(4, 6), [])
    assert problem.seen == "no image"


def test_amplifiers_of_another_detector_are_not_taken() -> None:
    """Detectors may name their amplifiers alike."""
    headers = [{"NAXIS": 0}, image(4, 6, EXTNAME="A"), image(5, 6, EXTNAME="A")]
    assert not structure_problems(headers, detector(4, 6, "A"), [1])
    assert not structure_problems(headers, detector(5, 6, "A"), [2])
    assert structure_problems(headers, detector(4, 6, "A"))
    (problem,) = structure_problems(headers, detector(4, 6, "A"), [])
    assert problem.seen == "missing"


@pytest.mark.parametrize("upstream", [DecamTranslator, HscTranslator])
def test_a_translator_learns_to_see_simulation(upstream: type[MetadataTranslator]) -> None:
    registered = dict(MetadataTranslator.translators)
    made = sees_simulation(upstream)
    assert MetadataTranslator.translators == registered, "the name must go on meaning upstream's"
    assert (made.name, made.__mro__[1]) == (upstream.name, upstream)
    for value, seen in ((True, True), (False, False), (None, False)):
        header = {} if value is None else {"SIMULATE": value}
        assert made(header).to_has_simulated_content() is seen
    assert upstream({"SIMULATE": True}).to_has_simulated_content() is False
    translator = made({"SIMULATE": True})
    translator.to_has_simulated_content()
    assert translator.cards_used() == {"SIMULATE"}


def kit(**changes: Any) -> InstrumentKit:
    made = InstrumentKit(
        instrument_class=SimpleNamespace(getName=lambda: "Some"),  # type: ignore[arg-type]  # only its name is used
        translator=DecamTranslator,
        make_camera=lambda _: None,  # type: ignore[arg-type, return-value]  # not used
        capabilities=frozenset({Capability.IMAGES}),
    )
    return dataclasses.replace(made, **changes)


def test_raws_are_written_one_by_one_or_together() -> None:
    given: Any = [("one", {}), ("two", {})]
    calls = []

    def write_raw(folder: Path, observation: Any, item: Any, pixels: Any, scale: int) -> Path:
        return folder / f"{item}.fits"

    def write_exposure(folder: Path, observation: Any, raws: Any, scale: int) -> Path:
        calls.append(list(raws))
        return folder / "all.fits"

    some: Any = None
    alone = kit(write_raw=write_raw)
    assert alone.writes_images
    assert alone.write_raws(Path("x"), some, iter(given), 1) == [Path("x/one.fits"), Path("x/two.fits")]
    together = kit(write_exposure=write_exposure)
    assert together.writes_images
    assert together.write_raws(Path("x"), some, iter(given), 1) == [Path("x/all.fits")] * 2
    assert calls == [given]
    assert not kit().writes_images
    with pytest.raises(HarnessError, match="kit of Some cannot write raw files"):
        kit().write_raws(Path("x"), some, given, 1)
