"""Which invocation made the outputs of a repository: what ``harness rerun`` starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import HarnessError, UsageError
from ..plugins import Plugins
from .built import built
from .common import all_datasets, find_dataset

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..datasets.manifest import Dataset
    from ..engines.base import PipelineRun
    from ..instrument.kit import InstrumentKit

__all__ = ["processed"]

STAGE = "process"


def processed(
    plugins: Plugins, name: str, run: str | None, pipeline: str | None, where: str | None, work: Path
) -> PipelineRun:
    """Return the invocation that made the outputs of a repository.

    Parameters
    ----------
    plugins : `~harness.plugins.Plugins`
        Where instruments and datasets come from.
    name : `str`
        A repository, an instrument or a dataset; of the latter the processed repository is built if need be.
    run, pipeline, where : `str` or `None`
        Of a repository: the run that has the outputs, the pipeline that made them, and its data query.
    work : `~pathlib.Path`
        Work folder, with the snapshots.

    Raises
    ------
    HarnessError
        If it is not known how the repository was processed.
    """
    from ..repository import open_repository

    if not Path(name).exists() and "/" not in name:
        if run or pipeline or where:
            raise UsageError("--run, --pipeline and --where are of a repository", remedy="leave them out")
        dataset = find_dataset(plugins, name)
        repo = built(plugins, dataset, plugins.find("engine", "inprocess"), work, STAGE).repo
        return _request(repo, plugins.find("instrument", dataset.instrument), dataset)
    repo = Path(name).absolute()
    with open_repository(repo) as butler:
        if run and pipeline:
            return _given(butler, repo, run, pipeline, where or "")
        if run or pipeline or where:
            raise UsageError("--run and --pipeline belong together", remedy="give both, or none")
        found = [
            (dataset, plugins.find("instrument", dataset.instrument))
            for dataset in all_datasets(plugins).values()
            if dataset.processing is not None and dataset.instrument in plugins.instruments()
        ]
        runs = set(butler.collections.query("*"))
    here = [(d, k) for d, k in found if _request(repo, k, d).output_run in runs]
    if len(here) != 1:
        what = "no dataset of the harness" if not here else f"datasets {', '.join(d.name for d, _ in here)}"
        raise UsageError(f"{repo} has outputs of {what}", remedy="say which with --run and --pipeline")
    return _request(repo, here[0][1], here[0][0])


def _given(butler: Butler, repo: Path, run: str, pipeline: str, where: str) -> PipelineRun:
    """Return the invocation for a run that the user named: its chain says what the inputs were."""
    from ..engines.base import PipelineRun

    infos = {info.name: info for info in butler.collections.query_info("*", include_parents=True)}
    if run not in infos:
        raise UsageError(f"no collection {run} in {repo}", remedy="see 'butler query-collections'")
    chains = [infos[p] for p in sorted(infos[run].parents or ()) if infos[p].children[0] == run]
    if not chains:
        raise HarnessError(
            f"no chain begins with {run}, so that its inputs are not known",
            remedy="make a chain of the run and its inputs",
            code="rerun-inputs",
        )
    return PipelineRun(repo, pipeline, tuple(chains[0].children[1:]), chains[0].name, run, where)


def _request(repo: Path, kit: InstrumentKit, dataset: Dataset) -> PipelineRun:
    """Return the invocation of the stage that processes a dataset."""
    from ..drp.stage import first_run
    from ..engines.inprocess import InProcessEngine
    from ..stage import StageContext

    if dataset.processing is None:
        raise HarnessError(
            f"dataset {dataset.name} is not processed: its manifest names no pipeline", code="rerun-scope"
        )
    context = StageContext(
        repo=repo,
        outputs=repo,
        inputs={},
        dataset=dataset,
        kit=kit,
        engine=InProcessEngine(),
        facts={},
        progress=lambda _: None,
    )
    return first_run(context)
