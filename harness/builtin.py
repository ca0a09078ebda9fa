"""The core's own stages, checks, defects, engines, datasets and commands, through the same hooks as any plugin's."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .hookspecs import hookimpl

if TYPE_CHECKING:
    import click

    from .defects.base import Defect
    from .engines.base import Engine
    from .stage import Stage
    from .verdicts import Check


COMMANDS = (
    "run",
    "rerun",
    "audit",
    "accept",
    "ingest",
    "define_visits",
    "inspect_file",
    "checks",
    "contract",
    "defects",
    "corrupt",
    "datasets",
    "plugins",
    "doctor",
    "new_plugin",
    "check_plugin",
    "roundtrip",
    "merge",
    "explain_empty",
    "explore",
    "replay",
)
"""Modules of `harness.cli`, each with a ``command``."""


@hookimpl
def harness_datasets() -> Iterable[Path]:
    """Datasets shipped with the harness: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent
    for root in (package / "_datasets", package.parent / "datasets"):
        if root.is_dir():
            return sorted(p.parent for p in root.glob("*/manifest.toml"))
    return []


@hookimpl
def harness_stages() -> Iterable[Stage]:
    """Stages from simulation to the round trip."""
    from .stages.builtin import STAGES

    return STAGES


@hookimpl
def harness_checks() -> Iterable[Check]:
    """The families of invariants."""
    from .checks import all_checks
    from .rerun.checks import CHECKS as RERUN
    from .spectra.checks import CHECKS as SPECTRA
    from .transfer.checks import CHECKS as ROUNDTRIP
    from .transfer.together_checks import CHECKS as TOGETHER
    from .wavefront.checks import CHECKS as WAVEFRONT

    return (*all_checks(), *SPECTRA, *RERUN, *ROUNDTRIP, *TOGETHER, *WAVEFRONT)


@hookimpl
def harness_defects() -> Iterable[Defect]:
    """The seeded defects of all families."""
    from .defects import all_defects
    from .rerun.defects import DEFECTS as RERUN
    from .spectra.defects import DEFECTS as SPECTRA
    from .transfer.defects import DEFECTS as ROUNDTRIP
    from .transfer.together_defects import DEFECTS as TOGETHER
    from .wavefront.defects import DEFECTS as WAVEFRONT

    return (*all_defects(), *SPECTRA, *RERUN, *ROUNDTRIP, *TOGETHER, *WAVEFRONT)


@hookimpl
def harness_engines() -> Iterable[Engine]:
    """In process, as a subprocess, and without a registry."""
    from .engines.inprocess import InProcessEngine
    from .engines.pipetask import PipetaskEngine
    from .engines.qbb import QuantumBackedEngine

    return (InProcessEngine(), PipetaskEngine(), QuantumBackedEngine())


@hookimpl
def harness_commands(group: click.Group) -> Iterable[click.Command]:  # noqa: ARG001
    """The commands of the ``harness`` command line."""
    for name in COMMANDS:
        yield import_module(f"{__package__}.cli.{name}").command
