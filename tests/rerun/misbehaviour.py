"""What a middleware might do wrong, imitated by changing the repository after it has done right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsst.daf.butler import Butler, DatasetRef

OUTPUT = "Mini/runs/tiny"
CHAIN = f"{OUTPUT}/cell"
A, B = f"{CHAIN}/a", f"{CHAIN}/b"


@contextmanager
def writing(repo: Path) -> Any:
    with Butler.from_config(str(repo), writeable=True) as butler:
        yield butler


def some(butler: Butler, run: str, name: str, place: int = 0) -> DatasetRef:
    """One dataset of a type, in the order of data IDs."""
    refs = butler.query_datasets(name, run, find_first=False)
    return sorted(refs, key=lambda r: r.dataId.required_values)[place]


def prune(butler: Butler, *refs: DatasetRef) -> None:
    butler.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)


def success_run_again(repo: Path) -> None:
    with writing(repo) as butler:
        ref = some(butler, A, "stars")
        content = butler.get(ref)
        prune(butler, ref)
        butler.put(content, ref.datasetType, ref.dataId, run=A)


def same_bytes_written_again(repo: Path) -> None:
    with writing(repo) as butler:
        uri = butler.getURI(some(butler, A, "stars"))
        content = uri.read()
        uri.remove()
        uri.write(content)


def content_of_another(repo: Path) -> None:
    with writing(repo) as butler:
        first, other = some(butler, B, "post", 0), some(butler, B, "post", 1)
        content = butler.getURI(other).read()
        uri = butler.getURI(first)
        uri.remove()
        uri.write(content)


def output_lost(repo: Path) -> None:
    with writing(repo) as butler:
        prune(butler, some(butler, B, "stars"))


def artifact_lost(repo: Path) -> None:
    with writing(repo) as butler:
        butler.getURI(some(butler, B, "stars")).remove()


def partial_output_lost(repo: Path) -> None:
    with writing(repo) as butler:
        prune(butler, some(butler, A, "stars", -1))


def partial_metadata_lost(repo: Path) -> None:
    with writing(repo) as butler:
        prune(butler, some(butler, A, "measure_metadata", -1))


def log_of_failure_lost(repo: Path) -> None:
    with writing(repo) as butler:
        prune(butler, some(butler, A, "isr_log", -1))


def blocked_quantum_run(repo: Path) -> None:
    with writing(repo) as butler:
        of_other = some(butler, A, "stars", 0)
        butler.put(butler.get(of_other), of_other.datasetType, {**dict(of_other.dataId.required), "detector": 1}, run=A)


def config_not_written(repo: Path) -> None:
    with writing(repo) as butler:
        prune(butler, some(butler, B, "measure_config"))


def new_run_behind(repo: Path) -> None:
    with writing(repo) as butler:
        first, *rest = butler.collections.get_info(CHAIN).children
        butler.collections.redefine_chain(CHAIN, [*rest, first])


def old_run_in_chain(repo: Path) -> None:
    with writing(repo) as butler:
        butler.collections.extend_chain(CHAIN, A)


def other_chain_changed(repo: Path) -> None:
    with writing(repo) as butler:
        butler.collections.prepend_chain(OUTPUT, B)


def purged_run_still_there(repo: Path) -> None:
    with writing(repo) as butler:
        butler.collections.register(A)


def unstored_forgotten(repo: Path) -> None:
    with writing(repo) as butler:
        butler.pruneDatasets([some(butler, A, "stars")], disassociate=True, unstore=True, purge=True)


def init_output_unstored(repo: Path) -> None:
    with writing(repo) as butler:
        butler.pruneDatasets([some(butler, A, "stars_schema")], disassociate=False, unstore=True, purge=False)


def run_registered(repo: Path) -> None:
    with writing(repo) as butler:
        butler.collections.register(f"{CHAIN}/planned")


def record_changed(repo: Path) -> None:
    with writing(repo) as butler:
        (record, *_) = butler.query_dimension_records("visit", visit=101, instrument="Mini")
        butler.registry.syncDimensionData("visit", {**record.toDict(), "target_name": "elsewhere"}, update=True)


def tag_added(repo: Path) -> None:
    from lsst.daf.butler import CollectionType

    with writing(repo) as butler:
        butler.collections.register("best", CollectionType.TAGGED)
        butler.registry.associate("best", [some(butler, B, "stars")])


def stray_file(repo: Path) -> None:
    (repo / "left-over").write_text("what is this")


def input_removed(repo: Path) -> None:
    with writing(repo) as butler:
        prune(butler, some(butler, "Mini/raw/all", "raw"))


def size_on_record_wrong(repo: Path) -> None:
    import sqlite3

    with sqlite3.connect(repo / "gen3.sqlite3") as connection:
        connection.execute("UPDATE file_datastore_records SET file_size = 7 WHERE path LIKE '%cell_b%stars%'")
        connection.execute("UPDATE file_datastore_records SET file_size = 7 WHERE path LIKE '%stars%cell_b%'")


def other_outputs_named(repo: Path) -> None:
    with writing(repo) as butler:
        uri = butler.getURI(some(butler, B, "measure_metadata"))
        written = str(some(butler, B, "stars").id)
        content = uri.read()
        uri.remove()
        uri.write(content.replace(written.encode(), str(some(butler, B, "stars", 1).id).encode()))


MISBEHAVIOURS: tuple[tuple[str, int, Callable[[Path], None]], ...] = (
    ("extend", 2, success_run_again),
    ("extend", 2, same_bytes_written_again),
    ("new-run", 1, content_of_another),
    ("new-run", 1, output_lost),
    ("new-run", 1, artifact_lost),
    ("new-run", 1, config_not_written),
    ("new-run", 1, other_outputs_named),
    ("new-run", 1, new_run_behind),
    ("new-run", 1, other_chain_changed),
    ("new-run", 1, record_changed),
    ("new-run", 1, tag_added),
    ("new-run", 1, stray_file),
    ("new-run", 1, input_removed),
    ("new-run", 1, size_on_record_wrong),
    ("partial-no-raise", 0, partial_metadata_lost),
    ("partial-no-raise", 0, partial_output_lost),
    ("failed-rescued", 0, log_of_failure_lost),
    ("failed-rescued", 0, blocked_quantum_run),
    ("replace", 1, old_run_in_chain),
    ("replace-purge", 1, purged_run_still_there),
    ("replace-unstore", 1, unstored_forgotten),
    ("replace-unstore", 1, init_output_unstored),
    ("update-graph-run", 0, run_registered),
    ("extend-done", 1, run_registered),
    ("extend-done", 1, same_bytes_written_again),
)
"""Cell, number of the action after which it happens, and what happens."""
