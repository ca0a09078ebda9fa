"""Hooks of the plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.defects.base import Defect
    from harness.instrument.kit import InstrumentKit
    from harness.verdicts import Check

__all__ = ["harness_checks", "harness_defects", "harness_instruments"]


@hookimpl
def harness_instruments() -> Iterable[InstrumentKit]:
    """Provide the collimated beam projector."""
    from harness.instrument.kit import Capability, InstrumentKit

    from .checks import PROJECTOR
    from .instrument import CollimatedBeamProjector, make_camera
    from .storage import REPOSITORY_CONFIG
    from .translator import CbpTranslator
    from .writer import simulate_raw

    return [
        InstrumentKit(
            instrument_class=CollimatedBeamProjector,
            translator=CbpTranslator,
            make_camera=make_camera,
            simulate_raw=simulate_raw,
            capabilities=frozenset({Capability.PIPELINES, PROJECTOR}),
            repository_config=REPOSITORY_CONFIG,
            pipelines={"Throughput": "resource://harness_cbp/pipelines/Throughput.yaml"},
        )
    ]


@hookimpl
def harness_checks() -> Iterable[Check]:
    """Provide the invariants of settings, links, charges and throughput."""
    from .checks import CHECKS

    return CHECKS


@hookimpl
def harness_defects() -> Iterable[Defect]:
    """Provide the seeded defects that these must find."""
    from .defects import DEFECTS

    return DEFECTS
