"""The kinds of transfer as a table: how each is made, and what it carries by design."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from . import ways
from .trip import Trip
from .ways import Step

__all__ = ["KINDS_OF_TRANSFER", "Carries", "Kind"]


@dataclasses.dataclass(frozen=True)
class Carries:
    """What a kind of transfer carries by design of the middleware.

    Parameters
    ----------
    records : `str`
        ``named``: those that were named one by one: all, or of a subset what it needs and no other. ``needed``: what
        the datasets need. Regions of the detectors of a visit: if no dataset is of a visit and a detector, all; else
        at least those of such datasets, as the middleware looks no further when it has some. ``own``: the records of
        the data IDs alone, without definitions, memberships and regions of visits. ``there``: all were there before.
        ``none``.
    datasets : `str`
        ``all``: the selection. ``chosen``: without the calibrations that it needs. ``certified``: the calibrations of
        its CALIBRATION collections. ``outputs``: those of the graph. ``none``.
    memberships : `str`
        Which collections it carries, with chains, tags and certifications: ``all`` those of the selection;
        ``calibrations``: CALIBRATION collections with certifications; ``there``: they were there before. ``none``:
        only the RUN collections of its datasets.
    docs : `bool`
        Whether the documentation of RUN collections comes along.
    registry : `bool`
        Whether the target has a registry; if not, it is a folder of files with an index.
    files_of_several : `bool`
        Whether it can carry a file that holds several datasets.
    cut : `bool`
        Whether validity ranges are cut to the time at which the chosen data were taken.
    """

    records: str = "needed"
    datasets: str = "all"
    memberships: str = "none"
    docs: bool = True
    registry: bool = True
    files_of_several: bool = True
    cut: bool = False


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of transfer.

    Parameters
    ----------
    name, title : `str`
        Its name, and what it does in a few words.
    carries : `Carries`
        What must be there afterwards.
    bring : `~collections.abc.Callable`
        Puts it into the target.
    prepare : `~collections.abc.Callable`, optional
        Comes before: makes what is on its way.
    make_target : `~collections.abc.Callable`, optional
        Makes the target.
    needs : `str`, optional
        What it cannot do without: ``graph``, ``calibrations``, or ``part``: a selection of exposures or visits.
    older : `str`, optional
        Whether it goes into a repository of an older dimension universe: ``yes``; ``same fields``, if that has all
        fields of the records; ``no``.
    """

    name: str
    title: str
    carries: Carries
    bring: Step
    prepare: Step = ways.nothing
    make_target: Callable[[Trip], None] = ways.empty_target
    needs: str = ""
    older: str = "yes"


NAMED = Carries("named", memberships="all")

SINGLE_FILES = Carries("named", memberships="all", files_of_several=False)
"""Of a file of several datasets the middleware copies, links or moves the file again for each: the second time it finds
its own copy in the way, or the file gone."""

_TABLE = (
    Kind(
        "export",
        "export as one does, without naming any record; import by copy",
        Carries("needed", memberships="all"),
        ways.bring_export("copy"),
        ways.export("hardlink", natural=True),
        older="same fields",
    ),
    Kind(
        "export-copy",
        "export and import by copy",
        SINGLE_FILES,
        ways.bring_export("copy"),
        ways.export("copy"),
        older="same fields",
    ),
    Kind(
        "export-hardlink",
        "export and import by hard links",
        NAMED,
        ways.bring_export("hardlink"),
        ways.export("hardlink"),
        older="same fields",
    ),
    Kind(
        "export-symlink",
        "export and import by symbolic links",
        SINGLE_FILES,
        ways.bring_export("symlink"),
        ways.export("symlink"),
        older="same fields",
    ),
    Kind(
        "export-direct",
        "export and import of where the files are",
        NAMED,
        ways.bring_export("direct"),
        ways.export("direct"),
        older="same fields",
    ),
    Kind(
        "export-in-place",
        "export of the registry alone; import by copy from the source's own files",
        NAMED,
        ways.bring_export("copy", in_place=True),
        ways.export(None),
        older="same fields",
    ),
    Kind(
        "export-move",
        "export by hard links, which the import moves",
        SINGLE_FILES,
        ways.bring_export("move"),
        ways.export("hardlink"),
        older="same fields",
    ),
    Kind(
        "export-cut",
        "export of a part; validity ranges are cut to its time",
        Carries("named", memberships="all", cut=True),
        ways.bring_cut,
        ways.export("hardlink"),
        needs="part",
        older="no",
    ),
    Kind(
        "transfer-from",
        "Butler.transfer_from by copy",
        Carries(),
        ways.bring_transfer("copy"),
    ),
    Kind(
        "transfer-from-hardlink",
        "Butler.transfer_from by hard links",
        Carries(),
        ways.bring_transfer("hardlink"),
    ),
    Kind(
        "transfer-datasets",
        "butler transfer-datasets with the same query",
        Carries(datasets="chosen"),
        ways.bring_transfer_command,
    ),
    Kind(
        "dimension-records",
        "Butler.transfer_dimension_records_from",
        Carries(datasets="none"),
        ways.bring_dimension_records,
    ),
    Kind(
        "export-calibs",
        "butler export-calibs and butler import",
        Carries(datasets="certified", memberships="calibrations"),
        ways.bring_calibrations,
        ways.export_calibrations,
        needs="calibrations",
        older="same fields",
    ),
    Kind(
        "retrieve-artifacts",
        "butler retrieve-artifacts: files and their index",
        Carries("none", "chosen", registry=False),
        ways.bring_files,
        make_target=ways.new_folder,
        older="no",
    ),
    Kind(
        "retrieve-zip",
        "butler retrieve-artifacts --zip and butler ingest-zip",
        Carries("own", "chosen", docs=False),
        ways.bring_zip,
        ways.zip_files,
        older="no",
    ),
    Kind(
        "zip-from-graph",
        "butler zip-from-graph and butler ingest-zip",
        Carries("own", "outputs", docs=False),
        ways.bring_zip,
        ways.zip_outputs,
        needs="graph",
        older="no",
    ),
    Kind(
        "transfer-from-graph",
        "butler transfer-from-graph, after an execution that left only files",
        Carries("there", "outputs", memberships="there", docs=False),
        ways.bring_graph,
        make_target=ways.target_without_outputs,
        needs="graph",
        older="no",
    ),
)

KINDS_OF_TRANSFER = {kind.name: kind for kind in _TABLE}
"""All kinds, by name."""
