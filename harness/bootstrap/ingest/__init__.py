"""Ingest of raw files: `~harness.bootstrap.ingest.ingest.ingest` does it.

Reading order: ``reasons`` (why a file is refused), ``discover`` (locations to files), ``header`` and ``files``
(reading), ``translate`` and ``records`` (header to dimension records), ``exposures`` (one translation per
exposure), ``registry`` (what the repository knows), ``write``, ``ingest``, ``report``, ``stage``.
"""

from __future__ import annotations

from .ingest import ingest
from .reasons import Reason
from .report import IngestReport, Quarantined

__all__ = ["IngestReport", "Quarantined", "Reason", "ingest"]
