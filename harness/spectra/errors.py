"""Why there is no spectrum."""

from __future__ import annotations

from typing import Any

from lsst.pipe.base import AlgorithmError

__all__ = ["SpectrumError"]


class SpectrumError(AlgorithmError):
    """An image of which no spectrum can be made.

    Parameters
    ----------
    step : `str`
        ``zeroth``, ``trace`` or ``extract``.
    reason : `str`
        Why.
    """

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step

    @property
    def metadata(self) -> dict[str, Any]:
        """The step, for the task's metadata."""
        return {"step": self.step}
