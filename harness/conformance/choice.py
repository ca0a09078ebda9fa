"""Which dataset of an instrument the suite looks at, and how little of it is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..datasets.observations import SKYLESS_TYPES
from ..errors import HarnessError, nearest
from ..instrument.kit import Capability

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset, ExposureEntry
    from ..instrument.kit import InstrumentKit
    from ..plugins import Plugins

__all__ = ["choose_dataset", "coarse", "few_exposures", "few_in_later_epochs", "few_raws"]

COARSE = 16
"""Binning of the pixels that is asked of a camera first: a raw file then has some ten thousand pixels."""

PER_KIND = 2
"""Exposures of each type and filter."""
MOST = 8
"""Exposures in all."""
COMBINED = 3
"""Exposures that a calibration is made of: fewer cannot be combined (`harness.drp.calibration_chain`)."""
DETECTORS = 2
"""Detectors of each exposure."""


def choose_dataset(plugins: Plugins, instrument: str, name: str | None = None) -> Dataset:
    """Return a dataset of an instrument: the one named, or the first by name.

    Raises
    ------
    HarnessError
        If there is none, or the manifest has mistakes.
    """
    from ..datasets.manifest import load_manifest

    folders = plugins.dataset_folders()
    if name is not None:
        if name not in folders:
            raise nearest("dataset", name, folders)
        return load_manifest(folders[name])
    broken = []
    for folder in (folders[n] for n in sorted(folders)):
        try:
            dataset = load_manifest(folder)
        except HarnessError as error:  # of another instrument, perhaps
            broken.append(str(error))
            continue
        if dataset.instrument == instrument:
            return dataset
    raise HarnessError(
        f"no dataset for instrument {instrument!r}",
        remedy="; ".join(broken) or "give one with the hook harness_datasets",
        code="no-dataset",
    )


def coarse(dataset: Dataset, kit: InstrumentKit) -> Dataset:
    """Return a dataset with its pixels binned as coarsely as is quick, if the camera can be binned so."""
    if Capability.IMAGES not in kit.capabilities:
        return dataset
    for scale in (COARSE, COARSE // 2):
        if scale <= dataset.scale:
            break
        try:
            kit.make_camera(scale)
        except HarnessError:
            continue
        return dataset.model_copy(update={"scale": scale})
    return dataset


def few_exposures(dataset: Dataset, *, dark: bool = False) -> Dataset:
    """Return a dataset with some exposures of each type and filter; of a group all or none.

    Parameters
    ----------
    dataset : `~harness.datasets.manifest.Dataset`
        The whole one.
    dark : `bool`, optional
        Whether to keep, however many there are, the exposures that don't look at the sky; of those that calibrations
        are made of some of each type and filter in each epoch.
    """
    chosen: list[ExposureEntry] = []
    kinds: dict[tuple[str, str, int], int] = {}
    for entry in sorted(dataset.exposures, key=lambda e: e.ra is None):  # what looks at the sky comes first
        kept = dark and entry.ra is None
        made_of = kept and entry.type in SKYLESS_TYPES
        epoch = sum(e.begin <= entry.begin for e in dataset.calibrations) if made_of else 0
        kind = (entry.type, entry.filter, epoch)
        grouped = bool(entry.group) and any(c.group == entry.group for c in chosen)
        few = kinds.get(kind, 0) < (COMBINED if made_of else PER_KIND) and (kept or len(chosen) < MOST)
        if grouped or (kept and not made_of) or few:
            kinds[kind] = kinds.get(kind, 0) + 1
            chosen.append(entry)
    ids = {entry.id for entry in chosen}
    return dataset.model_copy(update={"exposures": tuple(e for e in dataset.exposures if e.id in ids)})


def few_raws(dataset: Dataset) -> Dataset:
    """Return a dataset with some of its exposures, and of each the first and the last detectors."""
    entries = []
    for entry in few_exposures(dataset).exposures:
        ids = entry.detectors
        kept = ids if len(ids) <= DETECTORS else (*ids[: DETECTORS - 1], ids[-1])
        entries.append(entry.model_copy(update={"detectors": kept}))
    return dataset.model_copy(update={"exposures": tuple(entries)})


def few_in_later_epochs(dataset: Dataset) -> Dataset:
    """Return a dataset with one detector of each exposure after the first calibration epoch.

    What differs between detectors shows in the first epoch, what differs between epochs in one detector.
    """
    later = [epoch.begin for epoch in dataset.calibrations][1:]
    entries = [
        e.model_copy(update={"detectors": e.detectors[:1]}) if later and e.begin >= min(later) else e
        for e in dataset.exposures
    ]
    return dataset.model_copy(update={"exposures": tuple(entries)})
