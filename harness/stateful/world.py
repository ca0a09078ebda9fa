"""A real repository to which steps are done, beside its model."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compare import Mismatch, compare_contents, compare_searches, compare_states
from .model import DAYS, Key, Model
from .step import Inapplicable, Refused, Step

if TYPE_CHECKING:
    from uuid import UUID

    from lsst.daf.butler import Butler, DatasetRef, Timespan

__all__ = ["DIMENSIONS", "INSTRUMENT", "World"]

INSTRUMENT = "Cam"

DIMENSIONS = {
    "image": ("detector", "exposure"),
    "made": ("detector", "exposure"),
    "cal": ("detector",),
    "note": (),
}
"""Dataset types with the dimensions that their values name, beside the instrument, in the middleware's order."""

EVERYTHING = 10
"""After so many steps the content of every dataset is read again, not only of new ones."""


class World:
    """A repository and its model, in a folder that is removed at the end.

    Parameters
    ----------
    template : `~pathlib.Path`
        Repository to begin with, with the records of `~harness.stateful.template.make_template`; it is copied.
    strict : `bool`, optional
        Whether what releases are known to do wrong is a mismatch, too.

    Attributes
    ----------
    known : `set` [`str`]
        What was seen of that.
    """

    def __init__(self, template: Path, *, strict: bool = False) -> None:
        from lsst.daf.butler import Butler

        self.template = template
        self.folder = Path(tempfile.mkdtemp(prefix="harness-stateful-"))
        self.model = Model()
        self.ids: dict[Key, UUID] = {}
        self.done = 0
        self.strict = strict
        self.known: set[str] = set()
        self._count = 0
        self.butler: Butler = Butler.from_config(str(self._new_repository()), writeable=True)

    def close(self) -> None:
        """Remove everything."""
        self.butler.close()
        shutil.rmtree(self.folder)

    def _new_repository(self) -> Path:
        self._count += 1
        path = self.folder / f"repo{self._count}"
        shutil.copytree(self.template, path)
        return path

    # --- doing steps -----------------------------------------------------------------------------

    def step(self, step: Step) -> bool:
        """Do a step to the model and to the repository, and compare.

        Returns
        -------
        done : `bool`
            False if it makes no sense in this state.

        Raises
        ------
        Mismatch
            If the repository does not do what the model says.
        """
        after = copy.deepcopy(self.model)
        refused: Refused | None = None
        try:
            step.plan(after)
        except Inapplicable:
            return False
        except Refused as refusal:
            refused, after = refusal, copy.deepcopy(self.model)
            if refusal.effect is not None and not self.strict:
                refusal.effect(after)
        self._do(step, refused)
        before, self.model = self.model, after
        self.done += 1
        new = [k for k in after.datasets if k not in before.datasets]
        compare_states(self, new)
        compare_contents(self, list(after.datasets) if self.done % EVERYTHING == 0 else new)
        compare_searches(self)
        if refused is not None and refused.known:
            self.known.add(refused.known)
        return True

    def _do(self, step: Step, refused: Refused | None) -> None:
        try:
            step.do(self)
        except Exception as error:  # what the middleware raises is what is to be judged
            if refused is None:
                first = next(iter(str(error).splitlines()), "")
                raise Mismatch([f"{step} raised {type(error).__name__}: {first}"]) from error
            names = {c.__name__ for e in _all(error) for c in type(e).__mro__}
            if not names & set(refused.names):
                raise Mismatch([f"{step} raised {type(error).__name__}, not {refused}: {error}"]) from error
            return
        if refused is not None:
            raise Mismatch([f"{step} was not refused; it must raise {refused}"])

    # --- what steps are made of ------------------------------------------------------------------

    def register(self, name: str, type: str) -> None:
        """Make a collection, unless it is there."""
        from lsst.daf.butler import CollectionType

        self.butler.collections.register(name, CollectionType[type])

    def data_id(self, type: str, values: Sequence[int]) -> dict[str, Any]:
        """Return a data ID."""
        return {"instrument": INSTRUMENT, **dict(zip(DIMENSIONS.get(type, ()), values, strict=True))}

    def timespan(self, begin: int, end: int) -> Timespan:
        """Return a range of days as the middleware has it."""
        from astropy.time import Time, TimeDelta
        from lsst.daf.butler import Timespan

        def day(number: int) -> Any:
            return Time("2020-01-01", scale="tai") + TimeDelta(number, format="jd") if 0 <= number <= DAYS else None

        return Timespan(day(begin), day(end))

    def ref(self, key: Key) -> DatasetRef:
        """Return a dataset of the repository."""
        found = self.butler.get_dataset(self.ids[key])
        if found is None:
            raise Mismatch([f"{key} is not found by its id"])
        return found

    def put(self, key: Key, content: int) -> None:
        """Put a dataset into its run, which is made if need be."""
        self.register(key.run, "RUN")
        self.butler.put({"content": content}, key.type, self.data_id(key.type, key.values), run=key.run)

    def ingest(self, key: Key, content: int, mode: str) -> None:
        """Ingest a file; of a copy the original must be left."""
        import yaml  # type: ignore[import-untyped]
        from lsst.daf.butler import DatasetRef, FileDataset

        self.register(key.run, "RUN")
        source = self.folder / f"file{self.done}.yaml"
        source.write_text(yaml.safe_dump({"content": content}))
        dataset_type = self.butler.get_dataset_type(key.type)
        data_id = self.butler.registry.expandDataId(self.data_id(key.type, key.values))
        self.butler.ingest(FileDataset(str(source), [DatasetRef(dataset_type, data_id, key.run)]), transfer=mode)
        if source.exists() is (mode == "move"):
            raise Mismatch(
                [f"ingest by {mode}: the file that was ingested is {'still' if mode == 'move' else 'not'} there"]
            )

    def round_trip(self, mode: str) -> None:
        """Export everything, import it into a new repository and go on with that."""
        from lsst.daf.butler import Butler

        folder = self.folder / f"export{self.done}"
        folder.mkdir()
        refs = [self.ref(k) for k, held in self.model.datasets.items() if held.stored]
        with self.butler.export(directory=str(folder), filename="export.yaml", transfer=mode) as export:
            for name in self.model.types:
                export.saveCollection(name)
            export.saveDatasets(refs)
        new = Butler.from_config(str(self._new_repository()), writeable=True)
        new.import_(directory=str(folder), filename="export.yaml", transfer=mode)
        self.butler.close()
        self.butler = new

    def transfer(self, run: str) -> None:
        """Transfer a run to another repository, twice, and compare what is there."""
        from lsst.daf.butler import Butler

        keys = [k for k, held in self.model.datasets.items() if k.run == run and held.stored]
        refs = [self.ref(k) for k in keys]
        with Butler.from_config(str(self._new_repository()), writeable=True) as other:
            for _ in range(2):
                other.transfer_from(
                    self.butler, refs, transfer="copy", register_dataset_types=True, transfer_dimensions=True
                )
            there = {ref.id for ref in other.query_all_datasets("*", find_first=False, limit=None)}
            if there != {ref.id for ref in refs}:
                raise Mismatch([f"transfer of {run}: {len(there)} datasets arrived, not {len(refs)}"])
            differ = [r for r in refs if _plain(self.butler.get(r)) != _plain(other.get(other.get_dataset(r.id)))]
            if differ:
                raise Mismatch([f"transfer of {run}: {r} says something else" for r in differ])

    def rerun(self, inputs: str, run: str, skip_existing: bool) -> None:
        """Run the task over what a collection has."""
        from lsst.daf.butler import Butler
        from lsst.pipe.base import Pipeline

        from .task import MakeTask

        pipeline = Pipeline("made")
        pipeline.addTask(MakeTask, "made")
        with Butler.from_config(butler=self.butler, collections=[inputs], run=run) as butler:
            executor = _executor()(butler, skip_existing_in=[run] if skip_existing else None)
            graph = executor.make_quantum_graph(pipeline)
            if len(graph):
                executor.pre_execute_qgraph(graph, register_dataset_types=True)
                executor.run_pipeline(graph)
        self.butler.registry.refresh()  # another butler has made collections and dataset types


def _executor() -> Any:
    """Return the executor, from where releases have it."""
    try:
        from lsst.pipe.base.separable_pipeline_executor import SeparablePipelineExecutor
    except ImportError:  # before 30
        from lsst.ctrl.mpexec import SeparablePipelineExecutor
    return SeparablePipelineExecutor


def _plain(value: Any) -> Any:
    return value if isinstance(value, dict) else str(type(value))


def _all(error: BaseException) -> Iterator[BaseException]:
    """Yield an error with those that it groups."""
    yield error
    for child in getattr(error, "exceptions", ()):
        yield from _all(child)
