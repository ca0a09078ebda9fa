"""What a transfer starts from, and the repositories that it needs on its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..repository import open_repository
from .closure import Relations
from .selection import Selection
from .state import RepositoryState

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef

__all__ = [
    "Trip",
    "artifact_paths",
    "butler_command",
    "empty_repository",
    "opened",
    "refs_of",
    "repository_config",
    "self_contained",
]


@dataclasses.dataclass(frozen=True)
class Trip:
    """A transfer to be tried.

    Parameters
    ----------
    source : `~pathlib.Path`
        The repository; only read.
    folder : `~pathlib.Path`
        New folder for all that is made on the way.
    state : `~harness.transfer.state.RepositoryState`
        State of the source.
    known : `~harness.transfer.closure.Relations`
        Relations of its dimensions.
    selection : `~harness.transfer.selection.Selection`
        What is to be carried.
    paths : `~collections.abc.Mapping`
        Path of each artifact, as the datastore has it, by dataset id and component.
    graph : `~pathlib.Path`, optional
        Quantum graph whose outputs the source has.
    universe : `int`, optional
        Version of the dimension universe of new repositories; that of the source by default.
    fork : `~collections.abc.Callable`, optional
        Makes an independent, writable copy of a repository: takes the two paths.
    """

    source: Path
    folder: Path
    state: RepositoryState
    known: Relations
    selection: Selection
    paths: Mapping[tuple[str, str], str]
    graph: Path | None = None
    universe: int | None = None
    fork: Callable[[Path, Path], None] | None = None

    @property
    def target(self) -> Path:
        """The repository that receives."""
        return self.folder / "target"

    @property
    def parcel(self) -> Path:
        """Folder of what is on its way between two repositories: an export, an archive."""
        return self.folder / "parcel"


@contextmanager
def opened(path: Path, *, writeable: bool = False) -> Iterator[Butler]:
    """Open a repository of any dimension universe."""
    with open_repository(path, writeable=writeable, any_universe=True) as butler:
        yield butler


def artifact_paths(butler: Butler, ids: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return the path of each artifact of some datasets, relative to the datastore's root if it is below that.

    Returns
    -------
    paths : `dict` [`tuple`, `str`]
        Path by dataset id and component.
    """
    refs = butler.get_many_datasets(sorted(ids))
    records = butler._datastore.export_records(refs) if refs else {}
    return {
        (str(id_), info.component or ""): str(info.path)
        for data in records.values()
        for id_, by_table in data.records.items()
        for infos in by_table.values()
        for info in infos
    }


def repository_config(source: Path) -> dict[str, Any]:
    """Return what a new repository must have of the configuration of another, to hold the same datasets.

    Parameters
    ----------
    source : `~pathlib.Path`
        Folder or configuration file of a repository.

    Returns
    -------
    config : `dict`
        Storage classes, formatters, templates: all but where registry and files are.
    """
    import yaml  # type: ignore[import-untyped]

    path = source / "butler.yaml" if source.is_dir() else source
    config: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    for name in ("registry", "root"):
        config.pop(name, None)
    datastore = config.get("datastore", {})
    for name in ("root", "records", "name"):
        datastore.pop(name, None)
    if datastore.get("cls", "").rpartition(".")[2] not in {"", "FileDatastore"}:
        config.pop("datastore")  # a chain of datastores names folders of its own: the copy has one, of the usual kind
    return config


def self_contained(repo: Path) -> bool:
    """Say whether registry and files of a repository lie below its folder: only then is a copy of that independent."""
    import yaml

    path = repo / "butler.yaml"
    if not path.is_file():
        return False

    def places(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in {"db", "root"} and isinstance(inner, str):
                    yield inner
                yield from places(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from places(inner)

    found = list(places(yaml.safe_load(path.read_text())))
    return bool(found) and all("<butlerRoot>" in place for place in found) and (repo / "gen3.sqlite3").is_file()


def empty_repository(trip: Trip, root: Path) -> None:
    """Make an empty repository that can hold what the source of a trip holds."""
    from lsst.daf.butler import Butler, Config

    from .universes import dimension_config

    version = trip.universe or trip.state.universe[1]
    Butler.makeRepo(str(root), config=Config(repository_config(trip.source)), dimensionConfig=dimension_config(version))


def refs_of(butler: Butler, ids: Iterable[str]) -> list[DatasetRef]:
    """Return the references of some datasets, with their dimension records, all at once."""
    refs = butler.get_many_datasets(sorted(ids))
    data_ids = butler._expand_data_ids([ref.dataId for ref in refs])
    return [ref.expanded(data_id) for ref, data_id in zip(refs, data_ids, strict=True)]


def butler_command(trip: Trip, *words: str) -> None:
    """Run a ``butler`` command in this process.

    Parameters
    ----------
    trip : `Trip`
        Its folder gets the log, ``butler.log``.
    *words : `str`
        Subcommand and arguments.

    Raises
    ------
    HarnessError
        If it fails; one line.
    """
    from ..engines.base import PipelineRun
    from ..engines.inprocess import run_in_process
    from ..engines.steps import Step

    log = trip.folder / "butler.log"
    unused = PipelineRun(repo=trip.source, pipeline="", inputs=(), output="")
    result = run_in_process([Step("butler", words)], unused, log)
    if result.exit_code:
        raise HarnessError(f"butler {words[0]}: {result.message}", code="butler-command")
