"""The stage that ingests the simulated raws."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import HarnessError
from .ingest import ingest

if TYPE_CHECKING:
    from ...stage import StageContext

__all__ = ["run"]


def run(context: StageContext) -> Mapping[str, Any]:
    """Ingest everything that the simulation wrote.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        What the stage works with; the raws are in the folder ``raws`` of stage ``simulate``.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        The report; see `~harness.bootstrap.ingest.report.IngestReport.facts`.

    Raises
    ------
    HarnessError
        If a file was refused.
    """
    raws = context.inputs["simulate"] / "raws"
    with context.butler() as butler:
        report = ingest(
            butler,
            [raws],
            transfer="hardlink" if _can_link(raws, context.repo) else "copy",
            translators=[context.kit.translator],
            progress=context.progress,
        )
    if report.quarantined:
        records, _ = report.write(context.log("quarantine.jsonl"))
        raise HarnessError(
            f"{len(report.quarantined)} of {report.found} raws refused, the first: {report.quarantined[0]}",
            remedy=f"see {records}",
            code="quarantined",
        )
    return report.facts()


def _can_link(source: Path, target: Path) -> bool:
    """Say whether hard links can be made between two folders: some file systems refuse within one device, too."""
    probe = target / f".link-probe-{os.getpid()}"
    example = next((p for p in source.rglob("*") if p.is_file()), None)
    if example is None:
        return True
    try:
        probe.hardlink_to(example)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            return False
        raise
    probe.unlink()
    return True
