"""Queries: the order, the size and the completeness of what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract
from .observed import observed

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["ANSWERS"]


@contract(
    "contract.query.order-and-limit", title="An order sorts, a limit takes the first, and neither changes the rest"
)
def order_and_limit(lab: Lab) -> None:
    """Pages of a listing are made of limits and orders; a row that is lost or twice between pages is never seen."""
    butler = observed(lab)
    keys: list[tuple[tuple[str, ...], Any]] = [
        (("instrument", "exposure"), lambda r: (r.instrument, r.id)),
        (("-instrument", "exposure"), lambda r: (-ord(r.instrument[-1]), r.id)),
        (("-exposure", "instrument"), lambda r: (-r.id, r.instrument)),
        (("exposure.obs_id",), lambda r: r.obs_id),
        (("-exposure.tracking_ra", "instrument"), lambda r: (-r.tracking_ra, r.instrument)),
        (("exposure.timespan.begin", "-instrument"), lambda r: (r.timespan.begin, -ord(r.instrument[-1]))),
        (("physical_filter", "-exposure.seq_num"), lambda r: (r.physical_filter, -r.seq_num)),
    ]
    everything = list(butler.registry.queryDimensionRecords("exposure"))
    lab.equal(len(everything), 8, "records of two instruments")
    for order, key in keys:
        wanted = [(r.instrument, r.id) for r in sorted(everything, key=key)]
        for limit in (None, 1, 3, 8, 100):
            with lab.step(f"records of exposures by {', '.join(order)}, at most {limit}"):
                got = butler.query_dimension_records("exposure", order_by=order, limit=limit)
                lab.equal([(r.instrument, r.id) for r in got], wanted[:limit], "query_dimension_records")
                ids = butler.query_data_ids(["exposure"], order_by=order, limit=limit)
                lab.equal([(d["instrument"], d["exposure"]) for d in ids], wanted[:limit], "query_data_ids")
        with lab.step(f"old records of exposures by {', '.join(order)}"):
            old = butler.registry.queryDimensionRecords("exposure").order_by(*order).limit(3)
            lab.equal([(r.instrument, r.id) for r in old], wanted[:3], "queryDimensionRecords")
    everything_raw = butler.query_datasets("raw", "run", order_by=("instrument", "exposure", "detector"))
    key_of = [(r.dataId["instrument"], r.dataId["exposure"], r.dataId["detector"]) for r in everything_raw]
    lab.equal(key_of, sorted(key_of), "datasets are not in the order asked for")
    for limit in (0, 1, 5, len(key_of), 10_000):
        with lab.step(f"datasets by data ID, at most {limit}"):
            got = butler.query_datasets(
                "raw", "run", order_by=("instrument", "exposure", "detector"), limit=limit, explain=False
            )
            lab.equal([r.id for r in got], [r.id for r in everything_raw[:limit]], "query_datasets")
    with lab.step("count"), butler.query() as query:
        lab.equal(query.datasets("raw", "run").count(), len(key_of), "count of datasets")
        lab.equal(query.dimension_records("exposure").count(), 8, "count of records")
        lab.equal(query.data_ids(["exposure", "detector"]).count(), 24, "count of data IDs")


@contract("contract.query.joins-are-memberships", title="Data IDs of several dimensions are those that belong together")
def joins_are_memberships(lab: Lab) -> None:
    """Which exposure is in which visit, which visit touches which patch: graphs are made of these joins. A pair too
    many or too few is a task that gets wrong inputs.
    """
    from ..world import data_ids, records

    butler = observed(lab)
    for names in (
        ("exposure", "detector"),
        ("visit", "exposure"),
        ("visit", "exposure", "detector"),
        ("visit", "visit_system"),
        ("physical_filter",),
        ("band", "instrument", "physical_filter"),
        ("tract", "patch"),
        ("band", "skymap"),
    ):
        group = butler.dimensions.conform(names)
        wanted = {tuple(r[k] for k in group.required) for r in data_ids(group)}
        with lab.step(f"data IDs of {', '.join(names)}"):
            got = [d.required_values for d in butler.query_data_ids(names)]
            lab.equal(set(got), wanted, "query_data_ids")
            lab.equal(len(got), len(set(got)), "query_data_ids gives one twice")
            lab.equal({d.required_values for d in butler.registry.queryDataIds(names)}, wanted, "queryDataIds")
    world = dict(records(butler.dimensions))
    for left, right in (("visit", "tract"), ("visit_detector_region", "patch"), ("visit", "patch")):
        wanted_pairs = {
            (*a.dataId.required_values, *b.dataId.required_values)
            for a in world[left]
            for b in world[right]
            if a.region.relate(b.region) & _disjoint() == 0
        }
        names = tuple({*world[left][0].dataId.dimensions.required, *world[right][0].dataId.dimensions.required})
        with lab.step(f"data IDs of {left} and {right} that overlap on the sky"):
            a, b = world[left][0].dataId.dimensions, world[right][0].dataId.dimensions
            got = [(*d.subset(a).required_values, *d.subset(b).required_values) for d in butler.query_data_ids(names)]
            lab.expect(
                set(got) <= wanted_pairs or not _certain(wanted_pairs, got, world, left, right), "a pair too many"
            )
            lab.equal(wanted_pairs - set(got), set(), "pairs that overlap are missing")
            lab.equal(len(got), len(set(got)), "query_data_ids gives one twice")


def _disjoint() -> Any:
    from lsst.sphgeom import DISJOINT

    return DISJOINT


def _certain(wanted: Any, got: Any, world: Any, left: str, right: str) -> bool:
    """Whether any pair beyond the wanted ones is surely apart."""
    extra = set(got) - set(wanted)
    regions = {
        (*a.dataId.required_values, *b.dataId.required_values): (a.region, b.region)
        for a in world[left]
        for b in world[right]
    }
    return any((regions[e][0].relate(regions[e][1]) & _disjoint()) != 0 for e in extra)


@contract(
    "contract.query.records-are-complete", title="Records come back as they were inserted, and only with what fits"
)
def records_are_complete(lab: Lab) -> None:
    """Everything that is asked of an observation is asked of its dimension records."""
    from ..state import record_values
    from ..world import records

    butler = lab.repository()
    for element, items in records(butler.dimensions):
        wanted = {record_values(r) for r in items}
        with lab.step(f"records of {element}"):
            new = [record_values(r) for r in butler.query_dimension_records(element)]
            old = [record_values(r) for r in butler.registry.queryDimensionRecords(element)]
            lab.equal(set(new), wanted, "query_dimension_records")
            lab.equal(set(old), wanted, "queryDimensionRecords")
            lab.equal(len(new), len(wanted), "query_dimension_records gives a record twice")
        if "instrument" in butler.dimensions[element].required.names:
            with lab.step(f"records of {element} of one instrument"):
                own = {record_values(r) for r in items if r.dataId["instrument"] == "CamB"}
                got = {record_values(r) for r in butler.query_dimension_records(element, instrument="CamB")}
                lab.equal(got, own, "query_dimension_records of an instrument")
                got = {record_values(r) for r in butler.registry.queryDimensionRecords(element, instrument="CamB")}
                lab.equal(got, own, "queryDimensionRecords of an instrument")
        for item in items[:2]:
            with lab.step(f"expand the data ID of a record of {element}"):
                got_record = butler.registry.expandDataId(item.dataId).records[element]
                lab.equal(record_values(got_record), record_values(item), "expandDataId")


ANSWERS = (order_and_limit, joins_are_memberships, records_are_complete)
