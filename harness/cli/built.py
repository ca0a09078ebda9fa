"""The state of a dataset after a stage, for commands that start from one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .common import all_datasets

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..engines.base import Engine
    from ..plugins import Plugins
    from ..stages.snapshots import Snapshot

__all__ = ["built"]


def built(plugins: Plugins, dataset: Dataset, engine: Engine, work: Path, stage: str) -> Snapshot:
    """Return the state of a dataset after a stage, in one repository with the datasets that it needs.

    Parameters
    ----------
    plugins : `~harness.plugins.Plugins`
        Where instruments and datasets come from.
    dataset : `~harness.datasets.manifest.Dataset`
        The dataset.
    engine : `~harness.engines.base.Engine`
        What executes quanta.
    work : `~pathlib.Path`
        Work folder, with the snapshots; what is missing is built.
    stage : `str`
        The stage.

    Raises
    ------
    HarnessError
        If there is no such stage, it does not apply to the dataset, or some stage fails.
    """
    from ..stages.campaign import Campaign, with_needs
    from ..stages.snapshots import SnapshotStore

    known = all_datasets(plugins) if dataset.needs else {}
    store = SnapshotStore(work.absolute() / "snapshots")
    campaign = Campaign(plugins, with_needs([dataset], known), engine, store)
    campaign.stop_after(stage)
    snapshots = [runner.build(stages[-1].name) for runner, stages in campaign.runners()]
    return snapshots[-1]
