"""Searches through collections of every type, in every order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract
from .scene import CALIB, PLAIN, make_scene, span

if TYPE_CHECKING:
    from ..lab import Lab
    from .scene import Scene

__all__ = ["PROPERTIES"]

PATHS = 8
"""Paths tried, beside those of one collection."""

TIMES = {11: 1100.0, 12: 1200.0, 13: 1300.0, 14: 87_800.0}
"""Beginnings of the exposures (seconds after the world's first evening)."""


def paths(lab: Lab, scene: Scene, most: int = PATHS) -> list[tuple[str, ...]]:
    """Return search paths: every collection alone, the two orders of some pairs, and longer ones at random."""
    from itertools import permutations

    names = [n for n in (*scene.members, *scene.ranges, *scene.chains) if n not in ("old", "new", "empty")]
    found = [(n,) for n in names]
    some = [("run1", "cal1"), ("cal1", "run1"), ("tag1", "cal2"), ("cal2", "tag1"), ("cal2", "cal1", "run1")]
    longer = [*permutations(names, 2), *permutations(names, 3), *permutations(names, 4)]
    return [*lab.some(found), *lab.some(some), *lab.rng.sample(longer, lab.few(most))]


@contract("contract.search.first-wins", title="A search finds the dataset of the first collection that has one")
def first_wins(lab: Lab) -> None:
    """The order of collections is how a user says which version of a dataset is meant. Any way of searching, through
    any types of collections, must find the same one; else results come from inputs that nobody chose.
    """
    from lsst.daf.butler import CalibrationLookupError, DatasetNotFoundError

    scene = make_scene(lab)
    butler = scene.butler

    def deferred(name: str, path: tuple[str, ...], detector: int, exposure: int) -> Any:
        own = {"instrument": "CamA", "detector": detector, "exposure": exposure}
        try:
            return butler.getDeferred(name, own, collections=path).ref.id
        except DatasetNotFoundError:
            return None

    for path in paths(lab, scene):
        for name in (PLAIN, CALIB):
            with lab.step(f"search {name} in {', '.join(path)}"):
                found, old, expected = {}, {}, {}
                for d in (1, 2, 3):
                    own = {"instrument": "CamA", "detector": d}
                    found[d] = getattr(butler.find_dataset(name, own, collections=path), "id", None)
                    old[d] = getattr(butler.registry.findDataset(name, own, collections=path), "id", None)
                    expected[d] = scene.find(name, d, path)
                lab.equal(found, expected, "find_dataset")
                lab.equal(old, expected, "findDataset")
        for exposure, time in lab.rng.sample(sorted(TIMES.items()), 2):
            with lab.step(f"search {CALIB} in {', '.join(path)} at exposure {exposure}"):
                expected = {d: scene.find(CALIB, d, path, time) for d in (1, 2, 3)}
                found = {d: deferred(CALIB, path, d, exposure) for d in expected}
                lab.equal(found, expected, "get")
                found = {
                    d: getattr(
                        butler.find_dataset(
                            CALIB,
                            {"instrument": "CamA", "detector": d},
                            collections=path,
                            timespan=span(time, time + 30),
                        ),
                        "id",
                        None,
                    )
                    for d in expected
                }
                lab.equal(found, expected, "find_dataset with a time span")
                wanted = {i for i in expected.values() if i is not None}
                where = f"instrument = 'CamA' AND exposure = {exposure}"
                try:
                    got = [r.id for r in butler.query_datasets(CALIB, path, where=where, explain=False)]
                except CalibrationLookupError:
                    lab.expect(False, "query_datasets says that the match is ambiguous")
                else:
                    lab.equal(set(got), wanted, "query_datasets of an exposure")
                    lab.equal(len(got), len(set(got)), "query_datasets of an exposure gives a dataset twice")


@contract("contract.search.queries-find-first", title="A query for the first of each gives what finding each one gives")
def queries_find_first(lab: Lab) -> None:
    """Graphs are made by queries, datasets are read by searches: if they differ, a task reads another dataset than
    the graph says.
    """
    from lsst.daf.butler import CalibrationLookupError, DatasetType

    scene = make_scene(lab)
    butler = scene.butler
    for path in paths(lab, scene):
        with lab.step(f"query {PLAIN} in {', '.join(path)}"):
            expected = {d: scene.find(PLAIN, d, path) for d in (1, 2, 3)}
            wanted = {d: i for d, i in expected.items() if i is not None}
            new = butler.query_datasets(PLAIN, path, explain=False)
            lab.equal({r.dataId["detector"]: r.id for r in new}, wanted, "query_datasets")
            lab.equal(len(new), len(wanted), "query_datasets gives more than one of a data ID")
            old = list(butler.registry.queryDatasets(PLAIN, collections=path, findFirst=True))
            lab.equal({r.dataId["detector"]: r.id for r in old}, wanted, "queryDatasets")
            lab.equal(len(old), len(wanted), "queryDatasets gives more than one of a data ID")
            with butler.query() as query:
                ids = {row["detector"] for row in query.join_dataset_search(PLAIN, path).data_ids(["detector"])}
            lab.equal(ids, set(wanted), "data IDs of a joined search")
            ids = {r["detector"] for r in butler.registry.queryDataIds(["detector"], datasets=PLAIN, collections=path)}
            lab.equal(ids, set(wanted), "queryDataIds with a dataset")
        if all(c in scene.members for c in scene.flat(path)):
            with lab.step(f"query the calibration {CALIB} in {', '.join(path)}"):
                wanted = {d: i for d in (1, 2, 3) if (i := scene.find(CALIB, d, path)) is not None}
                new = butler.query_datasets(
                    DatasetType.from_simple(_simple(butler), butler.dimensions), path, explain=False
                )
                lab.equal({r.dataId["detector"]: r.id for r in new}, wanted, "query_datasets")
        with lab.step(f"query {CALIB} in {', '.join(path)} for all exposures"):
            try:
                rows = _general(butler, path)
            except CalibrationLookupError:
                lab.expect(False, "a query says that the match is ambiguous")
                continue
            pairs = {
                (d, e): scene.find(CALIB, d, path, t)
                for d in (1, 2, 3)
                for e, t in TIMES.items()
                if scene.find(CALIB, d, path, t) is not None
            }
            lab.equal({(d, e): i for d, e, i in rows}, pairs, "a query of exposures with their calibrations")
            lab.equal(len(rows), len(pairs), "a query of exposures gives more than one calibration for one")


def _simple(butler: Any) -> Any:
    """Return the serialised calibration type: by name and by value must be the same."""
    return butler.get_dataset_type(CALIB).to_simple()


def _general(butler: Any, path: tuple[str, ...]) -> list[tuple[int, int, Any]]:
    """Query the detectors of all exposures of an instrument with the calibration of each."""
    dimensions = butler.dimensions.conform(["detector", "exposure"])
    with butler.query() as query:
        query = query.join_dataset_search(CALIB, path).where(instrument="CamA")
        rows = query.general(dimensions, dataset_fields={CALIB: {"dataset_id"}}, find_first=True)
        return [(row["detector"], row["exposure"], row[f"{CALIB}.dataset_id"]) for row in rows]


@contract("contract.search.all-without-duplicates", title="A query for all datasets gives each of them once")
def all_without_duplicates(lab: Lab) -> None:
    """Datasets that are in several collections of a path, or have several validity ranges, are still one dataset; one
    that is counted twice is transferred, processed or deleted twice.
    """
    scene = make_scene(lab)
    butler = scene.butler
    for path in paths(lab, scene):
        for name in (PLAIN, CALIB):
            with lab.step(f"query all {name} in {', '.join(path)}"):
                wanted = scene.all(name, path)
                new = [r.id for r in butler.query_datasets(name, path, find_first=False, explain=False)]
                old = [r.id for r in butler.registry.queryDatasets(name, collections=path, findFirst=False)]
                lab.equal(set(new), wanted, "query_datasets of all")
                lab.equal(set(old), wanted, "queryDatasets of all")
                lab.equal(len(new), len(set(new)), "query_datasets gives a dataset twice")
                with butler.query() as query:
                    results = query.datasets(name, path, find_first=False)
                    lab.equal(results.count(), len(wanted), "count of the results")
                    lab.equal(results.any(), bool(wanted), "whether there are any")


@contract("contract.search.chain-is-children", title="A chain behaves as its children in order")
def chain_is_children(lab: Lab) -> None:
    """Chains are how collections are given to users; whatever is asked of a chain, nested or empty or holding every
    type of collection, must be answered as for the list of what is in it.
    """
    from ..state import associations

    scene = make_scene(lab)
    butler = scene.butler
    for chain in scene.chains:
        flat = scene.flat(chain)
        with lab.step(f"flatten chain {chain}"):
            lab.equal(
                tuple(butler.collections.query(chain, flatten_chains=True)), tuple(flat), "collections.query flattened"
            )
            got = tuple(butler.registry.queryCollections(chain, flattenChains=True))
            lab.equal(got, tuple(flat), "queryCollections flattened")
            lab.equal(tuple(butler.registry.getCollectionChain(chain)), scene.chains[chain], "getCollectionChain")
            lab.equal(tuple(butler.collections.get_info(chain).children), scene.chains[chain], "get_info")
        for name in (PLAIN, CALIB):
            with lab.step(f"ask for {name} in chain {chain} and in its children"):
                old = associations(butler, name, [chain])
                lab.equal(old, associations(butler, name, flat) if flat else set(), "associations")
                for first in (True, False):
                    if first and name == CALIB:
                        continue
                    a = [r.id for r in butler.query_datasets(name, [chain], find_first=first, explain=False)]
                    b = (
                        [r.id for r in butler.query_datasets(name, flat, find_first=first, explain=False)]
                        if flat
                        else []
                    )
                    lab.equal(sorted(a), sorted(b), f"query_datasets with find_first={first}")
        with lab.step(f"summarise chain {chain}"):
            types = set(butler.registry.getCollectionSummary(chain).dataset_types.names)
            expected = {n for c in flat for n in butler.registry.getCollectionSummary(c).dataset_types.names}
            lab.equal(types, expected, "dataset types of the summary")
            instruments = set(butler.registry.getCollectionSummary(chain).governors.get("instrument", set()))
            lab.equal(instruments, {"CamA"} if flat else set(), "instruments of the summary")
            info = butler.collections.query_info(chain, include_summary=True, flatten_chains=True)
            seen = {i.name: set(i.dataset_types or ()) for i in info}
            wanted = {c: set(butler.registry.getCollectionSummary(c).dataset_types.names) for c in flat}
            lab.equal(seen, wanted, "query_info with summaries")


@contract("contract.search.associations-are-contents", title="Associations tell each membership once, with its range")
def associations_are_contents(lab: Lab) -> None:
    """Associations are what is exported and audited: one too few loses a calibration."""
    scene = make_scene(lab)
    butler = scene.butler
    for path in paths(lab, scene):
        for name in (PLAIN, CALIB):
            with lab.step(f"list associations of {name} in {', '.join(path)}"):
                expected = []
                for c in scene.flat(path):
                    expected += [(c, r.id, None) for (n, _), r in scene.members.get(c, {}).items() if n == name]
                    if name == CALIB:
                        expected += [(c, r.id, span(b, e)) for _, b, e, r in scene.ranges.get(c, [])]
                items = butler.registry.queryDatasetAssociations(name, collections=path, flattenChains=True)
                seen = [(a.collection, a.ref.id, a.timespan) for a in items]
                lab.equal(sorted(seen, key=str), sorted(expected, key=str), "queryDatasetAssociations")
                # whether chains are followed unless that is said differs between releases; a part is all right, an
                # error is not
                for options in ({}, {"flattenChains": False}):
                    some = butler.registry.queryDatasetAssociations(name, collections=path, **options)
                    more = [a for a in some if (a.collection, a.ref.id, a.timespan) not in expected]
                    lab.equal(more, [], f"queryDatasetAssociations with {options} gives more")


@contract("contract.search.ranges-of-one-dataset", title="A dataset with several validity ranges is still one dataset")
def ranges_of_one_dataset(lab: Lab) -> None:
    """A bias that is taken up again after another was in use has two ranges. It must not be listed twice, or it is
    exported, counted and copied twice.
    """
    from lsst.daf.butler import CollectionType

    butler = lab.repository(runs=["run"], types={CALIB: ("instrument", "detector")})
    refs = [butler.put({}, CALIB, instrument="CamA", detector=d, run="run") for d in (1, 2)]
    butler.registry.registerCollection("cal", CollectionType.CALIBRATION)
    for begin, end in ((0, 1000), (2000, 3000), (5000, None)):
        butler.registry.certify("cal", refs[:1], span(begin, end))
    butler.registry.certify("cal", refs[1:], span(None, None))
    for path in (["cal"], ["cal", "run"], ["run", "cal"]):
        with lab.step(f"query a calibration with three validity ranges in {', '.join(path)}"):
            new = [r.id for r in butler.query_datasets(CALIB, path, find_first=False, explain=False)]
            lab.equal(sorted(new), sorted(r.id for r in refs), "query_datasets")
            old = [r.id for r in butler.registry.queryDatasets(CALIB, collections=path, findFirst=False)]
            lab.equal(sorted(set(old)), sorted(r.id for r in refs), "queryDatasets")
    spans = [a.timespan for a in butler.registry.queryDatasetAssociations(CALIB, collections="cal")]
    lab.equal(len(spans), 4, "associations do not tell each range")


PROPERTIES = (
    ranges_of_one_dataset,
    first_wins,
    queries_find_first,
    all_without_duplicates,
    chain_is_children,
    associations_are_contents,
)
