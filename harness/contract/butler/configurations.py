"""Repositories of every configuration: what can be made can be opened and used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import NotApplicableError, contract

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]

OBSCORE: dict[str, Any] = {
    "namespace": "daf_butler_obscore",
    "version": 0,
    "facility_name": "contract",
    "obs_collection": "contract",
    "collection_type": "RUN",
    "collections": ["run.*"],
    "dataset_types": {
        "raw": {
            "dataproduct_type": "image",
            "calib_level": 1,
            "obs_id_fmt": "{records[exposure].obs_id}",
            "access_format": "image/fits",
        }
    },
}

MANAGER = "lsst.daf.butler.registry.obscore.ObsCoreLiveTableManager"


def _files(name: str) -> dict[str, Any]:
    return {
        "cls": "lsst.daf.butler.datastores.fileDatastore.FileDatastore",
        "root": f"<butlerRoot>/{name}",
        "name": name,
        "records": {"table": f"{name}_records"},
    }


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "checksums": {"datastore": {"checksum": True}},
    "ObsCore without its configuration": {"registry": {"managers": {"obscore": MANAGER}}},
    "ObsCore": {"registry": {"managers": {"obscore": {"cls": MANAGER, "config": OBSCORE}}}},
    "ObsCore of nothing": {
        "registry": {"managers": {"obscore": {"cls": MANAGER, "config": {**OBSCORE, "dataset_types": {}}}}}
    },
    "in memory": {"datastore": {"cls": "lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore"}},
    "chained": {
        "datastore": {
            "cls": "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore",
            "datastores": [_files("first"), _files("second")],
        }
    },
    "chained with memory": {
        "datastore": {
            "cls": "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore",
            "datastores": [
                {"cls": "lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore"},
                _files("first"),
            ],
        }
    },
    "a template": {"datastore": {"templates": {"default": "{run:/}/{datasetType}/{id}"}}},
    "disassembled": {"datastore": {"composites": {"default": True}}},
    "a database name": {"registry": {"db": "sqlite:///<butlerRoot>/gen3.sqlite3"}},
    "a cache": {"datastore": {"cached": {"root": None, "cacheable": {"raw": True}, "default": True}}},
}
"""What a site may configure."""


def _use(lab: Lab, butler: Any, same_process: Any) -> None:
    """Put, find, get, query, tag and remove."""
    from lsst.daf.butler import CollectionType

    ref = butler.put({"n": 1}, "raw", instrument="CamA", exposure=11, detector=1, run="run")
    other = butler.put({"n": 2}, "raw", instrument="CamB", exposure=12, detector=2, run="run")
    lab.equal(butler.get(ref), {"n": 1}, "value")
    butler.registry.registerCollection("tag", CollectionType.TAGGED)
    butler.registry.associate("tag", [ref])
    fresh = same_process or lab.open(butler, writeable=True)
    lab.equal(
        fresh.get("raw", instrument="CamB", exposure=12, detector=2, collections="run"), {"n": 2}, "another's value"
    )
    lab.equal({r.id for r in fresh.query_datasets("raw", "run")}, {ref.id, other.id}, "datasets")
    lab.equal([r.id for r in fresh.query_datasets("raw", "tag")], [ref.id], "tagged datasets")
    lab.expect(bool(fresh.exists(ref)), "exists says that it is not there")
    fresh.pruneDatasets([ref], purge=True, unstore=True, disassociate=True)
    lab.equal([r.id for r in fresh.query_datasets("raw", "run")], [other.id], "datasets after a purge")
    again = fresh.put({"n": 3}, "raw", instrument="CamA", exposure=11, detector=1, run="run")
    lab.equal(fresh.get(again), {"n": 3}, "value of a dataset that was put again")
    fresh.removeRuns(["run"])
    lab.equal(list(fresh.registry.queryDatasets("raw", collections=...)), [], "datasets after all")


@contract(
    "contract.configuration.accepted-is-usable", title="A configuration that makeRepo accepts gives a usable repository"
)
def accepted_is_usable(lab: Lab) -> None:
    """A mistake in a configuration must be refused when the repository is made; if it is found when the repository is
    opened, there is one that nobody can use.
    """
    from lsst.daf.butler import Butler, Config

    for number, name in enumerate(lab.rng.sample(sorted(CONFIGURATIONS), lab.few(len(CONFIGURATIONS)))):
        config = CONFIGURATIONS[name]
        folder = lab.root / f"repo{number}"
        try:
            Butler.makeRepo(str(folder), config=Config(dict(config)))
        except Exception:  # refused when it is made: right
            lab.examined()
            continue
        with lab.step(f"open a repository with configuration: {name}"):
            butler = lab.open(folder, writeable=True)
            _fill(lab, butler)
        with lab.step(f"use a repository with configuration: {name}"):
            _use(lab, butler, butler if "memory" in name else None)


def _fill(lab: Lab, butler: Any) -> None:
    from ..world import records

    needed = {*butler.dimensions.conform(["exposure", "detector"]).elements}
    for element, items in records(butler.dimensions):
        if element in needed:
            butler.registry.insertDimensionData(element, *items)
    butler.registry.registerRun("run")
    lab.register_type(butler, "raw", ["exposure", "detector"], "StructuredDataDict")


@contract("contract.configuration.universes", title="Repositories of earlier dimension universes can be made and used")
def universes(lab: Lab) -> None:
    """Observatories keep their repositories for years; the code that reads them is of today."""
    applies = 0
    for version in sorted(lab.rng.sample((3, 5, 6, 7, 8), lab.few(5))):
        try:
            before = lab.skipped
            with lab.step(f"use a repository of universe {version}"):
                butler = lab.repository(
                    f"u{version}", universe=version, runs=["run"], types={"raw": ("exposure", "detector")}
                )
                applies += 1
                lab.equal(butler.dimensions.version, version, "version of its universe")
                _use(lab, butler, None)
            lab.skipped = before  # one that is not shipped is not the whole
        except NotApplicableError:
            continue
    lab.needs(applies, "earlier dimension universe")


@contract(
    "contract.configuration.obscore-rows",
    title="The ObsCore table has a row for each dataset that it is configured for",
)
def obscore_rows(lab: Lab) -> None:
    """The table is what the world queries; it must follow each put, tag and removal."""
    config = {"registry": {"managers": {"obscore": {"cls": MANAGER, "config": OBSCORE}}}}
    butler = lab.repository(
        config=config, runs=["run", "other"], types={"raw": ("exposure", "detector"), "more": ("exposure",)}
    )
    lab.needs(hasattr(butler.registry, "obsCoreTableManager"), "Registry.obsCoreTableManager")
    manager = butler.registry.obsCoreTableManager
    lab.needs(manager is not None, "ObsCore manager")

    def table() -> list[str]:
        with manager.query(["obs_id"]) as result:
            return sorted(row[0] for row in result)

    with lab.step("put, ingest and remove"):
        refs = [butler.put({}, "raw", instrument="CamA", exposure=e, detector=1, run="run") for e in (11, 12)]
        butler.put({}, "more", instrument="CamA", exposure=11, run="run")
        butler.put({}, "raw", instrument="CamA", exposure=11, detector=1, run="other")
        lab.equal(table(), ["CamA_11", "CamA_12"], "rows after puts")
        butler.pruneDatasets(refs[:1], purge=True, unstore=True, disassociate=True)
        lab.equal(table(), ["CamA_12"], "rows after a purge")
        butler.removeRuns(["run"])
        lab.equal(table(), [], "rows after the removal of the run")


PROPERTIES = (accepted_is_usable, universes, obscore_rows)
