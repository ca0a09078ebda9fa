"""What the repository already knows: instruments, exposures, observing days, raws."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import HarnessError
from .reasons import BadRaw, Reason

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef, DatasetType
    from lsst.resources import ResourcePath

__all__ = ["RAW_DEFINITION", "RegisteredInstrument", "Repository"]

RAW_DEFINITION = ("raw", ("instrument", "exposure", "detector"), "HarnessRaw")
"""Name, dimensions and storage class of raws for instruments that do not say."""
MOST_TERMS = 500
"""Exposures asked for at a time: SQLite refuses expressions that are 1000 deep, which so many alternatives are."""


@dataclasses.dataclass(frozen=True)
class RegisteredInstrument:
    """An instrument with a record in the repository.

    Parameters
    ----------
    instrument : `lsst.pipe.base.Instrument`
        Instance of the class that the record names.
    exposure_max : `int`
        Exclusive limit of its exposure ids.
    detectors : `~collections.abc.Mapping` [`int`, `str`]
        Full names of its detectors.
    filters : `frozenset` [`str`]
        Its physical filters.
    run : `str`
        RUN collection of its raws.
    dataset_type : `lsst.daf.butler.DatasetType`
        Of its raws.
    """

    instrument: Any
    exposure_max: int
    detectors: Mapping[int, str]
    filters: frozenset[str]
    run: str
    dataset_type: DatasetType

    @property
    def name(self) -> str:
        """Name of the instrument (`str`)."""
        return str(self.instrument.getName())


class Repository:
    """Read access to what matters for an ingest, remembering what does not change.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository, open for writing.
    run : `str`, optional
        RUN collection for the raws; each instrument's own by default.
    """

    def __init__(self, butler: Butler, run: str | None = None) -> None:
        self.butler = butler
        self._run = run
        self._instruments: dict[str, RegisteredInstrument | BadRaw] = {}
        self._days: dict[tuple[str, int], Mapping[str, Any] | None] = {}

    def classes(self) -> list[type]:
        """Import the classes of all registered instruments; importing one registers its translator."""
        from lsst.pipe.base import Instrument

        return list(Instrument.importAll(self.butler.registry).values())

    def instrument(self, name: str) -> RegisteredInstrument:
        """Return an instrument.

        Parameters
        ----------
        name : `str`
            Its name, from a header.

        Raises
        ------
        BadRaw
            If it is not registered, or its class cannot be imported.
        """
        if name not in self._instruments:
            self._instruments[name] = self._look_up(name)
        found = self._instruments[name]
        if isinstance(found, BadRaw):
            raise found
        return found

    def _look_up(self, name: str) -> RegisteredInstrument | BadRaw:
        from lsst.pipe.base import Instrument

        registry = self.butler.registry
        try:
            instrument = Instrument.fromName(name, registry)
        except LookupError:
            known = ", ".join(sorted(r.name for r in registry.queryDimensionRecords("instrument"))) or "none"
            return BadRaw(
                Reason.UNREGISTERED_INSTRUMENT,
                f"instrument {name} is not registered in the repository (registered: {known})",
                key="instrument",
                seen=name,
                expected=known,
            )
        except (ImportError, TypeError, AttributeError) as error:
            return BadRaw(
                Reason.UNREGISTERED_INSTRUMENT, f"class of instrument {name} cannot be imported: {error}", seen=name
            )
        (record,) = registry.queryDimensionRecords("instrument", instrument=name)
        detectors = self.butler.query_dimension_records("detector", instrument=name, explain=False)
        filters = self.butler.query_dimension_records("physical_filter", instrument=name, explain=False)
        return RegisteredInstrument(
            instrument,
            record.exposure_max,
            {d.id: d.full_name for d in detectors},
            frozenset(f.name for f in filters),
            self._run or instrument.makeDefaultRawIngestRunName(),
            self._dataset_type(instrument),
        )

    def _dataset_type(self, instrument: Any) -> DatasetType:
        """Return the dataset type of an instrument's raws: the registered one, if it has the same dimensions."""
        from lsst.daf.butler import DatasetType
        from lsst.daf.butler.registry import MissingDatasetTypeError

        name, dimensions, storage_class = getattr(instrument, "raw_definition", None) or RAW_DEFINITION
        universe = self.butler.dimensions
        try:
            found = self.butler.get_dataset_type(name)
        except MissingDatasetTypeError:
            pass
        else:
            if found.dimensions != universe.conform(dimensions):
                raise HarnessError(
                    f"dataset type {name} has dimensions {found.dimensions}, not {universe.conform(dimensions)}",
                    code="dataset-type",
                )
            return found
        try:
            made = DatasetType(name, dimensions, storage_class, universe=universe)
            made.storageClass  # noqa: B018  (looks the storage class up)
        except KeyError as error:
            raise HarnessError(
                f"repository has no storage class {storage_class}",
                remedy="create the repository with the configuration that the instrument's plugin brings",
                code="storage-class",
            ) from error
        return made

    def exposures(self, name: str, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return the fields of those exposures that have a record."""
        found: dict[int, dict[str, Any]] = {}
        for some in itertools.batched(ids, MOST_TERMS):
            records = self.butler.query_dimension_records(
                "exposure", where=f"exposure IN ({_listed(some)})", instrument=name, limit=None, explain=False
            )
            found |= {r.id: r.toDict() for r in records}
        return found

    def day(self, name: str, day_obs: int) -> Mapping[str, Any] | None:
        """Return the fields of an observing day; `None` if it has no record."""
        key = (name, day_obs)
        if key not in self._days:
            found = self.butler.query_dimension_records(
                "day_obs", instrument=name, day_obs=day_obs, limit=None, explain=False
            )
            self._days[key] = found[0].toDict() if found else None
        return self._days[key]

    def forget_absent_days(self) -> None:
        """Ask again for observing days that had no record: they may have got one, here or by another process."""
        self._days = {key: fields for key, fields in self._days.items() if fields is not None}

    def raws(self, instrument: RegisteredInstrument, exposures: Iterable[int]) -> dict[tuple[int, int], DatasetRef]:
        """Return the raws of some exposures by exposure and detector."""
        from lsst.daf.butler.registry import MissingCollectionError, MissingDatasetTypeError

        found: dict[tuple[int, int], DatasetRef] = {}
        for some in itertools.batched(exposures, MOST_TERMS):
            try:
                refs = self.butler.query_datasets(
                    instrument.dataset_type.name,
                    collections=instrument.run,
                    where=f"exposure IN ({_listed(some)})",
                    instrument=instrument.name,
                    find_first=False,
                    limit=None,
                    explain=False,
                )
            except (MissingCollectionError, MissingDatasetTypeError):
                return {}
            found |= {(r.dataId["exposure"], r.dataId["detector"]): r for r in refs}
        return found

    def artifacts(self, refs: Iterable[DatasetRef]) -> dict[DatasetRef, str | ResourcePath]:
        """Return the files of those datasets that the datastore knows: local paths, or resources."""
        found = self.butler.get_many_uris(refs, allow_missing=True)
        uris = {ref: entry.primaryURI for ref, entry in found.items() if entry.primaryURI is not None}
        return {ref: uri.ospath if uri.isLocal else uri for ref, uri in uris.items()}


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(str(i) for i in ids)
