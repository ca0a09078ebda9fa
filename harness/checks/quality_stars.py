"""What the checks of quality share: bright stars, and the verdict on their fluxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..verdicts import Finding
from .quality_data import robust_sigma

if TYPE_CHECKING:
    from .quality_data import Floats, Matched

__all__ = ["MEDIAN", "MIN_STARS", "SIGMAS", "bright", "judge_photometry", "look"]

MEDIAN = 1.2533
"""Standard error of a median in units of that of a mean, for normal errors: √(π/2)."""
SIGMAS = 5.0
"""Standard errors that a measurement may be off: chance exceeds them once in two million times."""
FLUX_FLOOR = 0.01
"""Relative flux below which biases aren't judged: the reference catalogue is good to 0.005 per star, zero points
take 0.005 as the part of the scatter that photon noise doesn't explain, and a coadd has both."""
MIN_STARS = 5


def bright(table: Any, matched: Matched, flux: str, error: str, least: float) -> Matched:
    """Return the matches whose signal to noise is at least so much and whose core is unmasked."""
    value, sigma = np.asarray(table[flux])[matched.index], np.asarray(table[error])[matched.index]
    with np.errstate(invalid="ignore"):
        return matched.where(value > least * sigma)


def judge_photometry(
    table: Any, truth: Any, matched: Matched, band: str, prefix: str, data_id: Mapping[str, Any], where: str
) -> Iterator[Finding]:
    """Judge bias and scatter of fluxes."""
    flux, error = (np.asarray(table[f"{prefix}{c}"], float)[matched.index] for c in ("psfFlux", "psfFluxErr"))
    true: Floats = np.asarray(truth[f"{band}_flux"], float)[matched.truth]
    bias = float(np.median(flux / true)) - 1
    # Photon noise of bright stars is no measure of what else scatters them.
    spread = np.hypot(error / true, FLUX_FLOOR)
    limit = SIGMAS * MEDIAN * float(np.median(error / true)) / np.sqrt(len(flux)) + FLUX_FLOOR
    if abs(bias) > limit:
        yield Finding(
            f"fluxes of stars are {100 * bias:+.1f} % off",
            data_id=data_id,
            where=where,
            seen=f"median ratio to the truth {1 + bias:.4f} of {len(flux)} stars",
            expected=f"1 within {limit:.4f}",
            look=look(where, data_id),
        )
    scatter = robust_sigma((flux / true - 1 - bias) / spread)
    # The standard error of the robust scatter of N values is 1.17/√(2N).
    allowed = 2.0 + SIGMAS * 1.17 / np.sqrt(2 * len(flux))
    if scatter > allowed:
        yield Finding(
            "fluxes of stars scatter more than their errors say",
            data_id=data_id,
            where=where,
            seen=f"robust scatter {scatter:.2f} errors of {len(flux)} stars",
            expected=f"at most {allowed:.2f}",
            look=look(where, data_id),
        )


def look(name: str, data_id: Mapping[str, Any]) -> str:
    """Return the command that shows the dataset."""
    where = " AND ".join(f"{k}={v!r}" for k, v in data_id.items() if k not in ("detector",) or "visit" not in name)
    return f'butler query-datasets {{repo}} {name} --where "{where}"'
