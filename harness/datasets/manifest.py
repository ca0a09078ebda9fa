"""Manifests: which exposures, detectors, pointings and calibrations a dataset has."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pydantic

from ..errors import HarnessError
from .observations import Observation

__all__ = [
    "CalibrationEpoch",
    "Dataset",
    "DiscreteSkyMapEntry",
    "ExposureEntry",
    "RingsSkyMapEntry",
    "load_manifest",
]


def _naive(value: datetime.datetime) -> datetime.datetime:
    if value.tzinfo is not None:
        raise ValueError("times are TAI: write them without a time zone")
    return value


Tai = Annotated[
    datetime.datetime,
    pydantic.Field(description="TAI, without a time zone", strict=True),
    pydantic.AfterValidator(_naive),
]
Degrees = Annotated[float, pydantic.Field(allow_inf_nan=False)]
Setting = str | int | float | bool | tuple[str | int | float | bool, ...]
Ra = Annotated[float, pydantic.Field(ge=0, lt=360)]
Dec = Annotated[float, pydantic.Field(ge=-90, le=90)]


class _Entry(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class DiscreteSkyMapEntry(_Entry):
    """A sky map of one tract around a point.

    Attributes
    ----------
    radius : `float`
        Half of the side of the tract (degrees).
    pixel_arcsec : `float`
        Size of pixels (arcsec), before binning: near that of the camera, so that coadds sample stars as well.
    """

    kind: Literal["discrete"]
    name: str
    ra: Ra
    dec: Dec
    radius: float = pydantic.Field(gt=0, lt=90)
    pixel_arcsec: float = pydantic.Field(default=0.168, gt=0, lt=10)


class RingsSkyMapEntry(_Entry):
    """A sky map of rings of tracts over the whole sky."""

    kind: Literal["rings"]
    name: str
    num_rings: int = pydantic.Field(default=120, ge=3)


SkyMapEntry = Annotated[DiscreteSkyMapEntry | RingsSkyMapEntry, pydantic.Field(discriminator="kind")]


class CalibrationEpoch(_Entry):
    """A stretch of time with its own bias, flat and defects; ``end`` missing means open."""

    label: str = pydantic.Field(pattern=r"^[A-Za-z0-9._-]+$")
    begin: Tai
    end: Tai | None = None

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> CalibrationEpoch:
        if self.end is not None and self.end <= self.begin:
            raise ValueError("end must be later than begin")
        return self


class RefcatEntry(_Entry):
    """Reference catalogue."""

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9_]+$")


class ExposureEntry(_Entry):
    """One exposure and the detectors that it has.

    Attributes
    ----------
    ra, dec, sky_angle : `float`, optional
        Where the telescope looks (degrees); none of them if it does not look at the sky.
    snap : `tuple` [`int`, `int`]
        Place in its group and number of exposures that the group was to have.
    focus : `float`
        Offset of the focus (mm).
    settings : `~collections.abc.Mapping`
        What only one instrument understands.
    """

    id: int = pydantic.Field(gt=0)
    filter: str
    begin: Tai
    exposure_time: float = pydantic.Field(ge=0)
    ra: Ra | None = None
    dec: Dec | None = None
    sky_angle: Degrees | None = None
    seeing: float = pydantic.Field(default=0.7, gt=0, lt=10)
    type: str = "science"
    reason: str = ""
    target: str = ""
    program: str = ""
    group: str = ""
    snap: tuple[Annotated[int, pydantic.Field(gt=0)], Annotated[int, pydantic.Field(gt=0)]] = (1, 1)
    focus: float = pydantic.Field(default=0.0, allow_inf_nan=False)
    settings: Mapping[str, Setting] = {}
    detectors: tuple[int, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _pointed(self) -> ExposureEntry:
        given = [n for n in ("ra", "dec", "sky_angle") if getattr(self, n) is not None]
        if given and len(given) < 3:
            raise ValueError(f"{', '.join(given)} without the others of ra, dec, sky_angle")
        if not given and self.type == "science":
            raise ValueError("an exposure of type science needs ra, dec and sky_angle")
        return self

    @pydantic.field_validator("snap")
    @classmethod
    def _in_group(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError(f"snap {value[0]} of {value[1]}")
        return value

    @pydantic.field_validator("detectors")
    @classmethod
    def _unique(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a detector is listed twice")
        return value


class Processing(_Entry):
    """Which pipeline of the instrument to run, on what, with which overrides ``label:field=value``.

    Attributes
    ----------
    inputs : `tuple` [`str`]
        Collections to search beside the instrument's own: raws of another one that took part.
    """

    pipeline: str
    where: str = ""
    inputs: tuple[str, ...] = ()
    config: tuple[Annotated[str, pydantic.Field(pattern=r"^[^:=]+:[^:=]+=.*$")], ...] = ()


class Dataset(_Entry):
    """A dataset: everything that its manifest says.

    Attributes
    ----------
    needs : `tuple` [`str`]
        Datasets that must be in the repository before: of another instrument that took part.
    skymap, refcat, calibrations, processing : optional
        A dataset without them does without the stages that need them.
    source : `~pathlib.Path`
        The manifest's file.
    """

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9_]+$")
    title: str
    instrument: str
    seed: int = pydantic.Field(ge=0)
    scale: int = pydantic.Field(default=8, ge=1, le=32)
    needs: tuple[str, ...] = ()
    skymap: SkyMapEntry | None = None
    more_skymaps: tuple[SkyMapEntry, ...] = ()
    refcat: RefcatEntry | None = None
    calibrations: tuple[CalibrationEpoch, ...] = ()
    processing: Processing | None = None
    exposures: tuple[ExposureEntry, ...] = pydantic.Field(min_length=1)
    source: Path = pydantic.Field(exclude=True)

    @pydantic.field_validator("exposures")
    @classmethod
    def _unique(cls, value: tuple[ExposureEntry, ...]) -> tuple[ExposureEntry, ...]:
        seen: set[int] = set()
        for entry in value:
            if entry.id in seen:
                raise ValueError(f"exposure {entry.id} is listed twice")
            seen.add(entry.id)
        return value

    @property
    def skymaps(self) -> tuple[DiscreteSkyMapEntry | RingsSkyMapEntry, ...]:
        """All sky maps, the one that is processed first."""
        return (*((self.skymap,) if self.skymap else ()), *self.more_skymaps)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The exposures, resolved (`tuple` [`Observation`])."""
        from astropy.time import Time

        return tuple(
            Observation(
                instrument=self.instrument,
                exposure=e.id,
                physical_filter=e.filter,
                begin=Time(e.begin, format="datetime", scale="tai"),
                exposure_time=e.exposure_time,
                ra=e.ra,
                dec=e.dec,
                sky_angle=e.sky_angle,
                seeing=e.seeing,
                detectors=e.detectors,
                observation_type=e.type,
                target=e.target,
                program=e.program,
                reason=e.reason,
                group=e.group,
                snap=e.snap,
                focus=e.focus,
                settings=MappingProxyType(dict(e.settings)),
            )
            for e in self.exposures
        )

    @property
    def detectors(self) -> tuple[int, ...]:
        """Every detector that some exposure has, in order (`tuple` [`int`])."""
        return tuple(sorted({d for e in self.exposures for d in e.detectors}))


def load_manifest(path: Path) -> Dataset:
    """Read and validate a manifest.

    Parameters
    ----------
    path : `~pathlib.Path`
        A ``manifest.toml``, or the folder that holds it.

    Returns
    -------
    dataset : `Dataset`
        What it says.

    Raises
    ------
    HarnessError
        If it cannot be read, is not TOML, or says something wrong: the message has one line per mistake,
        each with its TOML path.
    """
    file = path / "manifest.toml" if path.is_dir() else path
    try:
        data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise HarnessError(f"cannot read manifest {file}: {error.strerror}", code="manifest") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"manifest {file} is not TOML: {error}", code="manifest") from error
    try:
        return Dataset(**data, source=file)
    except pydantic.ValidationError as error:
        lines = [f"{_toml_path(e['loc'])}: {e['msg']}" + _given(e) for e in _causes(error.errors())]
        raise HarnessError(f"manifest {file} has mistakes:\n  " + "\n  ".join(lines), code="manifest") from None


def _causes(errors: list[Any]) -> list[Any]:
    """Leave out what follows from another mistake: a list is too short when all its entries are wrong."""
    places = [e["loc"] for e in errors]
    return [e for e in errors if not any(e["loc"] == p[: len(e["loc"])] for p in places if len(p) > len(e["loc"]))]


def _toml_path(loc: tuple[int | str, ...]) -> str:
    """Write a location as in TOML: ``exposures[3].detectors``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(top)"


def _given(error: Any) -> str:
    value = error.get("input")
    return f" (got {value!r})" if isinstance(value, str | int | float) else ""
