"""Quantum graphs: pairing happens while they are built, whatever part of the data is asked for."""

from __future__ import annotations

from collections import defaultdict

import pytest
from lsst.daf.butler import Butler
from lsst.pipe.base import Pipeline
from lsst.pipe.base.all_dimensions_quantum_graph_builder import AllDimensionsQuantumGraphBuilder

from harness.wavefront.names import DONUT_TABLE

SENSORS = (191, 195, 199, 203)


@pytest.fixture(scope="module")
def build(processed):
    """Build a graph and return data IDs by task, and the inputs of the quanta that cut donuts out."""

    def make(where: str):
        kit = processed.kit
        with Butler.from_config(
            str(processed.snapshot("defaults")), collections=[f"{kit.name}/defaults"], writeable=False
        ) as butler:
            pipeline = Pipeline.from_uri(kit.pipelines["Wavefront"]).to_graph()
            builder = AllDimensionsQuantumGraphBuilder(
                pipeline, butler, where=where, input_collections=[f"{kit.name}/defaults"], output_run="test"
            )
            graph = builder.build(attach_datastore_records=False)
            quanta, inputs = defaultdict(set), {}
            for node in graph:
                data_id = node.quantum.dataId
                key = (data_id.get("visit", data_id.get("exposure")), data_id["detector"])
                quanta[node.task_node.label].add(key)
                if node.task_node.label == "cutOutDonutsTask":
                    found = node.quantum.inputs
                    inputs[key] = {
                        (r.dataId.get("visit", r.dataId.get("exposure")), r.dataId["detector"])
                        for kind, refs in found.items()
                        if kind.name == DONUT_TABLE
                        for r in refs
                    }
        return dict(quanta), inputs

    return make


def test_each_pair_has_one_quantum_with_both_halves(build, processed) -> None:
    science, intra, extra = (o.exposure for o in processed.dataset.observations)
    quanta, inputs = build("instrument='LSSTCam'")
    assert len(quanta["isr"]) == 21
    assert quanta["generateDonutDirectDetectTask"] == {
        *((science, d + i) for d in SENSORS for i in (0, 1)),
        *((e, d) for e in (intra, extra) for d in (94, 98)),
    }
    wanted = {(science, d) for d in SENSORS} | {(extra, d) for d in (94, 98)}
    assert quanta["cutOutDonutsTask"] == quanta["calcZernikesTask"] == wanted
    assert inputs[science, 191] == {(science, 191), (science, 192)}
    assert inputs[extra, 94] == {(extra, 94), (intra, 94)}


def test_one_half_alone_is_prepared_but_not_estimated(build, processed) -> None:
    """The other half may follow in another call: what is made of the first must not depend on it."""
    science, intra, _ = (o.exposure for o in processed.dataset.observations)
    for where, only in ((f"exposure={science} AND detector=192", (science, 192)), (f"exposure={intra}", None)):
        quanta, _ = build(f"instrument='LSSTCam' AND {where}")
        assert "cutOutDonutsTask" not in quanta
        assert "calcZernikesTask" not in quanta
        assert quanta["generateDonutDirectDetectTask"] == ({only} if only else {(intra, 94), (intra, 98)})


def test_images_in_focus_have_nothing_but_isr(build, processed) -> None:
    science = processed.dataset.observations[0].exposure
    quanta, _ = build(f"instrument='LSSTCam' AND exposure={science} AND detector IN (94, 98)")
    assert set(quanta) == {"isr"}
