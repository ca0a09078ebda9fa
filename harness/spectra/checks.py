"""Invariants of extracted spectra: they agree with what was simulated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import HarnessError
from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .names import SPECTRUM, SPECTRUM_LINES, SPECTRUM_SUMMARY

if TYPE_CHECKING:
    from astropy.table import Table

    from ..checks.context import CheckContext
    from ..checks.quality_data import Floats
    from ..instrument.dispersion import Trace
    from ..simulate.scene import Placed
    from ..simulate.spectra import Target

__all__ = ["CHECKS"]

NEEDS = {Capability.SPECTRA, Capability.PIPELINES}
SIGMAS = 5.0
"""Standard errors that a measurement may be off."""
CENTRE_FLOOR = 0.05
"""Part of a pixel below which wavelengths aren't judged: the centre of the undispersed image is good to 0.01 pixels,
and a line of S/N 20 to σ/20 = 0.05 pixels."""
STRONG = 15.0
"""A line must be found if its signal to noise would be this with a known continuum. That the continuum is fitted along
costs up to half of it (measured: 0.47 to 0.95), and 5 is the threshold of detection."""
FLUX_FLOOR = 0.03
"""Relative flux below which continua aren't judged: the profile is a median over a few hundred pixels, and stars of the
field, whose spectra lie across each other, leave 1 to 2 % (measured)."""
FOREIGN = 0.01
"""Share of the light of other sources above which a piece isn't judged."""
PIECE = 20
"""Samples whose flux is added up: several times the width of the PSF, so that lines count as a whole."""


@dataclasses.dataclass(frozen=True)
class _Known:
    """A spectrum with the truth about it."""

    data_id: Mapping[str, Any]
    table: Table
    lines: Table | None
    summary: Any
    target: Target
    trace: Trace
    efficiency: float
    placed: Placed

    def foreign(self, along: Floats) -> Floats:
        """Return the light of other sources (electrons per pixel of length)."""
        from .neighbours import foreign_light

        reach = 8 * float(self.summary["psfSigma"])
        return foreign_light(self.trace, self.target, self.placed, along, reach)

    @property
    def look(self) -> str:
        where = " AND ".join(f"{k}={v!r}" for k, v in self.data_id.items())
        return f'butler query-datasets {{repo}} spectrum --where "{where}"'


def _spectra(context: CheckContext) -> Iterator[_Known]:
    """Yield the spectra of simulated dispersed exposures."""
    from ..checks.quality_data import load, simulated
    from ..instrument.dispersion import Trace
    from ..simulate.scene import Sources, place
    from ..simulate.spectra import mounted, target

    truth = simulated(context)
    if truth is None:
        return
    dataset, kit, objects = truth
    camera, bands = kit.make_camera(dataset.scale), kit.instrument_class.filters()
    sources = Sources.from_table(objects)
    dispersed = {
        o.exposure: o for o in dataset.observations if o.on_sky and kit.disperser(o.physical_filter) is not None
    }
    lines, summaries = (
        {tuple(sorted(d.items())): t for d, t in load(context, name)} for name in (SPECTRUM_LINES, SPECTRUM_SUMMARY)
    )
    for data_id, table in load(context, SPECTRUM):
        observation = dispersed.get(data_id["exposure"])
        if observation is None:
            continue
        star, disperser = target(dataset, kit, observation), mounted(dataset, kit, observation)
        key, detector = tuple(sorted(data_id.items())), int(data_id["detector"])
        if not len(summaries.get(key, ())):
            raise HarnessError(f"{data_id} has a spectrum without {SPECTRUM_SUMMARY}", code="no-summary")
        summary = summaries[key][0]
        order = int(summary["order"])
        yield _Known(
            data_id=data_id,
            table=table,
            lines=lines.get(key),
            summary=summary,
            target=star,
            trace=Trace(disperser, camera, detector, *star.pixel(camera, detector), order),
            efficiency=disperser.efficiency.get(order, 0.0),
            placed=place(camera, detector, observation, sources, bands[observation.physical_filter]),
        )


def _columns(table: Table, *names: str) -> tuple[Floats, ...]:
    return tuple(np.asarray(table[name], np.float64) for name in names)


@check(
    "quality.spectrum-wavelengths",
    title="The wavelengths of every spectrum are those of the light that falls on its pixels",
    after="process",
    needs=NEEDS,
    remedy="look at the dispersion and the distance of the disperser in the instrument's kit, and run again",
    deep=True,
)
def wavelengths(context: CheckContext) -> Iterator[Finding]:
    """Whoever measures an atmosphere or a star uses the wavelengths, not the pixels.

    The disperser was simulated at a place of its own, which only the lines tell. The distance is known to the
    error that the task states; five times it, and a twentieth of a pixel, may a wavelength be off where there is
    light.
    """
    for known in _spectra(context):
        seen, x, y, step, flux, error = _columns(known.table, "wavelength", "x", "y", "dispersion", "flux", "fluxErr")
        true = known.trace.wavelength(x, y)
        use = (flux > SIGMAS * error) & np.isfinite(seen)
        context.examined(int(use.sum()))
        limit = SIGMAS * float(known.summary["distanceFactorErr"]) * true + CENTRE_FLOOR * np.abs(step)
        wrong = np.flatnonzero(((np.abs(seen - true) > limit) & use) | ~np.isfinite(seen))
        if len(wrong):
            worst = wrong[np.argmax(np.nan_to_num(np.abs(seen - true)[wrong] / limit[wrong], nan=np.inf))]
            yield Finding(
                f"{len(wrong)} of {len(seen)} wavelengths are wrong",
                data_id=known.data_id,
                where=SPECTRUM,
                seen=f"{seen[worst]:.2f} nm at pixel ({x[worst]:.1f}, {y[worst]:.1f})",
                expected=f"{true[worst]:.2f} nm within {limit[worst]:.2f} nm",
                look=known.look,
            )


@check(
    "quality.spectrum-lines",
    title="Strong lines of every spectrum are found, at their wavelengths, and known ones by name",
    after="process",
    needs=NEEDS,
    remedy="look at the spectrum: wrong wavelengths or too much noise hide lines",
    deep=True,
)
def lines(context: CheckContext) -> Iterator[Finding]:
    """Lines are what the wavelengths rest on, and emission lines that no list has show whether they are right.

    A line whose signal to noise would be 15 must be found, within five of its standard errors, those of the distance
    of the disperser, and a twentieth of a pixel.
    """
    for known in _spectra(context):
        if known.lines is None:
            yield Finding(
                "there is no table of lines", data_id=known.data_id, where=SPECTRUM_LINES,
                seen="no dataset", expected="one for each spectrum", look=known.look,
            )  # fmt: skip
            continue
        found, error = _columns(known.lines, "wavelength", "wavelengthErr")
        names = [str(n) for n in known.lines["name"]]
        for line, step in _strong(known):
            context.examined()
            scale = float(known.summary["distanceFactorErr"]) * line.wavelength
            away = np.abs(found - line.wavelength)
            near = np.flatnonzero(away <= SIGMAS * np.hypot(error, scale) + CENTRE_FLOOR * step)
            title = line.name or "an emission line"
            if not len(near):
                nearest = f"{found[np.argmin(away)]:.2f} nm" if len(found) else "no line at all"
                yield Finding(
                    f"{title} is not where it was simulated",
                    data_id=known.data_id,
                    where=SPECTRUM_LINES,
                    seen=f"nearest of {len(found)} lines: {nearest}",
                    expected=f"{line.wavelength:.2f} nm",
                    look=known.look.replace(" spectrum ", " spectrumLines "),
                )
            elif line.name and line.name not in {names[i] for i in near}:
                yield Finding(
                    f"{title} is not recognized",
                    data_id=known.data_id,
                    where=SPECTRUM_LINES,
                    seen=f"{found[near[0]]:.2f} nm is named {names[near[0]]!r}",
                    expected=line.name,
                    look=known.look.replace(" spectrum ", " spectrumLines "),
                )


def _strong(known: _Known) -> Iterator[tuple[Any, float]]:
    """Yield the simulated lines that must be found, with the nm per pixel there."""
    from ..simulate.spectra import LINE_SIGMA

    wavelength, step, error, level = _columns(known.table, "wavelength", "dispersion", "fluxErr", "continuum")
    sigma = float(known.summary["psfSigma"])
    # Of the truth, where it lies: a wrong wavelength column must not excuse a missing line.
    x, y = _columns(known.table, "x", "y")
    true = known.trace.wavelength(x, y)
    for line in known.target.lines:
        at = int(np.argmin(np.abs(true - line.wavelength)))
        if abs(true[at] - line.wavelength) > step[at] or not 8 <= at < len(wavelength) - 8:
            continue
        here = slice(at - 5, at + 6)
        if np.asarray(known.table["flag"])[here].any():
            continue
        width = np.hypot(sigma, LINE_SIGMA / step[at])
        noise = float(np.median(error[here])) * step[at] * np.sqrt(2 * np.sqrt(np.pi) * width)
        # The truth's continuum too, so that a continuum of nothing excuses nothing.
        expected = float(known.target.continuum(np.array([line.wavelength]))[0]) * known.efficiency
        if abs(line.equivalent_width) * min(expected, max(level[at], expected / 2)) > STRONG * noise:
            yield line, float(step[at])


@check(
    "quality.spectrum-flux",
    title="The flux of every spectrum is that which was simulated",
    after="process",
    needs=NEEDS,
    remedy="look at aperture and background of the extraction, and run again",
    deep=True,
)
def flux(context: CheckContext) -> Iterator[Finding]:
    """A wrong profile, background or flat field changes the continuum, and with it every transmission.

    Twenty samples at a time are compared with the simulated light, lines included, but not where other sources give
    more than 1 % of it: without a slit their light falls on the trace too. The median ratio may be 3 % off, and
    five times 1.25 of its standard error.
    """
    for known in _spectra(context):
        x, y, step, value, error = _columns(known.table, "x", "y", "dispersion", "flux", "fluxErr")
        good = ~np.asarray(known.table["flag"], bool)
        along = known.trace.along(x, y)
        foreign = known.foreign(along)
        ratios, errors = [], []
        for first in range(0, len(value) - PIECE, PIECE):
            here = slice(first, first + PIECE)
            contiguous = np.diff(along[here]).max() < 1.5
            ends = known.trace.wavelength(*known.trace.point(along[here][[0, -1]]))
            grid = np.linspace(float(ends[0]), float(ends[1]), 400)
            true = float(np.trapezoid(known.target.density(grid), grid)) * known.efficiency
            noise = float(np.sqrt(np.sum((error[here] * step[here]) ** 2)))
            clean = np.trapezoid(foreign[here], along[here]) < FOREIGN * true
            if contiguous and clean and good[here].all() and true > 20 * noise:
                ratios.append(float(np.trapezoid(value[here] * step[here], along[here])) / true)
                errors.append(noise / true)
        if not ratios:
            continue
        context.examined(len(ratios))
        ratio = float(np.median(ratios))
        limit = FLUX_FLOOR + SIGMAS * 1.2533 * float(np.median(errors)) / np.sqrt(len(ratios))
        if not abs(ratio - 1) <= limit:
            yield Finding(
                f"the flux is {100 * (ratio - 1):+.1f} % off",
                data_id=known.data_id,
                where=SPECTRUM,
                seen=f"median ratio to the truth {ratio:.4f} of {len(ratios)} pieces",
                expected=f"1 within {limit:.4f}",
                look=known.look,
            )


CHECKS: tuple[Check, ...] = (wavelengths, lines, flux)
