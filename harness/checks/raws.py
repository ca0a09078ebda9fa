"""Raw datasets, and what their headers say when they are translated again."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .members import members
from .records import known_instruments, spread
from .tables import tables

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo

    from .context import CheckContext

__all__ = ["Raw", "exposure_detectors", "raws", "translated"]

SAMPLE = 120
"""How many headers are read at most: enough to meet every night and detector type, few enough to take a second."""

PROPERTIES = frozenset(
    {
        "instrument",
        "exposure_id",
        "observation_id",
        "detector_num",
        "physical_filter",
        "observation_type",
        "datetime_begin",
        "datetime_end",
        "exposure_time_requested",
        "tracking_radec",
        "has_simulated_content",
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Raw:
    """A raw dataset.

    Parameters
    ----------
    id : `uuid.UUID`
        Its dataset id.
    dataset_type, run : `str`
        Its dataset type and RUN.
    data_id : `~collections.abc.Mapping`
        Instrument, exposure and detector.
    """

    id: uuid.UUID
    dataset_type: str
    run: str
    data_id: Mapping[str, Any]


def raws(context: CheckContext) -> Sequence[Raw]:
    """Return all raw datasets: those of a type named ``raw…`` that an exposure and a detector identify."""

    def make() -> Sequence[Raw]:
        data = tables(context)
        kinds = {
            k.id: k
            for k in data.dataset_types.values()
            if k.name.startswith("raw") and {"exposure", "detector"} <= set(k.dimensions)
        }
        out = []
        for row in members(context, kinds.values()):
            kind = kinds[row.type_id]
            out.append(Raw(row.id, kind.name, data.collection_name(row.run_id), kind.data_id(row.values)))
        return sorted(out, key=lambda r: (r.data_id["instrument"], r.data_id["exposure"], r.data_id["detector"]))

    return context.cached("raws", make)


def exposure_detectors(context: CheckContext) -> Mapping[tuple[str, int], frozenset[int]]:
    """Return the detectors that each exposure has raws of."""

    def make() -> Mapping[tuple[str, int], frozenset[int]]:
        out: dict[tuple[str, int], set[int]] = {}
        for raw in raws(context):
            out.setdefault((raw.data_id["instrument"], raw.data_id["exposure"]), set()).add(raw.data_id["detector"])
        return {key: frozenset(value) for key, value in out.items()}

    return context.cached("detectors of exposures", make)


def translated(context: CheckContext) -> Sequence[tuple[Raw, ObservationInfo | Exception]]:
    """Return raws of the installed instruments with their translated headers.

    Returns
    -------
    found : `~collections.abc.Sequence`
        At most `SAMPLE` of them, or as many as the scope allows, spread evenly. A header that cannot be read or
        translated is given as the exception that says why.
    """

    def make() -> Sequence[tuple[Raw, ObservationInfo | Exception]]:
        kits = known_instruments(context)
        most = min(SAMPLE, context.scope.sample or SAMPLE)
        return [
            (raw, _translate(context, raw))
            for raw in spread([r for r in raws(context) if r.data_id["instrument"] in kits], most)
        ]

    return context.cached("translated headers", make)


def _translate(context: CheckContext, raw: Raw) -> ObservationInfo | Exception:
    from astro_metadata_translator import ObservationInfo

    kit = context.kits[raw.data_id["instrument"]]
    try:
        ref = context.butler.get_dataset(raw.id)
        components = ref.datasetType.storageClass.allComponents()
        name = "header" if "header" in components else "metadata"
        header = context.butler.get(ref.makeComponentRef(name))
        return ObservationInfo(header, translator_class=kit.translator, subset=set(PROPERTIES), quiet=True)
    except Exception as error:  # whatever is wrong with a header becomes a finding of the check that asks
        return error
