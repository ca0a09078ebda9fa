"""What is put is what is got: every dimension set, storage class, time span and spelling of a data ID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..lab import Lab

__all__ = ["PROPERTIES"]

MOST_IDS = 3
"""Data IDs tried of each set of dimensions."""

MOST_PAIRS = 8
"""Sets of two dimensions that are tried beside all single dimensions."""


def dimension_sets(butler: Butler, size: int) -> list[Any]:
    """Return the dimension groups that so many dimensions of the world make, in a stable order."""
    from itertools import combinations

    universe = butler.dimensions
    names = [d.name for d in universe.dimensions if d.name not in universe.skypix_dimensions.names]
    groups = {universe.conform(c) for c in combinations(names, size)}
    return sorted(groups, key=lambda g: tuple(g.names))


def storable(group: Any) -> bool:
    """Whether no required dimension needs one that is only implied: such sets have a property of their own."""
    required = {*group.required}
    return all({*group.universe[name].required.names} <= required for name in required)


@contract("contract.put.every-set-registers", title="A dataset type of any set of dimensions can be registered")
def every_set_registers(lab: Lab) -> None:
    """A set of dimensions is whatever a task's connections say; one that the registry has no table for stops the
    task after all else is done.
    """
    butler = lab.repository(world=False)
    for number, group in enumerate(g for g in dimension_sets(butler, 2) if not storable(g)):
        with lab.step(f"register a dataset type with dimensions {', '.join(group.names)}"):
            lab.register_type(butler, f"type{number}", group.names, "StructuredDataDict")
            lab.equal(butler.get_dataset_type(f"type{number}").dimensions, group, "has other dimensions")
    lab.examined()


@contract("contract.put.every-dimension-set", title="A dataset of any dimensions is got back as it was put")
def every_dimension_set(lab: Lab) -> None:
    """A repository in which datasets of some dimensions cannot be stored, or come back as another's, is useless to
    the pipeline that has them; nothing but trying each set tells.
    """
    from lsst.daf.butler.datastore.file_templates import FileTemplateValidationError

    butler = lab.repository(runs=["run"])
    larger = [("visit", "detector", "tract"), ("visit", "exposure", "detector"), ("tract", "patch", "visit", "band")]
    pairs = [g for g in dimension_sets(butler, 2) if storable(g)]
    groups = dimension_sets(butler, 1) + [butler.dimensions.conform(g) for g in ((), *larger)]
    for group in dict.fromkeys(lab.some(groups) + lab.rng.sample(pairs, lab.few(MOST_PAIRS))):
        with lab.step(f"put, find and get with dimensions {', '.join(group.names) or '(none)'}"):
            try:
                _put_and_get(lab, butler, group)
            except FileTemplateValidationError:
                # the default template does not have all that pairs of rarely used dimensions need, and says so
                if len(group) == 1 or not {"visit_system"} & {*group.names}:
                    raise


def _put_and_get(lab: Lab, butler: Butler, group: Any) -> None:
    from ..world import data_ids

    rows = data_ids(group)
    if not rows:
        return
    name = "_".join(["of", *group.required])
    lab.register_type(butler, name, group.names, "StructuredDataDict")
    refs = {}
    rows = lab.rng.sample(rows, min(MOST_IDS, len(rows)))
    for row in rows:
        required = {k: row[k] for k in group.required}
        ref = butler.put({"id": str(required)}, name, required, run="run")
        lab.equal(dict(ref.dataId.required), required, "put gives a reference with another data ID")
        refs[str(required)] = ref
    for key, ref in refs.items():
        lab.equal(butler.get(ref), {"id": key}, "get gives another dataset than was put")
    seen = {(r.id, str(dict(r.dataId.required))) for r in butler.query_datasets(name, "run", explain=False)}
    lab.equal(seen, {(r.id, k) for k, r in refs.items()}, "query_datasets does not give what was put")
    old = set(butler.registry.queryDatasets(name, collections="run"))
    lab.equal({r.id for r in old}, {r.id for r in refs.values()}, "queryDatasets does not give what was put")
    for row in rows:
        found = butler.find_dataset(name, row, collections="run")
        key = str({k: row[k] for k in group.required})
        lab.equal(found, refs[key], "find_dataset does not find by the full data ID")


@contract("contract.put.every-storage-class", title="A dataset of any storage class is got back as it was put")
def every_storage_class(lab: Lab) -> None:
    """What is written by one formatter and read by another, or loses its types, its unit or its order on the way, is
    found by the task that reads it, if at all.
    """
    import numpy as np
    from astropy.table import Table

    from ..things import Pair

    table = Table({"a": np.arange(5), "b": np.linspace(0, 1, 5).astype("f4"), "c": ["x", "yy", "", "é", "z"]})
    array = np.zeros(3, dtype=[("i", "i8"), ("f", "f4")])
    array["f"] = [0.5, np.inf, -1]
    values: list[tuple[str, Any]] = [
        ("StructuredDataDict", {"a": 1, "b": [1, 2.5, None, True], "c": {"d": "é \U0001f52d", "1": 2}, "": ""}),
        ("StructuredDataDict", {}),
        ("StructuredDataList", [1, "two", None, 3.5, [], {"a": {}}]),
        ("StructuredDataList", []),
        ("NumpyArray", np.arange(12.0).reshape(3, 4)),
        ("NumpyArray", np.array([np.nan, np.inf, -0.0])),
        ("ArrowAstropy", table),
        ("ArrowNumpy", array),
        ("ArrowNumpyDict", {"x": np.arange(4), "y": np.array([True, False, True, True])}),
        ("ContractPair", Pair({"k": [1, 2]}, [3, "four"])),
        ("ContractInt", 0),
        ("ContractInt", 2**60),
    ]
    butler = lab.repository(runs=["run"])
    for number, (storage, value) in enumerate(lab.some(values)):
        with lab.step(f"put and get a {storage}"):
            lab.register_type(butler, f"t{number}", ["instrument"], storage)
            ref = butler.put(value, f"t{number}", instrument="CamA", run="run")
            got = butler.get(ref)
            lab.expect(_alike(got, value), "get gives another value than was put", seen=got, expected=value)
            got = butler.getDeferred(ref).get()
            lab.expect(_alike(got, value), "a deferred get gives another value", seen=got, expected=value)
            got = lab.open(butler, collections="run").get(f"t{number}", instrument="CamA")
            lab.expect(_alike(got, value), "another butler gets another value", seen=got, expected=value)


def _alike(seen: Any, expected: Any) -> bool:
    """Whether two values are of one type and equal; numbers that are none count as equal."""
    import numpy as np

    if type(seen) is not type(expected) and not (isinstance(seen, np.ndarray) and isinstance(expected, np.ndarray)):
        return False
    if isinstance(expected, dict) and any(isinstance(v, np.ndarray) for v in expected.values()):
        return list(seen) == list(expected) and all(_alike(seen[k], v) for k, v in expected.items())
    if isinstance(expected, np.ndarray):
        same = seen.dtype == expected.dtype and seen.shape == expected.shape
        return bool(same and (np.array_equal(seen, expected, equal_nan=expected.dtype.kind == "f")))
    if hasattr(expected, "colnames"):
        columns = seen.colnames == expected.colnames
        return bool(columns and all(_alike(np.asarray(seen[n]), np.asarray(expected[n])) for n in expected.colnames))
    return bool(seen == expected)


@contract("contract.put.components-are-parts", title="Components and cut reads are parts of the full read")
def components_are_parts(lab: Lab) -> None:
    """A component, a parameter or another storage class is asked for to save time; it must not change the answer,
    whether the dataset lies in one file or in several.
    """
    import numpy as np
    from astropy.table import Table

    from ..things import Pair

    whole = Pair({"a": 1, "b": 2}, [3, 4, 5])
    for name, config in (("one", None), ("apart", {"datastore": {"composites": {"disassembled": {"pair": True}}}})):
        butler = lab.repository(name, config=config, runs=["run"], types={"pair": (("instrument",), "ContractPair")})
        with lab.step(f"read the parts of a composite ({name})"):
            ref = butler.put(whole, "pair", instrument="CamA", run="run")
            lab.equal(butler.get(ref), whole, "full read")
            lab.equal(butler.get(ref.makeComponentRef("left")), whole.left, "component left")
            lab.equal(butler.get("pair.right", instrument="CamA", collections="run"), whole.right, "component right")
            if name == "one":  # of a composite in parts a derived component is made of one part only
                lab.equal(butler.get(ref.makeComponentRef("size")), whole.size, "derived component size")
            lab.equal(butler.getDeferred(ref).get(component="left"), whole.left, "component of a deferred read")
            lab.equal(butler.get(ref, parameters={"head": 1}), Pair({"a": 1}, [3]), "read with a parameter")
            handle = butler.getDeferred(ref, parameters={"head": 1})
            lab.equal(handle.get(), Pair({"a": 1}, [3]), "deferred read with a parameter")
            uris = butler.getURIs(ref)
            files = {p.relative_to(butler_root(butler)) for p in butler_root(butler).glob("run/**/*") if p.is_file()}
            count = len(uris.componentURIs) or 1
            lab.equal(count, len(files), "getURIs does not name each file of the dataset")
    butler = lab.repository("tables", runs=["run"], types={"table": (("instrument",), "ArrowAstropy")})
    with lab.step("read the parts of a table"):
        table = Table({"a": np.arange(5), "b": np.arange(5) * 0.5})
        ref = butler.put(table, "table", instrument="CamA", run="run")
        lab.equal(butler.get(ref.makeComponentRef("rowcount")), 5, "row count")
        lab.equal(list(butler.get(ref.makeComponentRef("columns"))), ["a", "b"], "column names")
        got = butler.get(ref, parameters={"columns": ["b"]})
        lab.equal(got.colnames, ["b"], "read of one column")
        lab.equal(list(got["b"]), list(table["b"]), "values of one column")
        arrow = butler.get(ref, storageClass="ArrowTable")
        lab.equal(arrow.column_names, ["a", "b"], "read as another storage class")
        lab.equal(butler.getDeferred(ref, storageClass="ArrowNumpyDict").get()["a"].tolist(), list(range(5)), "as dict")


def butler_root(butler: Butler) -> Any:
    """Return the folder of a repository."""
    from ..lab import repository_root

    return repository_root(butler)


@contract("contract.put.data-id-spellings", title="However a data ID is spelled, the same dataset is meant")
def data_id_spellings(lab: Lab) -> None:
    """Data IDs come from people, files and headers: with alternate keys, with implied values, as numpy integers, as
    keywords. Each must resolve to the one dataset that it names, and a wrong one to none.
    """
    import numpy as np

    butler = lab.repository(runs=["run"], types={"exp": ("exposure", "detector"), "vis": ("visit", "detector")})
    universe = butler.dimensions
    days = "day_obs" in universe.dimensions.names
    refs = {}
    for instrument in ("CamA", "CamB"):
        for exposure, detector in ((11, 1), (11, 3), (12, 1), (14, 2)):
            own = {"instrument": instrument, "detector": detector}
            refs[instrument, exposure, detector] = butler.put({}, "exp", {**own, "exposure": exposure}, run="run")
    for (instrument, exposure, detector), ref in lab.some(refs.items()):
        base = {"instrument": instrument}
        full = next(iter(butler.registry.queryDimensionRecords("exposure", instrument=instrument, exposure=exposure)))
        name = f"R0_S{detector if instrument == 'CamA' else 4 - detector}"
        spellings: dict[str, dict[str, Any]] = {
            "required values": {**base, "exposure": exposure, "detector": detector},
            "numpy integers": {**base, "exposure": np.int64(exposure), "detector": np.int32(detector)},
            "an implied value": {
                **base,
                "exposure": exposure,
                "detector": detector,
                "physical_filter": full.physical_filter,
            },
            "the detector's name": {**base, "exposure": exposure, "detector.full_name": name},
            "the detector's name as the value": {**base, "exposure": exposure, "detector": name},
            "the exposure's obs_id": {**base, "exposure.obs_id": f"{instrument}_{exposure}", "detector": detector},
            "the obs_id as the value": {**base, "exposure": f"{instrument}_{exposure}", "detector": detector},
            "a name without its element": {**base, "full_name": name, "exposure": exposure},
            "raft and name in raft": {
                **base,
                "exposure": exposure,
                "raft": "R0",
                "name_in_raft": f"S{detector}",
            },
        }
        if days:
            spellings["day and number"] = {
                **base,
                "day_obs": full.day_obs,
                "seq_num": full.seq_num,
                "detector": detector,
            }
            spellings["day and number with their element"] = {
                **base,
                "exposure.day_obs": full.day_obs,
                "exposure.seq_num": full.seq_num,
                "detector": detector,
            }
        for what, values in spellings.items():
            with lab.step(f"name a dataset by {what}: {values}"):
                found = butler.get("exp", values, collections="run", storageClass=None) == {}
                lab.expect(found, "get gives nothing")
                deferred = butler.getDeferred("exp", values, collections="run")
                lab.equal(deferred.ref.id, ref.id, "names another dataset")
                lab.equal(
                    butler.exists("exp", values, collections="run").__bool__(), True, "exists says that it is not"
                )
    with lab.refused("a detector's name that does not exist"):
        butler.get("exp", {"instrument": "CamA", "exposure": 11, "detector.full_name": "R9_S9"}, collections="run")
    with lab.refused("a data ID without its instrument"):
        butler.get("exp", exposure=11, detector=1, collections="run")


PROPERTIES = (
    every_set_registers,
    every_dimension_set,
    every_storage_class,
    components_are_parts,
    data_id_spellings,
)
