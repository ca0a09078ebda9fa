"""Outputs of a quantum graph, carried by it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lsst.daf.butler import Butler

from harness.engines.base import PipelineRun
from harness.engines.qbb import QuantumBackedEngine
from harness.errors import HarnessError
from harness.stages.fork import fork_repository
from harness.transfer.capture import capture
from harness.transfer.closure import relations
from harness.transfer.graph import output_run
from harness.transfer.kinds import KINDS_OF_TRANSFER
from harness.transfer.perform import perform
from harness.transfer.selection import stored_ids, whole
from harness.transfer.trip import Trip, artifact_paths

TASKS = Path(__file__).parents[1] / "rerun"


@pytest.fixture(scope="module")
def trip(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Trip:
    """A repository that a quantum-backed execution has written to, and its graph."""
    sys.path.append(str(TASKS))  # the tasks that the pipeline names
    folder = tmp_path_factory.mktemp("processed")
    fork_repository(pristine, folder / "repo")
    request = PipelineRun(
        folder / "repo",
        str(TASKS / "pipeline.yaml"),
        ("Mini/defaults",),
        "Mini/graph",
        output_run="Mini/graph/run",
        where="instrument='Mini' AND exposure < 103",
    )
    result = QuantumBackedEngine().run(request, folder / "run.log")
    assert result.exit_code == 0, result.message
    with Butler.from_config(str(folder / "repo")) as butler:
        state, known = capture(butler), relations(butler.dimensions)
        paths = artifact_paths(butler, stored_ids(state))
    (graph,) = folder.glob("*.qg")
    return Trip(folder / "repo", folder, state, known, whole(state), paths, graph, fork=fork_repository)


@pytest.mark.parametrize("name", ["zip-from-graph", "transfer-from-graph"])
def test_outputs_come_by_their_graph(name: str, trip: Trip, tmp_path: Path) -> None:
    outcome = perform(KINDS_OF_TRANSFER[name], dataclasses.replace(trip, folder=tmp_path / "trip"))
    assert [f.message for _, f in outcome.findings] == []
    assert outcome.expected["dataset"] >= 10


def test_an_output_that_is_not_brought_is_found(trip: Trip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KINDS_OF_TRANSFER["transfer-from-graph"]

    def bring(own: Trip) -> None:
        next(iter(sorted((own.target / "Mini/graph/run").rglob("*_metadata*.json")))).unlink()
        kind.bring(own)

    outcome = perform(
        dataclasses.replace(kind, bring=bring), dataclasses.replace(trip, folder=tmp_path / "trip"), twice=False
    )
    assert {c for c, _ in outcome.findings} >= {"roundtrip.dataset-ids-equal"}


def test_the_run_of_a_graph(trip: Trip, fork: Callable[[], Path], tmp_path: Path) -> None:
    assert trip.graph is not None
    assert output_run(trip.graph) == ("Mini/graph/run", "Mini/graph")
    (tmp_path / "no.qg").write_text("no graph")
    with pytest.raises(HarnessError, match="no quantum graph in") as caught:
        output_run(tmp_path / "no.qg")
    assert "\n" not in str(caught.value)
