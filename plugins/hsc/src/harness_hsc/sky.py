"""The site of the Subaru telescope, and numbers as its headers write them."""

from __future__ import annotations

from harness.instrument.horizon import Site

__all__ = ["SITE", "sexagesimal"]

SITE = Site(longitude=-155.476667, latitude=19.825556, height=4139.0)
"""Of the Subaru telescope."""


def sexagesimal(value: float, decimals: int, *, signed: bool = False, modulus: int | None = None) -> str:
    """Write a number of hours or degrees as ``21:22:59.982``.

    Parameters
    ----------
    value : `float`
        The number.
    decimals : `int`
        Decimals of the seconds; more are written, up to 9, if the number needs them.
    signed : `bool`, optional
        Write a ``+`` too.
    modulus : `int`, optional
        Wrap what rounding carries up to it: 24 for hours.
    """
    size = abs(value)
    while True:
        unit: int = 10**decimals
        ticks = round(size * 3600 * unit)
        if decimals >= 9 or abs(ticks / unit / 3600 - size) < 1e-12:
            break
        decimals += 1
    if modulus is not None:
        ticks %= modulus * 3600 * unit
    seconds, fraction = divmod(ticks, unit)
    minutes, seconds = divmod(seconds, 60)
    whole, minutes = divmod(minutes, 60)
    sign = "-" if value < 0 else "+" if signed else ""
    return f"{sign}{whole:02d}:{minutes:02d}:{seconds:02d}.{fraction:0{decimals}d}"
