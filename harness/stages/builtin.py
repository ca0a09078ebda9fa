"""The built-in stages, from nothing to a processed, rerun and round-tripped repository."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from ..instrument.kit import Capability
from ..stage import SHARED, Stage, StageContext

__all__ = ["STAGES"]


def _lazy(module: str) -> Callable[[StageContext], Mapping[str, Any]]:
    """Return a function that imports a stage's module only when the stage is run."""

    def run(context: StageContext) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = importlib.import_module(module).run(context)
        return facts

    return run


BOOTSTRAP = "harness.bootstrap"
VISITS = frozenset({Capability.VISITS})
CALIBRATIONS = frozenset({Capability.CALIBRATIONS})
CALIBRATION_CHAIN = frozenset({Capability.CALIBRATION_CHAIN})
REFCATS = frozenset({Capability.REFCATS})
COADDS = frozenset({Capability.COADDS})
PIPELINES = frozenset({Capability.PIPELINES})

# What is in files. That they are still found and read (the family ``datastore``) no comparison proves; and a
# rerun makes metadata and logs anew, which the family ``provenance`` is about.
REMADE = frozenset({"geometry", "identifiers", "quality", "time", "visits"})
MOVED = REMADE | {"calibrations", "provenance"}

STAGES = (
    Stage(
        "simulate",
        "write raw files",
        _lazy("harness.simulate.stage"),
        code=("harness.simulate", "harness.sky"),
    ),
    Stage("create", "create a repository", _lazy(f"{BOOTSTRAP}.create"), code=(f"{BOOTSTRAP}.create",)),
    Stage(
        "register",
        "register the instrument",
        _lazy(f"{BOOTSTRAP}.register"),
        extends="create",
        code=(f"{BOOTSTRAP}.register",),
    ),
    Stage(
        "calibs",
        "make and certify calibrations",
        _lazy(f"{BOOTSTRAP}.calibs"),
        extends="register",
        code=(f"{BOOTSTRAP}.calibs", "harness.simulate"),
        capabilities=CALIBRATIONS,
    ),
    Stage(
        "refcats",
        "put the reference catalogue",
        _lazy(f"{BOOTSTRAP}.refcats"),
        extends="calibs",
        code=(f"{BOOTSTRAP}.refcats", "harness.sky"),
        capabilities=REFCATS,
    ),
    Stage(
        "skymap",
        "register the sky maps",
        _lazy(f"{BOOTSTRAP}.skymaps"),
        extends="refcats",
        code=(f"{BOOTSTRAP}.skymaps", "harness.sky"),
        capabilities=COADDS,
    ),
    Stage(
        "ingest",
        "ingest the raw files",
        _lazy(f"{BOOTSTRAP}.ingest.stage"),
        extends="skymap",
        needs=("simulate",),
        code=(f"{BOOTSTRAP}.ingest",),
    ),
    Stage(
        "visits",
        "define visits",
        _lazy(f"{BOOTSTRAP}.visits"),
        extends="ingest",
        code=(f"{BOOTSTRAP}.visits", "harness.sky"),
        capabilities=VISITS,
    ),
    Stage(
        "defaults",
        "chain the default collections",
        _lazy(f"{BOOTSTRAP}.defaults"),
        extends="visits",
        code=(f"{BOOTSTRAP}.defaults",),
    ),
    Stage(
        "calibrate",
        "make calibrations of its own exposures",
        _lazy("harness.drp.calibrate_stage"),
        extends="defaults",
        code=("harness.drp", "harness.engines", "harness.simulate.calibration"),
        capabilities=CALIBRATION_CHAIN,
    ),
    Stage(
        "process",
        "run the pipeline",
        _lazy("harness.drp.stage"),
        extends="calibrate",
        code=("harness.drp", "harness.spectra", "harness.wavefront", "harness.engines", "harness.sky"),
        capabilities=PIPELINES,
    ),
    Stage(
        "rerun",
        "run the pipeline again onto its outputs",
        _lazy("harness.rerun.stage"),
        extends="process",
        code=("harness.rerun", "harness.transfer", "harness.engines", "harness.drp", "harness.wavefront"),
        capabilities=PIPELINES,
        proves=REMADE,
    ),
    Stage(
        "roundtrip",
        "export, import and compare",
        _lazy("harness.transfer.roundtrip"),
        extends="process",
        code=("harness.transfer",),
        proves=MOVED,
    ),
    Stage(
        "together",
        "compare with the repository before",
        _lazy("harness.transfer.together"),
        extends="process",
        code=("harness.transfer",),
        capabilities=frozenset({SHARED}),
        proves=MOVED,
    ),
)
