"""The ways in which datasets get from one repository to another: each calls the middleware, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .exports import EXPORT_FILE
from .selection import time_span
from .trip import Trip, butler_command, empty_repository, opened, refs_of

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef

__all__ = [
    "Step",
    "bring_calibrations",
    "bring_cut",
    "bring_dimension_records",
    "bring_export",
    "bring_files",
    "bring_graph",
    "bring_transfer",
    "bring_transfer_command",
    "bring_zip",
    "empty_target",
    "export",
    "export_calibrations",
    "new_folder",
    "nothing",
    "target_without_outputs",
    "zip_files",
    "zip_outputs",
]

Step = Callable[[Trip], None]
"""One part of a way."""


def nothing(trip: Trip) -> None:
    """Do nothing."""


def empty_target(trip: Trip) -> None:
    """Make the empty repository that receives."""
    empty_repository(trip, trip.target)


def new_folder(trip: Trip) -> None:
    """Make the folder that receives files."""
    trip.target.mkdir(parents=True)


# --- export and import ---------------------------------------------------------------------------


def export(mode: str | None, *, natural: bool = False) -> Step:
    """Return the step that exports the selection.

    Parameters
    ----------
    mode : `str` or `None`
        Transfer mode of the files; with `None` they stay where they are.
    natural : `bool`, optional
        Whether to leave it to the middleware which records the datasets need, as everybody does. If not, they are
        named one by one.
    """

    def step(trip: Trip) -> None:
        trip.parcel.mkdir(parents=True)
        with opened(trip.source) as butler:
            refs = refs_of(butler, trip.selection.ids)
            folder = None if mode is None else str(trip.parcel)
            file = EXPORT_FILE if folder else str(trip.parcel / EXPORT_FILE)
            with butler.export(directory=folder, filename=file, transfer=mode) as out:
                for name in trip.selection.collections:
                    out.saveCollection(name)
                if natural:
                    out.saveDatasets(refs)
                else:
                    for element, records in _records(trip, butler):
                        out.saveDimensionData(element, records)
                    out.saveDatasets(refs, elements=())

    return step


def _records(trip: Trip, butler: Butler) -> Iterable[tuple[str, list[object]]]:
    """Yield the records that the selection needs, or all of them, element by element."""
    from .closure import records_of

    needed = None if trip.selection.whole else records_of(trip.state, trip.selection.ids, trip.known)
    for element in trip.state.elements:
        records = butler.query_dimension_records(element, limit=None, explain=False)
        yield element, [r for r in records if needed is None or (element, *r.dataId.required_values) in needed]


def bring_export(mode: str, *, in_place: bool = False) -> Step:
    """Return the step that imports what was exported; ``in_place`` if the files are still those of the source."""

    def step(trip: Trip) -> None:
        folder = trip.source if in_place else trip.parcel
        file = trip.parcel / EXPORT_FILE
        with opened(trip.target, writeable=True) as butler:
            butler.import_(directory=str(folder), filename=str(file.absolute()), transfer=mode)

    return step


def bring_cut(trip: Trip) -> None:
    """Import what was exported, and cut validity ranges to the time at which the chosen data were taken."""
    from lsst.daf.butler import Timespan
    from lsst.daf.butler.time_utils import TimeConverter

    bring_export("hardlink")(trip)
    span = time_span(trip.state, trip.selection.chosen, trip.known)
    assert span is not None
    limits = TimeConverter()
    outside = ((limits.min_nsec, span[0]), (span[1], limits.max_nsec))
    with opened(trip.target, writeable=True) as butler:
        certified = {(c, row[0]) for (c, i), row in trip.state["certification"].items() if i in trip.selection.ids}
        for collection, name in sorted(certified):
            if collection in trip.selection.collections:
                for nanoseconds in outside:
                    butler.registry.decertify(collection, name, Timespan(None, None, _nsec=nanoseconds))


# --- from repository to repository ---------------------------------------------------------------


def bring_transfer(mode: str) -> Step:
    """Return the step that calls ``Butler.transfer_from``."""

    def step(trip: Trip) -> None:
        with opened(trip.source) as source, opened(trip.target, writeable=True) as target:
            refs = refs_of(source, trip.selection.ids)
            target.transfer_from(source, refs, transfer=mode, register_dataset_types=True, transfer_dimensions=True)

    return step


def bring_transfer_command(trip: Trip) -> None:
    """Call ``butler transfer-datasets`` with the query of the selection."""
    words = ["transfer-datasets", str(trip.source), str(trip.target), *_query(trip), "--register-dataset-types"]
    butler_command(trip, *words, "--transfer", "copy")


def bring_dimension_records(trip: Trip) -> None:
    """Call ``Butler.transfer_dimension_records_from``."""
    with opened(trip.source) as source, opened(trip.target, writeable=True) as target:
        target.transfer_dimension_records_from(source, refs_of(source, trip.selection.ids))


def _query(trip: Trip) -> list[str]:
    """Return the options by which commands of the middleware find what was chosen."""
    selection = trip.selection
    out = ["--collections", ",".join(selection.runs), "--no-find-first", "--limit", "0"]
    out += [w for name in _types(trip) for w in ("--dataset-type", name)]
    return out + (["--where", selection.where] if selection.where else [])


def _types(trip: Trip) -> Iterable[str]:
    """Return the dataset types of what was chosen, if not all of the searched runs."""
    if trip.selection.whole:
        return ()
    return sorted({trip.state["dataset"][i,][0] for i in trip.selection.chosen})


# --- calibrations --------------------------------------------------------------------------------


def calibration_collections(trip: Trip) -> list[str]:
    """Return the CALIBRATION collections of a selection."""
    return [c for c in trip.selection.collections if trip.state["collection"][c,][0] == "CALIBRATION"]


def export_calibrations(trip: Trip) -> None:
    """Call ``butler export-calibs``."""
    collections = ",".join(calibration_collections(trip))
    butler_command(trip, "export-calibs", str(trip.source), str(trip.parcel), collections, "--transfer", "copy")


def bring_calibrations(trip: Trip) -> None:
    """Call ``butler import``."""
    butler_command(trip, "import", str(trip.target), str(trip.parcel), "--transfer", "copy")


# --- files and archives --------------------------------------------------------------------------


def bring_files(trip: Trip) -> None:
    """Call ``butler retrieve-artifacts``."""
    words = ["retrieve-artifacts", str(trip.source), str(trip.target), *_query(trip), "--preserve-path"]
    butler_command(trip, *words, "--transfer", "copy")


def zip_files(trip: Trip) -> None:
    """Call ``butler retrieve-artifacts --zip``."""
    butler_command(trip, "retrieve-artifacts", str(trip.source), str(trip.parcel), *_query(trip), "--zip")


def zip_outputs(trip: Trip) -> None:
    """Call ``butler zip-from-graph``."""
    butler_command(trip, "zip-from-graph", str(trip.graph), str(trip.source), str(trip.parcel))


def bring_zip(trip: Trip) -> None:
    """Call ``butler ingest-zip``."""
    (archive,) = trip.parcel.glob("*.zip")
    words = ["ingest-zip", str(trip.target), str(archive), "--transfer-dimensions", "--transfer", "copy"]
    butler_command(trip, *words)


# --- quantum graphs ------------------------------------------------------------------------------


def target_without_outputs(trip: Trip) -> None:
    """Make a copy of the source as it is after a quantum-backed execution: the outputs are files and nothing more."""
    from .graph import output_run

    assert trip.graph is not None
    assert trip.fork is not None
    run, _ = output_run(trip.graph)
    trip.fork(trip.source, trip.target)
    ids = list(trip.state.ids(runs=[run]))
    with opened(trip.target, writeable=True) as butler:
        refs: list[DatasetRef] = refs_of(butler, ids)
        kept: dict[Path, Path] = {}
        trip.parcel.mkdir(parents=True)
        for number, ref in enumerate(refs):
            uris = butler.getURIs(ref)
            for part, uri in enumerate(u for u in (uris.primaryURI, *uris.componentURIs.values()) if u is not None):
                aside = trip.parcel / f"{number}-{part}"
                aside.hardlink_to(uri.ospath)
                kept[Path(uri.ospath)] = aside
        butler.removeRuns([run], unlink_from_chains=True)
    for path, aside in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(aside)


def bring_graph(trip: Trip) -> None:
    """Call ``butler transfer-from-graph``."""
    words = ["transfer-from-graph", str(trip.graph), str(trip.target)]
    # Records of visits are there already; asked to bring them, the command would fail, as a graph has no registry.
    butler_command(trip, *words, "--register-dataset-types", "--update-output-chain")
