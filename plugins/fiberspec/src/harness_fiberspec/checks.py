"""Invariants of spectra: whose they are, and that the lines found are those of the lamp."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.checks.quality_data import load
from harness.checks.raws import Raw, raws
from harness.checks.records import by_key, look_datasets, look_record, records, spread
from harness.errors import HarnessError
from harness.instrument.kit import Capability
from harness.verdicts import Check, Finding, check

from .devices import device_of, split_observation_id

if TYPE_CHECKING:
    from harness.checks.context import CheckContext

__all__ = ["CHECKS", "FIBER"]

FIBER = "fiber-spectra"
"""Capability of instruments whose raws are spectra of the devices of this plugin; its checks need it."""

NAME = "FiberSpec"
SAMPLE = 500
"""How many headers are read at most."""

POSITION = 0.1
"""Pixels by which the centre of a line may be off, beside five standard errors: the fit's own error at high signal."""
FLUX = 0.03
"""Part of its flux by which a line may be off, beside five standard errors: the continuum under it is a median."""
SIGMAS = 5.0
FINDABLE = 20.0
"""Height over noise above which a line must be found; the task's threshold is 8."""
ISOLATED = 3.0
"""Widths (FWHM) within which there must be no other line for a line to be judged."""


@check(
    "identifiers.fiber-device",
    title="The spectrum of an exposure comes from the device that its obs_id names",
    after="ingest",
    needs={FIBER},
    upstream="the exposure id of a fiber spectrograph ignores the device",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def fiber_device(context: CheckContext) -> Iterator[Finding]:
    """Blue, Red and Broad number their exposures alike, so that what they take at one moment has one exposure id.

    Only one of them can be in a repository. If the file of another is stored under its record, wavelengths and
    fluxes are those of another spectrograph, and no query shows it.
    """
    exposures = by_key(context, "exposure")
    for raw in spread([r for r in raws(context) if r.data_id["instrument"] == NAME], SAMPLE):
        context.examined()
        record = exposures.get((NAME, raw.data_id["exposure"]))
        obs_id = str(getattr(record, "obs_id", ""))
        seen, expected = "", f"all of one device, that of obs_id {obs_id}"
        try:
            header = _header(context, raw)
            device = device_of(header)
            number = split_observation_id(obs_id)[0]
        except (HarnessError, OSError, LookupError, RuntimeError, ValueError) as error:
            seen = str(error)
        else:
            if device.number != number:
                seen = f"the file of {device.name} ({device.prefix}), serial {device.serial}"
        if seen:
            yield Finding(
                f"the device of exposure {raw.data_id['exposure']} is in doubt",
                data_id=raw.data_id,
                where=raw.run,
                seen=seen,
                expected=expected,
                look=look_datasets(raw.dataset_type, raw.run, raw.data_id),
            )


@check(
    "identifiers.fiber-moment",
    title="Exposure ids of the fiber spectrographs are the day and number of one observation of one device",
    after="ingest",
    needs={FIBER},
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def fiber_moment(context: CheckContext) -> Iterator[Finding]:
    """An exposure id ends with the number in the obs_id and begins with its day, or the day after.

    DAYOBS changes at midnight and the day of OBSID at noon, so that they differ in the morning. Where they differ by
    more, or the numbers do, two observations have been taken for one. And no two exposures may come from one
    observation number of one moment: the devices would be indistinguishable.
    """
    import datetime

    begins: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for record in records(context, "exposure"):
        if record.instrument != NAME:
            continue
        context.examined()
        data_id = {"instrument": NAME, "exposure": record.id}
        day, sequence = divmod(record.id, 100_000)
        try:
            _, _, named_day, named_sequence = split_observation_id(str(record.obs_id))
            dates = [datetime.datetime.strptime(f"{d}+0000", "%Y%m%d%z").date() for d in (named_day, day)]
            wrong = named_sequence != sequence or (dates[1] - dates[0]).days not in (0, 1)
        except (HarnessError, ValueError):
            wrong = True
        if wrong:
            yield Finding(
                f"exposure {record.id} is not the one that obs_id {record.obs_id} names",
                data_id=data_id,
                where="exposure.obs_id",
                seen=str(record.obs_id),
                expected=f"FSn_O_{day}_{sequence:06d}, or with the day before",
                look=look_record("exposure", data_id),
            )
        if record.timespan is not None:
            begins[record.timespan.nsec[0], sequence].append(record)
    for same in begins.values():
        if len(same) > 1:
            data_id = {"instrument": NAME, "exposure": same[-1].id}
            yield Finding(
                f"exposures {', '.join(str(r.id) for r in same)} began at one moment with one number",
                data_id=data_id,
                where="exposure",
                seen=", ".join(str(r.obs_id) for r in same),
                expected="one exposure for each moment and number",
                look=look_record("exposure", data_id),
            )


@check(
    "quality.fiber-lines",
    title="The emission lines found are those of the lamp, at their wavelengths and with their fluxes",
    after="process",
    needs={Capability.PIPELINES, FIBER},
    remedy="look at the spectrum and its lamp, and run again",
    deep=True,
)
def fiber_lines(context: CheckContext) -> Iterator[Finding]:
    """The spectrographs say which wavelength a calibration source has; an error there goes into every throughput.

    Isolated lines well above the noise must be found within a tenth of a pixel (and five standard errors), with
    their flux within 3 % (and five standard errors). What is found must be a line.
    """
    import numpy as np

    from .lamp import FWHM, LAMPS, READ_NOISE, true_lines, wavelengths
    from .writer import device_and_lamp

    dataset = context.dataset
    if dataset is None or dataset.instrument != NAME:
        return
    observations = {o.exposure: o for o in dataset.observations}
    for data_id, table in load(context, "spectrumLines"):
        observation = observations.get(data_id["exposure"])
        if observation is None:
            continue
        device, lamp = device_and_lamp(observation)
        truth = true_lines(device.name, lamp)
        scale = np.gradient(wavelengths(device.name))
        found = np.asarray(table["pixel"], float)
        look = f'butler query-datasets {{repo}} spectrumLines --where "{_where(data_id)}"'
        context.examined()
        for line, place in truth:
            flux = line.rate * observation.exposure_time
            height = flux / (FWHM * 1.0645) / READ_NOISE
            near = [p for _, p in truth if p != place and abs(p - place) < ISOLATED * FWHM]
            if height < FINDABLE or near or not 10 < place < len(scale) - 10:
                continue
            context.examined()
            row = int(np.argmin(np.abs(found - place))) if len(found) else -1
            if row < 0 or abs(found[row] - place) > FWHM:
                yield Finding(
                    f"the line at {line.wavelength} nm of lamp {lamp} is missing",
                    data_id=data_id,
                    where="spectrumLines",
                    seen=f"{len(found)} lines, none within {FWHM} pixels",
                    expected=f"a line at pixel {place:.2f}",
                    look=look,
                )
                continue
            step = float(scale[round(place)])
            allowed = POSITION * step + SIGMAS * float(table["wavelengthErr"][row])
            error = float(table["wavelength"][row]) - line.wavelength
            if abs(error) > allowed:
                yield Finding(
                    f"the line at {line.wavelength} nm is {error:+.3f} nm off",
                    data_id=data_id,
                    where="spectrumLines.wavelength",
                    seen=f"{float(table['wavelength'][row]):.3f} nm",
                    expected=f"{line.wavelength:.3f} ± {allowed:.3f} nm",
                    look=look,
                )
            measured, limit = float(table["flux"][row]), FLUX * flux + SIGMAS * float(table["fluxErr"][row])
            if abs(measured - flux) > limit:
                yield Finding(
                    f"the line at {line.wavelength} nm is {measured / flux:.2f} times as bright as it should be",
                    data_id=data_id,
                    where="spectrumLines.flux",
                    seen=f"{measured:.0f} counts",
                    expected=f"{flux:.0f} ± {limit:.0f} counts",
                    look=look,
                )
        for row, place in enumerate(found):
            if not any(abs(place - p) <= ISOLATED * FWHM for _, p in truth):
                yield Finding(
                    f"there is no line at {float(table['wavelength'][row]):.2f} nm",
                    data_id=data_id,
                    where="spectrumLines",
                    seen=f"a line of {float(table['snr'][row]):.1f} times the noise",
                    expected=f"lines of lamp {lamp} only ({len(LAMPS[lamp])})",
                    look=look,
                )


def _header(context: CheckContext, raw: Raw) -> Any:
    return context.butler.get(context.butler.get_dataset(raw.id).makeComponentRef("header"))


def _where(data_id: Any) -> str:
    return " AND ".join(f"{k}={v!r}" for k, v in data_id.items() if k in ("instrument", "exposure", "detector"))


CHECKS: tuple[Check, ...] = (fiber_device, fiber_moment, fiber_lines)
"""The checks of this plugin."""
