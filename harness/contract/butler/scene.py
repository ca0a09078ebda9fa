"""Collections of every type that overlap in what they hold, and a model of what a search in them finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef, Timespan

    from ..lab import Lab

__all__ = ["Scene", "make_scene", "span"]

CALIB = "thecalib"
PLAIN = "plain"


def span(begin: float | None, end: float | None) -> Timespan:
    """Return a time span in seconds after the world's first evening; `None` is unbounded."""
    from lsst.daf.butler import Timespan

    from ..world import instant

    return Timespan(None if begin is None else instant(begin), None if end is None else instant(end))


@dataclasses.dataclass
class Scene:
    """A repository and what is in its collections.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        Writeable.
    members : `dict` [`str`, `dict` [`tuple`, `lsst.daf.butler.DatasetRef`]]
        For RUN and TAGGED collections the dataset of each (type, detector).
    ranges : `dict` [`str`, `list` [`tuple`]]
        For CALIBRATION collections (detector, begin, end, ref), in seconds.
    chains : `dict` [`str`, `tuple` [`str`, ...]]
        Children of CHAINED collections.
    """

    butler: Butler
    members: dict[str, dict[tuple[str, int], DatasetRef]]
    ranges: dict[str, list[tuple[int, float | None, float | None, DatasetRef]]]
    chains: dict[str, tuple[str, ...]]

    def flat(self, path: str | Iterable[str]) -> list[str]:
        """Return the collections of a path without chains, each at its first place."""
        found: list[str] = []
        for name in [path] if isinstance(path, str) else path:
            found += self.flat(self.chains[name]) if name in self.chains else [name]
        return list(dict.fromkeys(found))

    def find(self, name: str, detector: int, path: Sequence[str], time: float | None = None) -> Any:
        """Return the id of the dataset that a search finds: in the first collection that has one."""
        for collection in self.flat(path):
            if collection in self.members:
                ref = self.members[collection].get((name, detector))
                if ref is not None:
                    return ref.id
            elif time is not None and name == CALIB:
                for d, begin, end, ref in self.ranges[collection]:
                    if d == detector and (begin is None or begin <= time) and (end is None or time < end):
                        return ref.id
        return None

    def all(self, name: str, path: Sequence[str]) -> set[Any]:
        """Return the ids of all datasets of a type in a path."""
        found = set()
        for collection in self.flat(path):
            found |= {r.id for (n, _), r in self.members.get(collection, {}).items() if n == name}
            found |= {r.id for *_, r in self.ranges.get(collection, [])} if name == CALIB else set()
        return found


def make_scene(lab: Lab) -> Scene:
    """Make a repository with all types of collections.

    Detectors 1 to 3 of one instrument have datasets; each collection has some of them, and different ones.
    """
    butler, (members, ranges, chains) = lab.prepared("scene", lambda: _make(lab))
    return Scene(butler, {k: dict(v) for k, v in members.items()}, dict(ranges), dict(chains))


def _make(lab: Lab) -> tuple[Butler, tuple[Any, Any, Any]]:
    from lsst.daf.butler import CollectionType

    runs = ("run1", "run2", "old", "new")
    butler = lab.repository(
        "scene", runs=runs, types={CALIB: ("instrument", "detector"), PLAIN: ("instrument", "detector")}
    )
    members: dict[str, dict[tuple[str, int], DatasetRef]] = {r: {} for r in runs}
    for run, detectors in (("run1", (1, 2)), ("run2", (2, 3)), ("old", (1, 2, 3)), ("new", (1, 2, 3))):
        for name in (CALIB, PLAIN):
            for d in detectors:
                value = {"run": run, "type": name, "detector": d}
                members[run][name, d] = butler.put(value, name, instrument="CamA", detector=d, run=run)
    registry = butler.registry
    for name, kind in (
        ("tag1", CollectionType.TAGGED),
        ("cal1", CollectionType.CALIBRATION),
        ("cal2", CollectionType.CALIBRATION),
        ("chain1", CollectionType.CHAINED),
        ("chain2", CollectionType.CHAINED),
        ("empty", CollectionType.CHAINED),
    ):
        registry.registerCollection(name, kind)
    old, new = members["old"], members["new"]
    members["tag1"] = {(n, d): old[n, d] for n in (CALIB, PLAIN) for d in (1, 3)}
    registry.associate("tag1", members["tag1"].values())
    ranges: dict[str, list[tuple[int, float | None, float | None, DatasetRef]]] = {
        "cal1": [
            (1, 0.0, 1250.0, old[CALIB, 1]),
            (1, 1250.0, 10_000.0, new[CALIB, 1]),
            (2, 1250.0, 90_000.0, old[CALIB, 2]),
        ],
        "cal2": [(3, None, None, new[CALIB, 3]), (2, None, 1250.0, new[CALIB, 2]), (2, 80_000.0, None, old[CALIB, 2])],
    }
    for name, items in ranges.items():
        for _, begin, end, ref in items:
            registry.certify(name, [ref], span(begin, end))
    chains = {"chain1": ("run2", "tag1"), "chain2": ("cal1", "chain1", "empty", "cal2"), "empty": ()}
    for name, children in chains.items():
        registry.setCollectionChain(name, children)
    return butler, (members, ranges, chains)
