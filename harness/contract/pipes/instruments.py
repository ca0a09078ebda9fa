"""The instruments of the world, as classes: some releases load them when quanta are executed."""

from __future__ import annotations

from typing import Any

from lsst.pipe.base import Instrument

__all__ = ["CamA", "CamB"]


class CamA(Instrument):
    """The first instrument; it registers nothing, for the world has its records."""

    @classmethod
    def getName(cls) -> str:
        """Return its name."""
        return cls.__name__

    def register(self, registry: Any, *, update: bool = False) -> None:
        """Do nothing."""

    def getRawFormatter(self, dataId: Any) -> type:  # noqa: ARG002
        """Return the formatter of raws."""
        from lsst.daf.butler.formatters.json import JsonFormatter

        return JsonFormatter


class CamB(CamA):
    """The second instrument."""
