from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsst.daf.butler import Butler, CollectionType, DatasetRef, Timespan
from minirepo import DETECTORS, EXPOSURES, NAME, SPLIT, register_type

from harness.stages.fork import fork_repository
from harness.transfer.capture import MISSING, capture
from harness.transfer.compare import Difference, compare
from harness.transfer.state import KINDS, RepositoryState

OUT = f"{NAME}/runs/mini/first"
Expected = set[tuple[str, str, tuple[Any, ...]]]


def state_of(repo: Path, **kwargs: Any) -> RepositoryState:
    with Butler.from_config(str(repo)) as butler:
        return capture(butler, **kwargs)


@pytest.fixture(scope="module")
def before(pristine: Path) -> RepositoryState:
    return state_of(pristine)


def refs_of(butler: Butler, name: str, collection: str = OUT) -> list[DatasetRef]:
    return sorted(butler.query_datasets(name, collection, find_first=False))


def replace_file(butler: Butler, ref: DatasetRef, content: bytes | None) -> None:
    """Change an artifact behind the datastore's back, without touching what is hard-linked to it."""
    path = Path(butler.getURI(ref).ospath)
    path.unlink()
    if content is not None:
        path.write_bytes(content)


# Each mutation changes one thing and returns all that must be reported: kind, change and key.


def associate(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "raw", f"{NAME}/raw/all")[n % 6]
    butler.registry.associate("best", [ref])
    return {("tag", "added", ("best", str(ref.id)))}


def disassociate(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "src", "best")[n % 3]
    butler.registry.disassociate("best", [ref])
    return {("tag", "lost", ("best", str(ref.id)))}


def certify(butler: Butler, n: int) -> Expected:
    butler.collections.register(f"{NAME}/calib/other", CollectionType.CALIBRATION)
    ref = refs_of(butler, "bias", f"{NAME}/calib/a")[n % 2]
    butler.registry.certify(f"{NAME}/calib/other", [ref], Timespan(None, None))
    name = f"{NAME}/calib/other"
    return {("collection", "added", (name,)), ("certification", "added", (name, str(ref.id)))}


def decertify(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "bias", f"{NAME}/calib/b")[n % 2]
    butler.registry.decertify(f"{NAME}/calib", "bias", Timespan(SPLIT, None), dataIds=[ref.dataId])
    return {("certification", "lost", (f"{NAME}/calib", str(ref.id)))}


def shorten_validity(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "bias", f"{NAME}/calib/b")[n % 2]
    one_nanosecond = Timespan.fromInstant(SPLIT)
    butler.registry.decertify(f"{NAME}/calib", "bias", one_nanosecond, dataIds=[ref.dataId])
    return {("certification", "changed", (f"{NAME}/calib", str(ref.id)))}


def reorder_chain(butler: Butler, n: int) -> Expected:
    name = (f"{NAME}/defaults", f"{NAME}/runs/mini")[n % 2]
    butler.collections.redefine_chain(name, butler.collections.get_info(name).children[::-1])
    return {("chain", "changed", (name,))}


def drop_from_chain(butler: Butler, n: int) -> Expected:
    butler.collections.remove_from_chain(f"{NAME}/defaults", (f"{NAME}/raw/all", f"{NAME}/calib")[n % 2])
    return {("chain", "changed", (f"{NAME}/defaults",))}


def put(butler: Butler, n: int) -> Expected:
    data_id = {"instrument": NAME, "visit": EXPOSURES[n % 3], "detector": DETECTORS[n % 2]}
    ref = butler.put(butler.get("src", data_id, collections=OUT), "src", data_id, run=f"{NAME}/empty")
    return {("dataset", "added", (str(ref.id),)), ("artifact", "added", (str(ref.id), ""))}


def purge(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "src")[n % 6]
    tagged = ref in refs_of(butler, "src", "best")
    butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)
    gone: Expected = {("dataset", "lost", (str(ref.id),)), ("artifact", "lost", (str(ref.id), ""))}
    return gone | ({("tag", "lost", ("best", str(ref.id)))} if tagged else set())


def unstore(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "src")[n % 6]
    butler.pruneDatasets([ref], disassociate=False, unstore=True, purge=False)
    return {("artifact", "lost", (str(ref.id), ""))}


def change_record(butler: Butler, n: int) -> Expected:
    (record,) = butler.query_dimension_records("exposure", instrument=NAME, exposure=EXPOSURES[n % 3])
    butler.registry.syncDimensionData("exposure", {**record.toDict(), "target_name": f"other{n}"}, update=True)
    return {("record", "changed", ("exposure", NAME, record.id))}


def change_region(butler: Butler, n: int) -> Expected:
    first, second = butler.query_dimension_records("patch", skymap="map", order_by="patch")
    butler.registry.syncDimensionData("patch", {**first.toDict(), "region": second.region}, update=True)
    return {("record", "changed", ("patch", "map", 0, 0))}


def add_record(butler: Butler, n: int) -> Expected:
    record = {"instrument": NAME, "id": 5 + n, "full_name": f"new{n}", "purpose": "GUIDE"}
    butler.registry.insertDimensionData("detector", record)
    return {("record", "added", ("detector", NAME, 5 + n))}


def corrupt_file(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "raw", f"{NAME}/raw/all")[n % 6]
    content = Path(butler.getURI(ref).ospath).read_bytes()
    replace_file(butler, ref, content[:-1] + b"X")
    return {("artifact", "changed", (str(ref.id), ""))}


def delete_file(butler: Butler, n: int) -> Expected:
    ref = refs_of(butler, "src")[n % 6]
    replace_file(butler, ref, None)
    return {("artifact", "changed", (str(ref.id), ""))}


def add_dataset_type(butler: Butler, n: int) -> Expected:
    register_type(butler, f"new{n}", {"instrument"}, "StructuredDataDict", calibration=bool(n % 2))
    return {("dataset-type", "added", (f"new{n}",))}


def add_collection(butler: Butler, n: int) -> Expected:
    types = (CollectionType.RUN, CollectionType.TAGGED, CollectionType.CHAINED)
    butler.collections.register("new", types[n % 3])
    return {("collection", "added", ("new",))} | ({("chain", "added", ("new",))} if n % 3 == 2 else set())


def change_doc(butler: Butler, n: int) -> Expected:
    butler.registry.setCollectionDocumentation("best", f"Documentation {n}")
    return {("collection", "changed", ("best",))}


MUTATIONS = (
    associate,
    disassociate,
    certify,
    decertify,
    shorten_validity,
    reorder_chain,
    drop_from_chain,
    put,
    purge,
    unstore,
    change_record,
    change_region,
    add_record,
    corrupt_file,
    delete_file,
    add_dataset_type,
    add_collection,
    change_doc,
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda m: m.__name__)
def test_a_mutation_is_reported_and_nothing_else(
    mutate: Callable[[Butler, int], Expected], before: RepositoryState, fork: Callable[[], Path]
) -> None:
    check_mutations([(mutate, 0)], before, fork())


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mutations=st.lists(
        st.tuples(st.sampled_from(MUTATIONS), st.integers(0, 11)), min_size=1, max_size=3, unique_by=lambda m: m[0]
    )
)
def test_any_mutations_are_reported(
    mutations: list[tuple[Callable[[Butler, int], Expected], int]], before: RepositoryState, fork: Callable[[], Path]
) -> None:
    check_mutations(mutations, before, fork())


def check_mutations(
    mutations: list[tuple[Callable[[Butler, int], Expected], int]], before: RepositoryState, repo: Path
) -> None:
    expected: dict[tuple[str, tuple[Any, ...]], str] = {}
    with Butler.from_config(str(repo), writeable=True) as butler:
        for mutate, n in mutations:
            try:
                changes = mutate(butler, n)
            except (FileNotFoundError, IndexError, ValueError):
                continue  # an earlier mutation took away what this one wants to change
            for kind, change, key in changes:
                expected[kind, key] = merged(expected.get((kind, key)), change)
    after = state_of(repo)
    found = {(d.kind, d.key): d.change for d in compare(before, after)}
    assert found == {k: v for k, v in expected.items() if v != "same"}
    backwards = {(d.kind, d.key): d.change for d in compare(after, before)}
    swap = {"lost": "added", "added": "lost", "changed": "changed"}
    assert backwards == {k: swap[v] for k, v in found.items()}


def merged(first: str | None, second: str) -> str:
    """What two changes of the same thing, one after the other, amount to."""
    if first == "added":
        return "same" if second == "lost" else "added"
    if first == "lost":
        return "changed" if second == "added" else "lost"  # what is not there cannot be changed
    return second


def test_nothing_differs_from_itself(before: RepositoryState, pristine: Path, tmp_path: Path) -> None:
    fork_repository(pristine, tmp_path / "fork")
    assert compare(before, before) == []
    assert compare(before, state_of(tmp_path / "fork")) == []


def test_everything_is_captured(before: RepositoryState) -> None:
    counts = {kind: len(before[kind]) for kind in KINDS}
    assert counts == {
        "record": 32,
        "dataset-type": 6,
        "collection": 9,
        "chain": 2,
        "tag": 3,
        "certification": 4,
        "dataset": 19,
        "artifact": 19,
    }
    assert before["dataset-type"]["bias",] == (("instrument", "detector"), "StructuredDataDict", True)
    assert before["chain"][f"{NAME}/runs/mini",] == ((OUT, f"{NAME}/defaults"),)
    assert "region" in before.elements["visit_detector_region"]
    assert MISSING not in {row[3] for row in before["artifact"].values()}


def test_two_datasets_of_one_file_have_its_content(before: RepositoryState) -> None:
    pair = [before["artifact"][id_, ""] for id_ in before.ids(types=["pair"])]
    assert len(pair) == 2
    assert pair[0] == pair[1]


def test_json_is_the_identity(before: RepositoryState) -> None:
    again = RepositoryState.from_json(before.to_json())
    assert again == before
    assert compare(before, again) == []


def test_without_hashes_only_the_size_counts(before: RepositoryState, fork: Callable[[], Path]) -> None:
    repo = fork()
    with Butler.from_config(str(repo), writeable=True) as butler:
        corrupt_file(butler, 0)
    after = state_of(repo)
    unhashed = state_of(repo, hashes=False)
    assert {row[3] for row in unhashed["artifact"].values()} == {""}
    assert [d.kind for d in compare(before, after)] == ["artifact"]
    assert compare(before, unhashed) == []


def test_allowed_differences_are_left_out(before: RepositoryState, fork: Callable[[], Path]) -> None:
    repo = fork()
    with Butler.from_config(str(repo), writeable=True) as butler:
        add_record(butler, 0)
        put(butler, 0)
    after = state_of(repo)
    assert {d.kind for d in compare(before, after, allow=lambda d: d.name == "src")} == {"record"}
    assert {d.kind for d in compare(before, after, kinds=("dataset", "artifact"))} == {"dataset", "artifact"}


def test_differences_say_what_to_look_at(before: RepositoryState, fork: Callable[[], Path]) -> None:
    repo = fork()
    with Butler.from_config(str(repo), writeable=True) as butler:
        change_record(butler, 0)
        shorten_validity(butler, 0)
        disassociate(butler, 0)
        reorder_chain(butler, 0)
    lines = [str(d) for d in compare(before, state_of(repo))]
    assert lines == [
        f"record exposure {{instrument: '{NAME}', exposure: 101}}: target_name 'field' → 'other0'",
        f"chain {NAME}/defaults: children ('{NAME}/raw/all', '{NAME}/calib') → ('{NAME}/calib', '{NAME}/raw/all')",
        f"tag src {{instrument: '{NAME}', detector: 0, visit: 101}} in best: lost",
        f"certification bias {{instrument: '{NAME}', detector: 0}} in {NAME}/calib: validity ranges "
        "[2024-03-01T06:00:00, ∞) → [2024-03-01T06:00:00.000000001, ∞)",
    ]


def test_a_difference_is_one_line(before: RepositoryState) -> None:
    emptied = before.replace(**{k.replace("-", "_"): {} for k in KINDS})
    differences = compare(before, emptied)
    assert len(differences) == sum(len(before[k]) for k in KINDS)
    assert all(isinstance(d, Difference) and "\n" not in str(d) for d in differences)
