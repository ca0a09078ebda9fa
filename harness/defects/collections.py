"""Seeded defects of collections and chains."""

from __future__ import annotations

import sqlite3

from .base import Defect, DefectTarget, defect
from .tools import artifact, association_table, dataset_type_id, one, output_run, raw_run

__all__ = ["DEFECTS"]


def _number(db: sqlite3.Connection, name: str) -> int:
    number: int = one(db, "SELECT collection_id FROM collection WHERE name=?", name)[0]
    return number


def _append(db: sqlite3.Connection, chain: str, child: int) -> None:
    parent = _number(db, chain)
    position = one(db, "SELECT max(position) + 1 FROM collection_chain WHERE parent=?", parent)[0]
    db.execute("INSERT INTO collection_chain (parent, position, child) VALUES (?, ?, ?)", (parent, position, child))


@defect("chain-member-gone", found_by="collections.chain-members", after="defaults")
def chain_member_gone(target: DefectTarget) -> None:
    """A chain has a member that was deleted."""
    with target.sql() as db:
        _append(db, target.kit.instrument_class().makeUmbrellaCollectionName(), 987_654)


@defect("chain-member-twice", found_by="collections.chain-members", after="defaults")
def chain_member_twice(target: DefectTarget) -> None:
    """A chain lists a member twice."""
    with target.sql() as db:
        _append(db, target.kit.instrument_class().makeUmbrellaCollectionName(), _number(db, raw_run(target)))


@defect("chain-cycle", found_by="collections.no-cycles", after="defaults")
def chain_cycle(target: DefectTarget) -> None:
    """A member of the default chain leads back to it."""
    instrument = target.kit.instrument_class()
    with target.sql() as db:
        _append(db, instrument.makeRefCatCollectionName(), _number(db, instrument.makeUmbrellaCollectionName()))


@defect("defaults-reversed", found_by="collections.defaults-order", after="defaults")
def defaults_reversed(target: DefectTarget) -> None:
    """The default chain is searched from its end."""
    chain = target.kit.instrument_class().makeUmbrellaCollectionName()
    with target.butler() as butler:
        children = butler.collections.get_info(chain).children
        butler.collections.redefine_chain(chain, list(reversed(children)))


@defect("output-behind-input", found_by="collections.outputs-first", after="process")
def output_behind_input(target: DefectTarget) -> None:
    """The output chain finds its inputs before its own run."""
    run = output_run(target)
    chain = run.rpartition("/")[0]
    with target.butler() as butler:
        children = [c for c in butler.collections.get_info(chain).children if c != run]
        butler.collections.redefine_chain(chain, [*children, run])


@defect("output-run-unlinked", found_by="collections.outputs-first", after="process")
def output_run_unlinked(target: DefectTarget) -> None:
    """The newest run is not in the chain of outputs."""
    run = output_run(target)
    with target.butler() as butler:
        butler.collections.remove_from_chain(run.rpartition("/")[0], run)


@defect("membership-lost", found_by="collections.members", after="ingest")
def membership_lost(target: DefectTarget) -> None:
    """A raw exists but is no member of its run."""
    identifier, _ = artifact(target, "raw")
    with target.sql() as db:
        query = f"DELETE FROM {association_table(db, 'raw')} WHERE dataset_id=?"  # noqa: S608 - the registry's own name
        db.execute(query, (identifier,))


@defect("membership-in-other-run", found_by="collections.members", after="calibs")
def membership_in_other_run(target: DefectTarget) -> None:
    """A bias is listed in another run than it was made in."""
    identifier, _ = artifact(target, "bias")
    with target.sql() as db:
        other = _number(db, target.kit.instrument_class().makeUnboundedCalibrationRunName())
        table = association_table(db, "bias")
        query = f"UPDATE {table} SET collection_id=? WHERE dataset_id=?"  # noqa: S608 - the registry's own name
        db.execute(query, (other, identifier))


@defect("summary-incomplete", found_by="collections.summary-complete", after="ingest")
def summary_incomplete(target: DefectTarget) -> None:
    """The summary of the raws' run does not mention raws."""
    with target.sql() as db:
        key = (_number(db, raw_run(target)), dataset_type_id(db, "raw"))
        db.execute("DELETE FROM collection_summary_dataset_type WHERE collection_id=? AND dataset_type_id=?", key)


@defect("summary-without-instrument", found_by="collections.summary-complete", after="ingest")
def summary_without_instrument(target: DefectTarget) -> None:
    """The summary of the raws' run does not mention the instrument."""
    with target.sql() as db:
        key = (_number(db, raw_run(target)), target.kit.name)
        db.execute("DELETE FROM collection_summary_instrument WHERE collection_id=? AND instrument=?", key)


@defect("summary-polluted", found_by="collections.summary-exact", after="ingest")
def summary_polluted(target: DefectTarget) -> None:
    """The summary of the raws' run mentions biases."""
    with target.sql() as db:
        key = (_number(db, raw_run(target)), dataset_type_id(db, "bias"))
        db.execute("INSERT INTO collection_summary_dataset_type (collection_id, dataset_type_id) VALUES (?, ?)", key)


@defect("dataset-type-unused", found_by="collections.types-used", after="process")
def dataset_type_unused(target: DefectTarget) -> None:
    """A dataset type was registered under a misspelt name."""
    from lsst.daf.butler import DatasetType

    with target.butler() as butler:
        kind = DatasetType("post_isr_imgae", ["instrument"], "StructuredDataDict", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)


@defect("file-in-other-run", found_by="collections.run-in-file-name", after="calibs")
def file_in_other_run(target: DefectTarget) -> None:
    """The file of a bias lies in a folder that is no run's."""
    identifier, path = artifact(target, "bias")
    moved = target.repo / "elsewhere" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    with target.sql() as db:
        key = (f"elsewhere/{path.name}", identifier)
        db.execute("UPDATE file_datastore_records SET path=? WHERE dataset_id=?", key)


DEFECTS: tuple[Defect, ...] = (
    chain_member_gone,
    chain_member_twice,
    chain_cycle,
    defaults_reversed,
    output_behind_input,
    output_run_unlinked,
    membership_lost,
    membership_in_other_run,
    summary_incomplete,
    summary_without_instrument,
    summary_polluted,
    dataset_type_unused,
    file_in_other_run,
)
