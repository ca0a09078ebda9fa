"""Several datasets in one repository: which, in which order, and each added to what the ones before it left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError, nearest
from .graph import StageGraph
from .runner import Base, Runner

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..engines.base import Engine
    from ..instrument.kit import InstrumentKit
    from ..plugins import Plugins
    from ..stage import Stage
    from .snapshots import SnapshotStore

__all__ = ["Campaign", "merged_config", "with_needs"]

ONCE = frozenset({"rerun", "roundtrip"})
"""Stages that compare whole repositories: run when all datasets are in, not after each."""


def with_needs(wanted: Iterable[Dataset], known: Mapping[str, Dataset]) -> list[Dataset]:
    """Return datasets and all those that they need, each after what it needs.

    Parameters
    ----------
    wanted : `~collections.abc.Iterable` [`~harness.datasets.manifest.Dataset`]
        Datasets, in the order that is kept where needs allow it.
    known : `~collections.abc.Mapping` [`str`, `~harness.datasets.manifest.Dataset`]
        All datasets by name.

    Raises
    ------
    HarnessError
        If a dataset needs one that does not exist, or, through others, itself.
    """
    ordered: dict[str, Dataset] = {}

    def visit(dataset: Dataset, path: tuple[str, ...]) -> None:
        if dataset.name in path:
            raise HarnessError(
                f"datasets need each other: {' → '.join((*path, dataset.name))}",
                remedy=f"change 'needs' in {dataset.source}",
                code="dataset-needs",
            )
        if dataset.name in ordered:
            return
        for name in dataset.needs:
            if name not in known:
                error = nearest("dataset", name, known)
                raise HarnessError(f"dataset {dataset.name} needs {name!r}: {error}", code="dataset-needs")
            visit(known[name], (*path, dataset.name))
        ordered[dataset.name] = dataset

    for dataset in wanted:
        visit(dataset, ())
    return list(ordered.values())


def merged_config(kits: Iterable[InstrumentKit]) -> Mapping[str, Any]:
    """Merge the Butler configurations that instruments need into one for a repository that they share.

    Raises
    ------
    HarnessError
        If two of them want different things in one place.
    """
    owners: dict[tuple[str, ...], str] = {}

    def merge(into: dict[str, Any], more: Mapping[str, Any], path: tuple[str, ...], owner: str) -> None:
        for key, value in more.items():
            place = (*path, key)
            if isinstance(value, Mapping):
                merge(into.setdefault(key, {}), value, place, owner)
            elif key in into and into[key] != value:
                raise HarnessError(
                    f"{owners[place]} and {owner} cannot share a repository: {'.'.join(place)} is {into[key]!r} for one"
                    f" and {value!r} for the other",
                    remedy="rename the storage class or formatter of one plugin",
                    code="config-conflict",
                )
            else:
                into[key] = value
                owners[place] = owner

    config: dict[str, Any] = {}
    for kit in kits:
        merge(config, kit.repository_config, (), kit.name)
    return config


class Campaign:
    """Datasets that go into one repository, one after the other.

    Parameters
    ----------
    plugins : `~harness.plugins.Plugins`
        Where instruments, stages and checks come from.
    datasets : `list` [`~harness.datasets.manifest.Dataset`]
        What to run, in this order; see `with_needs`.
    engine : `~harness.engines.base.Engine`
        What executes quanta.
    store : `~harness.stages.snapshots.SnapshotStore`
        Where states are kept.
    fresh : `bool`, optional
        Build every stage again.
    whole : `bool`, optional
        Process every dataset. By default only the last one is, and the others are made ready for it.
    """

    def __init__(
        self,
        plugins: Plugins,
        datasets: list[Dataset],
        engine: Engine,
        store: SnapshotStore,
        *,
        fresh: bool = False,
        whole: bool = False,
    ) -> None:
        self.datasets = datasets
        self._plugins = plugins
        self._engine = engine
        self._store = store
        self._fresh = fresh
        self._whole = whole
        self._until: str | None = None
        self.kits = {d.name: plugins.find("instrument", d.instrument) for d in datasets}
        self._config = merged_config({k.name: k for k in self.kits.values()}.values())

    def stop_after(self, stage: str) -> None:
        """Run the last dataset up to a stage only.

        Raises
        ------
        HarnessError
            If there is no such stage, or it does not apply to the dataset.
        """
        dataset = self.datasets[-1]
        StageGraph(self._plugins.stages().values(), self.kits[dataset.name].applicable(dataset)).until(stage)
        self._until = stage

    def runners(self) -> Iterator[tuple[Runner, list[Stage]]]:
        """Yield the runner of each dataset, and the stages that are to be executed before the next is asked for.

        A runner starts from where the one before it ended; if that failed, there is no next one. The last one reruns
        its pipeline in the repository that all share, which is then exported and imported.
        """
        base: Base | None = None
        for dataset in self.datasets:
            runner = Runner(
                self._plugins,
                dataset,
                self.kits[dataset.name],
                self._engine,
                self._store,
                fresh=self._fresh,
                base=base,
                repository_config=self._config,
            )
            if dataset is self.datasets[-1]:
                yield runner, runner.stages(self._until)
                return
            last = runner.graph.trunk if self._whole else runner.graph.ready
            stages = runner.stages() if self._whole else runner.stages(last)
            yield runner, [s for s in stages if s.name not in ONCE]
            if last not in runner.done:
                return
            base = runner.reached(last)
