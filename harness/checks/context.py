"""What a check may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..verdicts import NotApplicableError
from .scope import Scope

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..datasets.manifest import Dataset
    from ..instrument.kit import InstrumentKit

__all__ = ["CheckContext"]

T = TypeVar("T")


class _Facts(dict[str, Any]):
    """Facts by stage; whoever asks for those of a stage that was not run is told so."""

    def __missing__(self, stage: str) -> Any:
        raise NotApplicableError(f"needs what the stage {stage!r} of a run says of itself")


class CheckContext:
    """A repository, opened for reading, and what is known about it.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        Read-only butler.
    root : `~pathlib.Path`
        The repository's folder.
    kits : `~collections.abc.Mapping` [`str`, `~harness.instrument.kit.InstrumentKit`]
        The installed instruments, by name.
    dataset : `~harness.datasets.manifest.Dataset`, optional
        What the repository was made from; `None` when auditing a foreign one.
    facts : `~collections.abc.Mapping`, optional
        What the stages left behind, by stage name. A check that asks for those of a stage that was not run does not
        apply (`~harness.verdicts.NotApplicableError`).
    others : `tuple` [`~harness.datasets.manifest.Dataset`]
        Datasets that came into the repository before.
    scope : `~harness.checks.scope.Scope`, optional
        What part of the repository is asked about; by default all of it, with the contents of its files.

    Attributes
    ----------
    count : `int`
        How many things the running check has looked at.
    """

    def __init__(
        self,
        butler: Butler,
        root: Path,
        kits: Mapping[str, InstrumentKit],
        dataset: Dataset | None = None,
        facts: Mapping[str, Any] | None = None,
        others: tuple[Dataset, ...] = (),
        scope: Scope | None = None,
    ) -> None:
        self.butler = butler
        self.root = root
        self.kits = kits
        self.dataset = dataset
        self.facts: Mapping[str, Any] = _Facts(facts or {})
        self.others = others
        self.scope = Scope() if scope is None else scope
        self.count = 0
        self._cache: dict[str, Any] = {}

    def begin(self) -> None:
        """Forget what the previous check examined."""
        self.count = 0

    def examined(self, n: int = 1) -> None:
        """Say that ``n`` more things were looked at."""
        self.count += n

    def cached(self, key: str, make: Callable[[], T]) -> T:
        """Return a value shared between checks, made at its first use."""
        if key not in self._cache:
            self._cache[key] = make()
        value: T = self._cache[key]
        return value
