"""Invariants of the projector: settings, links to cameras, charges and throughput."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.checks.quality_data import load
from harness.checks.raws import raws
from harness.checks.records import iso, look_datasets, look_record, records, spread
from harness.errors import HarnessError
from harness.instrument.kit import Capability
from harness.verdicts import Check, Finding, check

from .identifiers import split_exposure_id, split_observation_id
from .linkage import NAME, linked
from .settings import problems

if TYPE_CHECKING:
    from harness.checks.context import CheckContext

__all__ = ["CHECKS", "PROJECTOR"]

PROJECTOR = "projector"
"""Capability of instruments that shine into cameras; the checks of this plugin need it."""

SAMPLE = 500
"""How many headers are read at most."""

SIGMAS = 5.0
CHARGE = 0.002
"""Part by which a charge may be off, beside five standard errors: the time series is rounded and sampled."""

ABSOLUTE = 0.05
"""Part by which the whole curve may be off: raw images are not flat-fielded, and the simulated flat field has an
r.m.s. amplitude of 1.5 % in each of its terms, dead columns apart."""
RELATIVE = 0.005
"""Part by which each wavelength may differ from the others, beside five standard errors: cosmic rays in an aperture,
structure of the bias in it. The flat field is the same for all."""


@check(
    "identifiers.cbp-name",
    title="The obs_id of every exposure of the projector gives its exposure id",
    after="ingest",
    needs={PROJECTOR},
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def cbp_name(context: CheckContext) -> Iterator[Finding]:
    """Operators know exposures by OBSID, the Butler by the id; scans are looked up by either."""
    for record in records(context, "exposure"):
        if record.instrument != NAME:
            continue
        context.examined()
        try:
            right = split_observation_id(record.obs_id) == split_exposure_id(record.id)
        except HarnessError:
            right = False
        if not right:
            day, sequence = split_exposure_id(record.id)
            data_id = {"instrument": NAME, "exposure": record.id}
            yield Finding(
                f"exposure {record.id} has the name of another",
                data_id=data_id,
                where="exposure.obs_id",
                seen=str(record.obs_id),
                expected=f"CB_O_{day}_{sequence:06d}",
                look=look_record("exposure", data_id),
            )


@check(
    "identifiers.cbp-settings",
    title="The projector, its laser and its electrometer were set to something that they can be set to",
    after="ingest",
    needs={PROJECTOR},
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def cbp_settings(context: CheckContext) -> Iterator[Finding]:
    """A focus in mm taken for µm, or a mask slot that does not exist, makes a scan worthless, and no pixel shows it.

    The raw headers are read again, and held against the limits of the hardware.
    """
    for raw in spread([r for r in raws(context) if r.data_id["instrument"] == NAME], SAMPLE):
        context.examined()
        look = look_datasets(raw.dataset_type, raw.run, raw.data_id)
        try:
            header = context.butler.get(context.butler.get_dataset(raw.id).makeComponentRef("header"))
        except (HarnessError, OSError, LookupError, RuntimeError, ValueError) as error:
            yield Finding(
                "the header of a raw cannot be read",
                data_id=raw.data_id,
                where=raw.run,
                seen=str(error),
                expected="a header with the settings",
                look=look,
            )
            continue
        for problem in problems(header):
            yield Finding(
                f"{problem.key} of exposure {raw.data_id['exposure']} is not possible",
                data_id=raw.data_id,
                where=raw.run,
                seen=problem.seen,
                expected=problem.expected,
                look=look,
            )


@check(
    "identifiers.cbp-linked",
    title="Every exposure of the projector has the exposure of a camera with its group, and every such one has it",
    after="ingest",
    needs={PROJECTOR},
    remedy="ingest the missing exposure of the group: harness ingest {repo} PATH",
)
def cbp_linked(context: CheckContext) -> Iterator[Finding]:
    """Light without a camera is lost, and a camera's image without the charge that was sent means nothing.

    The two are linked by the name of the group alone: a typing error there breaks the link without any error. A group
    has one exposure of the projector, or it could not be said which charge belongs to an image.
    """
    projector, cameras = linked(context)
    for group in sorted(projector.keys() | cameras.keys()):
        sent, seen = projector.get(group, ()), cameras.get(group, ())
        context.examined(len(sent) + len(seen))
        first = (*sent, *seen)[0]
        data_id = {"instrument": first.instrument, "exposure": first.id}
        problem = ""
        if not seen:
            problem = f"no camera has an exposure of type cbp in group {group}"
        elif not sent:
            problem = f"the projector has no exposure in group {group}, but a camera has"
        elif len(sent) > 1:
            problem = f"group {group} has {len(sent)} exposures of the projector"
        if problem:
            yield Finding(
                problem,
                data_id=data_id,
                where="exposure.group",
                seen=", ".join(f"{r.instrument} {r.id}" for r in (*sent, *seen)),
                expected="one exposure of the projector and at least one of a camera",
                look=look_record("exposure", {"exposure.group": group}),
            )


@check(
    "time.cbp-together",
    title="The projector shines while the camera of its group exposes",
    after="ingest",
    needs={PROJECTOR},
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def cbp_together(context: CheckContext) -> Iterator[Finding]:
    """Exposures of one group that do not overlap in time cannot be of one light: a group was used twice, or a clock is
    wrong.
    """
    projector, cameras = linked(context)
    for group, sent in sorted(projector.items()):
        for one in sent:
            for other in cameras.get(group, ()):
                if one.timespan is None or other.timespan is None:
                    continue
                context.examined()
                if not one.timespan.overlaps(other.timespan):
                    data_id = {"instrument": NAME, "exposure": one.id}
                    yield Finding(
                        f"exposure {other.id} of {other.instrument} was not taken while the projector shone",
                        data_id=data_id,
                        where="exposure.timespan",
                        seen=f"{iso(other.timespan.nsec[0])} to {iso(other.timespan.nsec[1])}",
                        expected=f"some of {iso(one.timespan.nsec[0])} to {iso(one.timespan.nsec[1])}",
                        look=look_record("exposure", {"exposure.group": group}),
                    )


@check(
    "quality.cbp-charge",
    title="The charges measured are those that were simulated, with honest errors",
    after="process",
    needs={Capability.PIPELINES, PROJECTOR},
    remedy="look at the electrometer's file of the exposure, and run again",
    deep=True,
)
def cbp_charge(context: CheckContext) -> Iterator[Finding]:
    """Every throughput is divided by a charge; the dark current of the photodiode must have been taken off.

    It must be right within five standard errors and 0.2 %.
    """
    from .writer import settings_of

    for data_id, table, observation in _measured(context, "cbpCharge"):
        context.examined()
        truth = settings_of(observation)
        seen, error = float(table["charge"][0]), float(table["chargeErr"][0])
        limit = SIGMAS * error + CHARGE * abs(truth.charge)
        wavelength = float(table["wavelength"][0])
        if abs(seen - truth.charge) > limit or wavelength != truth.settings.wavelength:
            yield Finding(
                f"the charge of exposure {observation.exposure} is wrong",
                data_id=data_id,
                where="cbpCharge",
                seen=f"{seen:.4e} C at {wavelength:g} nm",
                expected=f"{truth.charge:.4e} ± {limit:.1e} C at {truth.settings.wavelength:g} nm",
                look=_look("cbpCharge", data_id),
            )


@check(
    "quality.cbp-throughput",
    title="The throughput at every wavelength of the scan is the simulated one",
    after="process",
    needs={Capability.PIPELINES, PROJECTOR},
    remedy="look at the charges and the spots of the wavelength, and run again",
    deep=True,
)
def cbp_throughput(context: CheckContext) -> Iterator[Finding]:
    """The curve is what the projector is for: it goes into the colours of everything that the telescope measures.

    Its level must be right within 5 %, since raw images are not flat-fielded; its form within 0.5 % and five standard
    errors. Every wavelength that was sent must be there, with as many exposures as there were.
    """
    import numpy as np

    from harness.simulate.projector import throughput

    from .writer import settings_of

    if context.dataset is None or context.dataset.instrument != NAME:
        return
    sent: dict[float, int] = {}
    for observation in context.dataset.observations:
        known = settings_of(observation)
        if known.charge:
            sent[known.settings.wavelength] = sent.get(known.settings.wavelength, 0) + 1
    for data_id, table in load(context, "cbpThroughput"):
        for camera in sorted(set(map(str, table["camera"]))):
            rows = table[np.asarray([str(c) == camera for c in table["camera"]])]
            seen = {float(w): i for i, w in enumerate(rows["wavelength"])}
            look = _look("cbpThroughput", data_id)
            for wavelength, number in sorted(sent.items()):
                context.examined()
                here = int(rows["exposures"][seen[wavelength]]) if wavelength in seen else 0
                if here != number:
                    yield Finding(
                        f"the throughput of {camera} at {wavelength:g} nm is not made of all exposures",
                        data_id=data_id,
                        where="cbpThroughput",
                        seen=f"{here} exposures",
                        expected=f"{number} exposures",
                        look=look,
                    )
            ratio = np.asarray(rows["throughput"], float) / throughput(np.asarray(rows["wavelength"], float))
            level = float(np.median(ratio))
            if abs(level - 1) > ABSOLUTE:
                yield Finding(
                    f"the throughput of {camera} is {100 * (level - 1):+.1f} % off",
                    data_id=data_id,
                    where="cbpThroughput",
                    seen=f"median ratio to the truth {level:.4f} of {len(ratio)} wavelengths",
                    expected=f"1 within {ABSOLUTE}",
                    look=look,
                )
            spread = np.asarray(rows["throughputErr"], float) / np.asarray(rows["throughput"], float)
            for i in np.flatnonzero(np.abs(ratio / level - 1) > RELATIVE + SIGMAS * spread):
                yield Finding(
                    f"the throughput of {camera} at {float(rows['wavelength'][i]):g} nm does not fit the others",
                    data_id=data_id,
                    where="cbpThroughput",
                    seen=f"{float(rows['throughput'][i]):.4f}, {100 * (ratio[i] / level - 1):+.1f} % off the curve",
                    expected=f"within {100 * (RELATIVE + SIGMAS * spread[i]):.1f} %",
                    look=look,
                )


def _measured(context: CheckContext, name: str) -> Iterator[tuple[Mapping[str, Any], Any, Any]]:
    """Yield data ID, content and observation of each output of a type."""
    if context.dataset is None or context.dataset.instrument != NAME:
        return
    observations = {o.exposure: o for o in context.dataset.observations}
    for data_id, table in load(context, name):
        if data_id["exposure"] in observations:
            yield data_id, table, observations[data_id["exposure"]]


def _look(name: str, data_id: Mapping[str, Any]) -> str:
    where = " AND ".join(f"{k}={v!r}" for k, v in data_id.items() if k in ("instrument", "exposure", "detector"))
    return f'butler query-datasets {{repo}} {name} --where "{where}"'


CHECKS: tuple[Check, ...] = (cbp_name, cbp_settings, cbp_linked, cbp_together, cbp_charge, cbp_throughput)
"""The checks of this plugin."""
