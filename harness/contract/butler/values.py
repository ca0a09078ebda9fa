"""Values of the public interface: what is written and read again is equal, and the algebra holds."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

from ..base import contract
from .scene import span

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]


@contract("contract.value.timespans", title="Time spans behave as sets of integers")
def timespans(lab: Lab) -> None:
    """Validity ranges and exposures are compared, cut and joined; each operation is decided by whole nanoseconds."""
    from lsst.daf.butler import Timespan

    units = {t: span(float(t), None).nsec[0] for t in range(-1, 9)}

    def members(value: Any) -> frozenset[int]:
        low, high = value.nsec
        return frozenset(t for t, nsec in units.items() if low <= nsec < high)

    ends = [None, *range(0, 8)]
    values = {(b, e): span(b, e) for b in ends for e in ends if b is None or e is None or b < e}
    values["empty", "empty"] = Timespan.makeEmpty()
    sets = {key: members(value) for key, value in values.items()}
    for a in lab.rng.sample(sorted(values, key=str), 14):
        one = values[a]
        lab.equal(Timespan(one.begin, one.end), one, f"span {a} of its own bounds")
        for b in lab.rng.sample(sorted(values, key=str), 14):
            two = values[b]
            left, right = sets[a], sets[b]
            lab.equal(one.overlaps(two), bool(left & right), f"{a} overlaps {b}")
            lab.equal(one.contains(two), right <= left if right else one.contains(two), f"{a} contains {b}")
            lab.equal(members(one.intersection(two)), left & right, f"{a} intersected with {b}")
            pieces = [members(p) for p in one.difference(two)]
            lab.equal(frozenset().union(*pieces), left - right, f"{a} without {b}")
            if left and right:
                lab.equal(
                    one < two, max(left) < min(right) and b[0] is not None and a[1] is not None, f"{a} before {b}"
                )
                lab.equal(one < two, two > one, f"{a} before {b} and {b} after {a}")
            lab.equal(one == two, a == b, f"{a} equals {b}")


def round_trips(value: Any, universe: Any) -> dict[str, Any]:
    """Return a value after each way in which it can be written and read again."""
    kind = type(value)
    found = {
        "pickle": pickle.loads(pickle.dumps(value)),  # noqa: S301 - written here
        "copy": copy.copy(value),
        "deepcopy": copy.deepcopy(value),
    }
    if hasattr(value, "to_simple") and hasattr(kind, "from_simple"):
        simple = value.to_simple()
        found["to_simple"] = kind.from_simple(simple, universe=universe)
        if hasattr(simple, "model_dump_json"):
            found["to_simple and JSON"] = kind.from_simple(
                type(simple).model_validate_json(simple.model_dump_json()), universe=universe
            )
    if hasattr(value, "to_json") and hasattr(kind, "from_json"):
        found["to_json"] = kind.from_json(value.to_json(), universe=universe)
    return found


@contract("contract.value.round-trips", title="Values are equal after pickling, copying and JSON")
def values_round_trips(lab: Lab) -> None:
    """Graphs are pickled, servers speak JSON, processes copy: a value that is another on the other side is found, if
    at all, as a wrong input.
    """
    from lsst.daf.butler import Config, DatasetRef, Timespan

    from ..state import record_values
    from ..world import records

    butler = lab.repository(
        runs=["run"],
        types={
            "raw": ("exposure", "detector"),
            "acalib": ("instrument",),
            "none": (),
            "pair": (("visit",), "ContractPair"),
        },
    )
    registry, universe = butler.registry, butler.dimensions
    expanded = registry.expandDataId(instrument="CamA", exposure=11, detector=2)
    refs = [
        butler.put({}, "raw", expanded, run="run"),
        butler.put({}, "none", run="run"),
        butler.put({}, "acalib", instrument="CamB", run="run"),
    ]
    things: list[tuple[str, Any]] = [
        ("a dataset type", refs[0].datasetType),
        ("a calibration type", refs[2].datasetType),
        ("a component type", butler.get_dataset_type("pair").makeComponentDatasetType("left")),
        ("a reference", refs[0]),
        ("a reference without data ID", refs[1]),
        ("an expanded reference", registry.expandDataId(refs[0].dataId) and refs[0].expanded(expanded)),
        (
            "a component reference",
            DatasetRef(
                butler.get_dataset_type("pair"), registry.expandDataId(instrument="CamA", visit=11), run="run"
            ).makeComponentRef("left"),
        ),
        ("a data ID", refs[0].dataId),
        ("an expanded data ID", expanded),
        ("an empty data ID", refs[1].dataId),
        ("a dimension group", expanded.dimensions),
        ("a time span", span(1, 2)),
        ("an unbounded time span", Timespan(None, None)),
        ("an empty time span", Timespan.makeEmpty()),
        ("a universe", universe),
    ]
    storage_class = refs[0].datasetType.storageClass
    kind = type(storage_class)
    if kind.__name__ == "StorageClass" or any("__reduce__" in vars(c) for c in kind.__mro__[:-1]):
        # releases that made a class for each storage class never meant them to be pickled
        things.append(("a storage class", storage_class))
    for name, value in things:
        with lab.step(f"write and read {name}"):
            try:
                trips = round_trips(value, universe)
            except pickle.PicklingError as error:
                lab.expect(False, f"{name} cannot be pickled", seen=error)
                continue
            for way, got in trips.items():
                lab.equal(got, value, f"{name} after {way}")
                lab.equal(type(got), type(value), f"type of {name} after {way}")
                if hasattr(value, "__hash__") and value.__hash__ is not None:
                    lab.equal(hash(got), hash(value), f"hash of {name} after {way}")
                for attribute in (
                    "id",
                    "run",
                    "dataId",
                    "datasetType",
                    "required_values",
                    "full_values",
                    "dimensions",
                    "nsec",
                    "names",
                ):
                    if attribute == "full_values" and not getattr(value, "hasFull", bool)():
                        continue
                    if hasattr(value, attribute):
                        lab.equal(
                            getattr(got, attribute), getattr(value, attribute), f"{attribute} of {name} after {way}"
                        )
                if hasattr(value, "isCalibration") and not hasattr(value, "run"):
                    lab.equal(got.isCalibration(), value.isCalibration(), f"calibration after {way}")
    for element, items in records(universe):
        with lab.step(f"write and read records of {element}"):
            for way, got in round_trips(items[0], universe).items():
                lab.equal(got, items[0], f"a record of {element} after {way}")
                lab.equal(record_values(got), record_values(items[0]), f"fields of a record of {element} after {way}")
    with lab.step("write and read a configuration"):
        config = Config({"a": {"b": [1, 2, {"c": None}]}, "d": "é", "e.f": 1.5})
        path = lab.root / "config.yaml"
        config.dumpToUri(str(path))
        lab.equal(Config(str(path)).toDict(), config.toDict(), "configuration after a file")
        lab.equal(Config.fromString(config.dump()).toDict(), config.toDict(), "configuration after text")
        lab.equal(pickle.loads(pickle.dumps(config)).toDict(), config.toDict(), "after pickle")  # noqa: S301
    with lab.step("pickle a butler"):
        got = pickle.loads(pickle.dumps(lab.open(butler, collections="run")))  # noqa: S301
        lab.equal(got.get("raw", expanded), {}, "value from a pickled butler")
        lab.equal(tuple(got.collections.defaults), ("run",), "collections of a pickled butler")


@contract("contract.value.datastore-records", title="Records of stored files are equal after JSON")
def datastore_records(lab: Lab) -> None:
    """A job on another machine knows the files only by these records: path, formatter, size and checksum must come
    through whatever they look like.
    """
    import json

    from lsst.daf.butler import Quantum, QuantumBackedButler

    butler = lab.repository(
        config={"datastore": {"checksum": True}},
        runs=["run"],
        types={"raw": ("exposure", "detector"), "pair": (("visit",), "ContractPair")},
    )
    from ..things import Pair

    refs = [
        butler.put({"n": n}, "raw", instrument="CamA", exposure=e, detector=1, run="run")
        for n, e in enumerate((11, 12, 13))
    ]
    refs.append(butler.put(Pair({"a": 1}, [2]), "pair", instrument="CamA", visit=11, run="run"))
    datastore = butler._datastore
    records = datastore.export_records(refs)
    lab.expect(bool(records), "there are no records")

    def random_checksums(data: Any) -> Any:
        """Return records whose checksums are of every length that some algorithm has: also that of a UUID."""
        for dataset, tables in data.records.items():
            for table, infos in tables.items():
                digits = "".join(lab.rng.choices("0123456789abcdef", k=lab.rng.choice((8, 32, 32, 40, 64, 128))))
                tables[table] = [i.update(checksum=digits) if hasattr(i, "checksum") else i for i in infos]
            lab.examined(bool(dataset))
        return data

    def plain(data: Any) -> Any:
        found = {}
        for dataset, tables in data.records.items():
            for table, infos in tables.items():
                found[str(dataset), table] = sorted(
                    json.dumps(i.to_record(), sort_keys=True, default=str) for i in infos
                )
        return found

    for name, data in [*records.items(), *((n, random_checksums(copy.deepcopy(d))) for n, d in records.items())]:
        with lab.step(f"write and read the records of {name}"):
            simple = data.to_simple()
            text = simple.model_dump_json()
            again = type(data).from_simple(type(simple).model_validate_json(text))
            lab.equal(plain(again), plain(data), "records after JSON")
            for dataset, tables in data.records.items():
                for table, infos in tables.items():
                    got = again.records[dataset][table]
                    lab.equal(
                        [type(v) for i in got for v in i.to_record().values()],
                        [type(v) for i in infos for v in i.to_record().values()],
                        "types of their values after JSON",
                    )
            lab.equal(plain(pickle.loads(pickle.dumps(data))), plain(data), "records after pickle")  # noqa: S301
            lab.equal(again.to_simple().model_dump_json(), text, "JSON of the records that were read")
    with lab.step("read with a butler of records alone"):
        from ..lab import repository_root

        read = {}
        for name, data in records.items():
            simple = data.to_simple()
            read[name] = type(data).from_simple(type(simple).model_validate_json(simple.model_dump_json()))
        inputs = {refs[0].datasetType: refs[:3]}
        quantum = Quantum(taskName="x", inputs=inputs, datastore_records=read)
        limited = QuantumBackedButler.initialize(str(repository_root(butler)), quantum, butler.dimensions)
        for ref in refs[:3]:
            lab.equal(limited.get(ref), butler.get(ref), "value")


@contract("contract.value.data-id-algebra", title="Data IDs and dimension groups obey the laws of sets")
def data_id_algebra(lab: Lab) -> None:
    """Graph building is unions and subsets of data IDs; each law that does not hold is a quantum with a wrong ID."""
    from lsst.daf.butler import DataCoordinate

    butler = lab.repository()
    universe = butler.dimensions
    names = [d.name for d in universe.dimensions if d.name not in universe.skypix_dimensions.names]
    groups = [universe.conform(lab.rng.sample(names, lab.rng.randint(0, 4))) for _ in range(25)]
    for a, b in zip(groups, reversed(groups), strict=True):
        union, both = a | b, a & b
        lab.equal(union, b | a, "a | b and b | a")
        lab.equal({*union.names}, {*universe.conform({*a.names, *b.names}).names}, "names of a union")
        lab.expect(a <= union and b <= union, "a group is no subset of its union")
        lab.expect(both <= a and both <= b, "an intersection is no subset")
        lab.equal(a | a, a, "a | a")
        lab.equal(a.issubset(b), {*a.names} <= {*b.names}, "issubset")
        lab.equal({*a.required} | {*a.implied}, {*a.names}, "required and implied")
        lab.equal({*a.required} & {*a.implied}, set(), "both required and implied")
        lab.equal(universe.conform(a.required), a, "a group of its required dimensions")
    full = butler.registry.expandDataId(instrument="CamA", exposure=11, detector=2)
    for name in full.dimensions.names:
        group = universe[name].minimal_group
        part = full.subset(group)
        lab.equal(dict(part.required), {k: full[k] for k in group.required}, f"subset for {name}")
        lab.equal(part.union(full), full, "union with a subset")
        lab.equal(dict(part.union(full).mapping), dict(full.mapping), "values of a union with a subset")
        lab.equal(part.hasRecords(), True, "a subset of an expanded data ID has no records")
    minimal = DataCoordinate.standardize(instrument="CamA", exposure=11, detector=2, universe=universe)
    lab.equal(minimal, full, "a minimal and an expanded data ID")
    lab.equal(hash(minimal), hash(full), "hashes of a minimal and an expanded data ID")
    lab.equal(DataCoordinate.standardize(full.mapping, universe=universe), full, "a data ID of its own values")
    lab.equal(len({minimal, full}), 1, "a minimal and an expanded data ID in a set")
    order = [
        DataCoordinate.standardize(instrument=i, detector=d, universe=universe)
        for i in ("CamB", "CamA")
        for d in (3, 1)
    ]
    lab.equal(
        [(d["instrument"], d["detector"]) for d in sorted(order)],
        [("CamA", 1), ("CamA", 3), ("CamB", 1), ("CamB", 3)],
        "sorted data IDs",
    )


PROPERTIES = (timespans, values_round_trips, datastore_records, data_id_algebra)
