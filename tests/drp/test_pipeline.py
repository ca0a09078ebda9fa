"""The pipeline definition: labels, dimensions, steps and subsets."""

from __future__ import annotations

import pytest
from lsst.daf.butler import DimensionUniverse
from lsst.pipe.base import Pipeline

CORE = "resource://harness.drp/pipelines/DRP.yaml"

DIMENSIONS = {
    "isr": {"instrument", "exposure", "detector"},
    "calibrateImage": {"instrument", "visit", "detector"},
    "consolidateVisitSummary": {"instrument", "visit"},
    "consolidateSourceTable": {"instrument", "visit"},
    "makeDirectWarp": {"skymap", "tract", "patch", "instrument", "visit"},
    "selectDeepCoaddVisits": {"skymap", "tract", "patch", "band"},
    "assembleCoadd": {"skymap", "tract", "patch", "band"},
    "detection": {"skymap", "tract", "patch", "band"},
    "mergeDetections": {"skymap", "tract", "patch"},
    "measure": {"skymap", "tract", "patch", "band"},
    "forcedPhotCoadd": {"skymap", "tract", "patch", "band"},
    "transformObjectTable": {"skymap", "tract", "patch"},
    "consolidateObjectTable": {"skymap", "tract"},
}
"""Of the pipeline of HSC RC2 (reference/suites.md, "Pipeline structure to keep")."""


@pytest.fixture(scope="module")
def pipeline(kit) -> Pipeline:
    return Pipeline.fromFile(kit.pipelines["DRP"])


def test_labels_and_dimensions_are_those_of_production(pipeline: Pipeline) -> None:
    graph = pipeline.to_graph()
    assert {label: set(node.raw_dimensions) for label, node in graph.tasks.items()} == DIMENSIONS


def test_the_instrument_imports_the_whole_core(pipeline: Pipeline, kit) -> None:
    assert set(Pipeline.fromFile(CORE).task_labels) == set(pipeline.task_labels)
    assert pipeline.getInstrument().endswith(kit.instrument_class.__name__)


def test_steps_follow_each_other_and_cover_everything(pipeline: Pipeline) -> None:
    graph = pipeline.to_graph()
    assert list(graph.steps) == ["step1", "step2", "step3"]
    assert set().union(*(graph.task_subsets[s] for s in graph.steps)) == set(graph.tasks)


@pytest.mark.parametrize("subset", ["step1", "step2", "step3", "processDetector", "coaddition", "coaddMeasurement"])
def test_every_subset_can_be_loaded_alone(kit, subset: str) -> None:
    part = Pipeline.fromFile(f"{kit.pipelines['DRP']}#{subset}")
    assert set(part.to_graph().tasks) == set(part.subsets[subset])


def test_the_reference_catalogue_is_a_parameter(kit) -> None:
    pipeline = Pipeline.fromFile(kit.pipelines["DRP"])
    pipeline.addConfigOverride("parameters", "refcat", "gaia_dr3")
    graph = pipeline.to_graph()
    assert "gaia_dr3" in graph.dataset_types
    assert "ps1_pv3_3pi_20170110" not in graph.dataset_types


def test_the_graph_resolves_against_the_dimensions(pipeline: Pipeline, snapshot) -> None:
    from lsst.daf.butler import Butler

    with Butler.from_config(str(snapshot("defaults").repo), writeable=False) as butler:
        graph = pipeline.to_graph(butler.registry)
    assert graph.is_fully_resolved
    assert graph.universe == DimensionUniverse()
    split_by = {step: set(graph.steps.get_dimensions(step).required) for step in graph.steps}
    assert split_by == {
        "step1": {"instrument", "visit", "detector"},
        "step2": {"instrument", "visit"},
        "step3": {"skymap", "tract"},
    }
    assert graph.dataset_types["post_isr_image"].storage_class_name == "MaskedImageV2"
    assert graph.dataset_types["preliminary_visit_image"].storage_class_name == "VisitImage"
