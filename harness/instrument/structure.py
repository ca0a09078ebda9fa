"""Whether the HDUs of a raw file are those of its detector: told from headers alone."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from astropy.io.fits.card import Undefined

from .assembly import raw_shape

if TYPE_CHECKING:
    from .camera import Amplifier, Detector

__all__ = ["StructureProblem", "image_hdu", "image_size", "structure_problems"]

_SECTION = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]")


@dataclasses.dataclass(frozen=True)
class StructureProblem:
    """Something in which a file is not that of its detector.

    Parameters
    ----------
    extension : `str`
        Name of the HDU.
    key : `str`
        Header key at fault.
    seen, expected : `str`
        What it says, and what it should.
    """

    extension: str
    key: str
    seen: str
    expected: str

    def __str__(self) -> str:
        return f"extension {self.extension}: {self.key} is {self.seen}, expected {self.expected}"


def structure_problems(
    headers: Sequence[Mapping[str, Any]], detector: Detector, hdus: Sequence[int] | None = None
) -> list[StructureProblem]:
    """Compare the HDUs of a raw file with the amplifiers of its detector.

    Parameters
    ----------
    headers : `~collections.abc.Sequence` [`~collections.abc.Mapping`]
        Headers of all HDUs in the order of the file; those of compressed images with or without their ``Z`` keys.
    detector : `~harness.instrument.camera.Detector`
        The detector, binned as the file is.
    hdus : `~collections.abc.Sequence` [`int`], optional
        Which of them are the detector's, if the file holds several detectors.

    Returns
    -------
    problems : `list` [`StructureProblem`]
        Empty if the amplifiers can be taken from the file. HDUs that hold no amplifier don't matter.

    Notes
    -----
    A section that begins with the first pixel is taken for one of a readout that knows nothing of the prescan
    (LATISS wrote such in 2021 and 2022): its size must be right, and the pixels lie where the camera says.
    """
    amplifiers = detector.amplifiers
    if not any(a.extension for a in amplifiers):
        return list(_one_image(headers, detector, hdus))
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for header in headers[1:] if hdus is None else [headers[i] for i in hdus]:
        # FITS compares names without regard to case.
        by_name.setdefault(str(header.get("EXTNAME", "")).strip().upper(), []).append(header)
    problems = []
    for amplifier in amplifiers:
        found = by_name.get(amplifier.extension.upper(), [])
        if len(found) != 1:
            problems.append(
                StructureProblem(
                    amplifier.extension, "EXTNAME", f"found {len(found)} times" if found else "missing", "one HDU"
                )
            )
        else:
            problems += _amplifier(found[0], amplifier)
    return problems


def image_hdu(headers: Sequence[Mapping[str, Any]], hdus: Sequence[int] | None = None) -> int | None:
    """Return which HDU holds the image of a detector: the primary or, compressed, the first extension.

    If a file holds several detectors, it is the first image of those HDUs that are the detector's.
    """
    candidates = range(min(2, len(headers))) if hdus is None else hdus
    return next((i for i in candidates if image_size(headers[i]) is not None), None)


def image_size(header: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return columns and rows of the image that an HDU holds, compressed or not; `None` if it holds none."""
    prefix = "Z" if header.get("ZIMAGE") is True else ""
    if not prefix and str(header.get("XTENSION", "IMAGE")).strip() != "IMAGE":
        return None
    axes = [header.get(f"{prefix}NAXIS{i}") for i in (1, 2)]
    if header.get(f"{prefix}NAXIS") != 2 or not all(type(n) is int and n > 0 for n in axes):
        return None
    return axes[0], axes[1]  # type: ignore[return-value]  # just proven


def _one_image(
    headers: Sequence[Mapping[str, Any]], detector: Detector, hdus: Sequence[int] | None
) -> Iterator[StructureProblem]:
    ny, nx = raw_shape(detector)
    hdu = image_hdu(headers, hdus)
    size = None if hdu is None else image_size(headers[hdu])
    if size != (nx, ny):
        first = hdu if hdu is not None else next(iter(hdus or ()), 0)
        yield StructureProblem(str(first) if first else "0 (primary)", *_sizes(size, (nx, ny)))


def _amplifier(header: Mapping[str, Any], amplifier: Amplifier) -> Iterator[StructureProblem]:
    box, data = amplifier.raw_bbox, amplifier.raw_data
    size = image_size(header)
    if size != (box.nx, box.ny):
        yield StructureProblem(amplifier.extension, *_sizes(size, (box.nx, box.ny)))
    value = header.get("DATASEC")
    if value is None or isinstance(value, Undefined):
        return
    text = str(value)
    x0, y0 = data.x0 - box.x0 + 1, data.y0 - box.y0 + 1
    match = _SECTION.fullmatch(text.strip())
    x1, x2, y1, y2 = (int(n) for n in match.groups()) if match else (0, 0, 0, 0)
    if (x2 - x1 + 1, y2 - y1 + 1) != (data.nx, data.ny) or x1 not in (x0, 1) or y1 not in (y0, 1):
        expected = f"[{x0}:{x0 + data.nx - 1},{y0}:{y0 + data.ny - 1}]"
        yield StructureProblem(amplifier.extension, "DATASEC", text, expected)


def _sizes(seen: tuple[int, int] | None, expected: tuple[int, int]) -> tuple[str, str, str]:
    said = "no image" if seen is None else f"{seen[0]} × {seen[1]}"
    return "NAXIS1 × NAXIS2", said, f"{expected[0]} × {expected[1]}"
