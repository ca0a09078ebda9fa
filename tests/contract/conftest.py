"""Defects that are patched into the middleware of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Patch = Callable[[pytest.MonkeyPatch], None]


def wrap(target: Any, name: str, change: Callable[..., Any]) -> Patch:
    """Replace a method by one that is given the original first."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(target(), name)

        def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
            return change(lambda *a, **k: original(self, *a, **k), self, *args, **kwargs)

        monkeypatch.setattr(target(), name, changed)

    return patch


def direct() -> Any:
    from lsst.daf.butler.direct_butler import DirectButler

    return DirectButler


def shim() -> Any:
    from lsst.daf.butler._registry_shim import RegistryShim

    return RegistryShim


def collections() -> Any:
    from lsst.daf.butler.direct_butler._direct_butler_collections import DirectButlerCollections

    return DirectButlerCollections


def exporter() -> Any:
    from lsst.daf.butler.transfers import RepoExportContext

    return RepoExportContext


def template() -> Any:
    from lsst.daf.butler.datastore.file_templates import FileTemplate

    return FileTemplate


def obscore() -> Any:
    from lsst.daf.butler.registry.obscore import ObsCoreLiveTableManager

    return ObsCoreLiveTableManager


def timespan() -> Any:
    from lsst.daf.butler import Timespan

    return Timespan


def group() -> Any:
    from lsst.daf.butler import DimensionGroup

    return DimensionGroup


def file_path() -> Any:
    from lsst.resources.file import FileResourcePath

    return FileResourcePath


def script(name: str, change: Callable[..., Any]) -> Patch:
    """Replace the function behind a ``butler`` command."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        from lsst.daf.butler import script as module

        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **k: change(original, *a, **k))

    return patch


def queries(change: Callable[[list[Any], dict[str, Any]], list[Any]]) -> Patch:
    """Change what ``query_datasets`` gives; the change is given the answer and the keywords."""
    return wrap(direct, "query_datasets", lambda old, self, *a, **k: change(old(*a, **k), k))


def lossy_ingest(old: Any, self: Any, *items: Any, **kwargs: Any) -> None:
    """Remove the artifacts of the run when an ingest fails."""
    try:
        old(*items, **kwargs)
    except Exception:
        for path in Path(self._config.configDir.ospath).glob("run/**/*.yaml"):
            path.unlink()
        raise


def leaky_put(old: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Leave a run behind when a put fails."""
    try:
        return old(*args, **kwargs)
    except Exception:
        self.registry.registerRun("leaked")
        raise


def swallow(old: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Say nothing about an error."""
    try:
        return old(*args, **kwargs)
    except Exception:
        return False


def greedy_prune(old: Any, self: Any, refs: Any, **kwargs: Any) -> None:
    """Remove one file more than was asked for."""
    old(refs, **kwargs)
    next(iter(sorted(Path(self._config.configDir.ospath).glob("c/**/*.yaml")))).unlink()


def reverse_collections(old: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Search from the end."""
    found = kwargs.get("collections")
    if found is not None and not isinstance(found, str):
        kwargs["collections"] = list(reversed(list(found)))
    return old(*args, **kwargs)


def forget_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose the size of each file on the way through JSON."""
    from lsst.daf.butler.datastore.record_data import DatastoreRecordData

    original = DatastoreRecordData.from_simple.__func__

    def from_simple(cls: Any, simple: Any, *args: Any, **kwargs: Any) -> Any:
        found = original(cls, simple, *args, **kwargs)
        for tables in found.records.values():
            for name, infos in tables.items():
                tables[name] = [i.update(checksum="0" * 32) for i in infos]
        return found

    monkeypatch.setattr(DatastoreRecordData, "from_simple", classmethod(from_simple))


def other_existence(old: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    from lsst.daf.butler import DatasetExistence

    old(*args, **kwargs)
    return DatasetExistence.UNRECOGNIZED


def only_dimensions(old: Any, self: Any, ids: Any, *args: Any, **kwargs: Any) -> Any:
    """Export dimensions without what joins them."""
    listed = list(ids)
    return old(listed, elements=[n for d in listed[:1] for n in d.dimensions.names])


def inclusive_overlaps(old: Any, self: Any, other: Any) -> Any:
    return self.nsec[0] <= other.nsec[1] and other.nsec[0] <= self.nsec[1] if hasattr(other, "nsec") else old(other)


def extend_instead(old: Any, self: Any, parent: str, children: Any) -> Any:
    return self.extend_chain(parent, children)


MUTANTS: dict[str, Patch] = {
    "put.every-dimension-set": queries(lambda refs, k: refs[:-1]),
    "put.every-storage-class": wrap(direct, "get", lambda old, self, *a, **k: [old(*a, **k)]),
    "put.components-are-parts": wrap(direct, "get", lambda old, self, *a, **k: old(*a, **{**k, "parameters": None})),
    "put.data-id-spellings": wrap(direct, "exists", other_existence),
    "search.first-wins": wrap(direct, "find_dataset", reverse_collections),
    "search.queries-find-first": queries(lambda refs, k: refs[:1]),
    "search.all-without-duplicates": queries(lambda refs, k: [*refs, *refs[:1]]),
    "search.chain-is-children": wrap(shim, "getCollectionChain", lambda old, self, name: sorted(old(name))),
    "search.associations-are-contents": wrap(
        shim, "queryDatasetAssociations", lambda old, self, *a, **k: list(old(*a, **k))[1:]
    ),
    "query.negative-numbers": queries(lambda refs, k: [] if "-" in k.get("where", "") else refs),
    "query.neutral-constraints": queries(lambda refs, k: refs[1:] if " AND (" in k.get("where", "") else refs),
    "query.irrelevant-constraints": queries(lambda refs, k: refs[1:] if "skymap" in k.get("where", "") else refs),
    "query.neutral-options": queries(lambda refs, k: refs[1:] if k.get("with_dimension_records") else refs),
    "query.several-instruments": queries(lambda refs, k: refs[1:] if " OR " in k.get("where", "") else refs),
    "query.empty-answers": queries(lambda refs, k: refs or ["a dataset"]),
    "query.filters-as-python": queries(lambda refs, k: refs[1:] if "AND (" in k.get("where", "") else refs),
    "query.spellings-agree": queries(lambda refs, k: refs[1:] if k.get("data_id") else refs),
    "query.order-and-limit": wrap(
        direct, "query_dimension_records", lambda old, self, *a, **k: list(reversed(old(*a, **k)))
    ),
    "query.joins-are-memberships": wrap(direct, "query_data_ids", lambda old, self, *a, **k: old(*a, **k)[1:]),
    "query.records-are-complete": wrap(
        direct, "query_dimension_records", lambda old, self, *a, **k: [*old(*a, **k)] * 2
    ),
    "refusal.ingest": wrap(direct, "ingest", lossy_ingest),
    "refusal.put": wrap(direct, "put", leaky_put),
    "refusal.register": wrap(shim, "registerDatasetType", swallow),
    "refusal.certify": wrap(shim, "certify", swallow),
    "refusal.delete": wrap(direct, "pruneDatasets", greedy_prune),
    "refusal.read-only": wrap(shim, "registerRun", swallow),
    "transfer.export-import": wrap(
        exporter, "saveCollection", lambda old, self, name: None if name == "tag" else old(name)
    ),
    "transfer.records-come-along": wrap(exporter, "saveDataIds", only_dimensions),
    "transfer.between-repositories": wrap(
        direct, "transfer_from", lambda old, self, source, refs, **k: old(source, list(refs)[1:], **k)
    ),
    "transfer.artifacts": wrap(direct, "retrieveArtifacts", lambda old, self, refs, **k: old(list(refs)[1:], **k)),
    "names.safe-for-every-value": wrap(template, "format", lambda old, self, ref: f"{old(ref)}:x"),
    "names.collections": wrap(collections, "query", lambda old, self, *a, **k: list(old(*a, **k))[1:]),
    "names.templates": wrap(template, "format", lambda old, self, ref: f"{ref.run}/one"),
    "command.listings": script("queryCollections", lambda old, *a, **k: old(*a, **k)[::-1]),
    "command.chains": script("collectionChain", lambda old, *a, **k: old(*a, **{**k, "flatten": True})),
    "command.changes": script("associate", lambda old, *a, **k: None),
    "command.prune": wrap(direct, "pruneDatasets", lambda old, self, *a, **k: None),
    "command.files": wrap(direct, "retrieveArtifacts", lambda old, self, refs, **k: old(list(refs)[1:], **k)),
    "configuration.accepted-is-usable": wrap(direct, "exists", other_existence),
    "configuration.universes": wrap(direct, "exists", other_existence),
    "configuration.obscore-rows": wrap(obscore, "add_datasets", lambda old, self, *a, **k: 0),
    "membership.validity-ranges": wrap(shim, "decertify", lambda old, self, *a, **k: None),
    "membership.tags": wrap(shim, "disassociate", lambda old, self, *a, **k: None),
    "membership.summaries": wrap(
        shim, "getCollectionSummary", lambda old, self, name: old("r1" if name == "t2" else name)
    ),
    "membership.chains": wrap(collections, "prepend_chain", extend_instead),
    "membership.records-are-idempotent": wrap(
        shim, "syncDimensionData", lambda old, self, *a, **k: old(*a, **k) or True
    ),
    "value.timespans": wrap(timespan, "overlaps", inclusive_overlaps),
    "value.round-trips": wrap(timespan, "__reduce__", lambda old, self: (timespan(), (None, None))),
    "value.datastore-records": forget_table,
    "value.data-id-algebra": wrap(group, "union", lambda old, self, *others: self),
    "uri.names": wrap(file_path, "read", lambda old, self, size=-1: old(size) + b"x"),
    "uri.algebra": wrap(file_path, "updatedExtension", lambda old, self, ext: self),
    "uri.one-writer-wins": wrap(
        file_path, "transfer_from", lambda old, self, src, **k: old(src, **{**k, "overwrite": True})
    ),
    "uri.writing": wrap(file_path, "write", lambda old, self, data, overwrite=True: old(data, overwrite=True)),
}
"""For each property (without ``contract.``) a defect that it must find."""

EFFORTS = {
    "membership.tags": 0.3,
    "membership.validity-ranges": 0.3,
    "refusal.ingest": 0.4,
}
"""For defects that show in few of the cases, the part of them that is tried."""

USUAL_EFFORT = 0.1
"""Part of the cases that is tried elsewhere; `harness contract` tries all."""

BROKEN: dict[str, str] = {
    "query.once-without-dimensions": "a dataset without dimensions is listed once for each row of the join",
    "put.every-set-registers": "a set with subfilter and physical_filter cannot be registered",
    "search.ranges-of-one-dataset": "a dataset with several ranges is listed once for each",
    "refusal.remove-runs": "removeRuns of a run in a chain is refused after its datasets were removed",
    "transfer.import-twice": "a second import removes the files of the first",
    "names.never-collide": "different values become one file name, and the second put destroys the first",
    "uri.percent-signs": "relative_to decodes twice",
    "uri.one-mover-wins": "several movers win",
}
"""Properties that the installed release does not have, with what was seen: defects of the middleware, not seeded."""


@pytest.fixture(params=sorted(MUTANTS))
def mutant(request: pytest.FixtureRequest) -> tuple[str, Patch, float]:
    """The id of a property, the defect that it must find, and with what effort."""
    return f"contract.{request.param}", MUTANTS[request.param], EFFORTS.get(request.param, USUAL_EFFORT)


@pytest.fixture(params=sorted(BROKEN))
def broken_property(request: pytest.FixtureRequest) -> str:
    """The id of a property that does not hold."""
    return f"contract.{request.param}"


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[[float], Any]]:
    """Make what properties are given, with an effort."""
    from harness.contract.lab import Lab

    labs: list[Any] = []

    def make(effort: float) -> Any:
        folder = tmp_path / f"lab{len(labs)}"
        folder.mkdir()
        labs.append(Lab(folder, "seed", effort=effort))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture(scope="session")
def mutants() -> dict[str, Patch]:
    """All seeded defects."""
    return MUTANTS


@pytest.fixture(scope="session")
def broken() -> dict[str, str]:
    """What is broken in the installed release."""
    return BROKEN
