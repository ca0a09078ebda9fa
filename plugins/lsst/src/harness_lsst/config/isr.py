"""Instrument signature removal: the chain of calibrations makes a dark."""

config.doDark = True  # type: ignore[name-defined]  # noqa: F821 - the middleware runs this with ``config`` defined
