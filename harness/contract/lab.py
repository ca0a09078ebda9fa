"""What a property is given: repositories of its own, and words for what it expects."""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..verdicts import Finding
from .base import EnoughError, NotApplicableError, blame
from .shelf import KNOWN, TEMPLATES, old_universe, templates_folder

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["Lab", "short"]

SHOWN = 300
"""Length (characters) to which values in findings are cut."""

MOST_FINDINGS = 20
"""Findings of one property that are kept; what more there would be says nothing new."""


class Lab:
    """A folder, and what was seen in it.

    Parameters
    ----------
    root : `~pathlib.Path`
        An empty folder.
    seed : `str`
        Seed of the random choices.
    effort : `float`, optional
        Part of the usual number of random cases that is tried.
    stop : `bool`, optional
        Whether to stop at the first finding.

    Attributes
    ----------
    rng : `random.Random`
        For choices: the same seed gives the same ones.
    findings : `list` [`~harness.verdicts.Finding`]
        What did not hold.
    count : `int`
        How many things were looked at.
    skipped : `str`
        What the installed release does not have.
    error : `Exception` or `None`
        What went wrong in the property's own code.
    """

    def __init__(self, root: Path, seed: str, *, effort: float = 1.0, stop: bool = False) -> None:
        self.root = root
        self._effort = effort
        self._stop = stop
        self.rng = random.Random(seed)  # noqa: S311 - choices of tests, no secrets
        self.findings: list[Finding] = []
        self.count = 0
        self.skipped = ""
        self.error: Exception | None = None
        self._exits = contextlib.ExitStack()
        self._exits.enter_context(_quiet())
        self._doing: list[str] = []

    # what run_check calls -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget what was examined."""
        self.count = 0

    def examined(self, n: int = 1) -> None:
        """Say that ``n`` more things were looked at."""
        self.count += n

    def close(self) -> None:
        """Close the repositories."""
        self._exits.close()

    # what is expected -----------------------------------------------------------------------------------------------

    def expect(
        self,
        holds: bool,
        message: str,
        *,
        where: str = "",
        seen: object = "",
        expected: object = "",
        data_id: Mapping[str, Any] | None = None,
        look: str = "",
    ) -> bool:
        """Record a finding unless something holds.

        Parameters
        ----------
        holds : `bool`
            Whether it holds.
        message : `str`
            What is wrong if not.
        where, seen, expected, data_id, look
            See `~harness.verdicts.Finding`.

        Returns
        -------
        holds : `bool`
            The same.
        """
        self.examined()
        if not holds:
            self.record(
                Finding(
                    message,
                    data_id=dict(data_id or {}),
                    where=where or "; ".join(self._doing),
                    seen=short(seen),
                    expected=short(expected),
                    look=look,
                )
            )
        return bool(holds)

    def equal(self, seen: Any, expected: Any, message: str, *, where: str = "", **more: Any) -> bool:
        """Record a finding unless two things are equal; sets and mappings are shown by their differences."""
        same = bool(seen == expected)
        shown, wanted = (seen, expected) if same else _differences(seen, expected)
        return self.expect(same, message, where=where, seen=shown, expected=wanted, **more)

    def record(self, finding: Finding) -> None:
        """Record a finding, unless there are enough."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        if self._stop:
            raise EnoughError

    def few(self, count: int) -> int:
        """Return how many of so many random cases are tried: at least one."""
        return max(1, round(count * self._effort))

    def some(self, cases: Iterable[Any]) -> list[Any]:
        """Return the cases that are tried, in order: all, or some chosen at random if the effort is smaller."""
        listed = list(cases)
        if self._effort >= 1:
            return listed
        return [listed[n] for n in sorted(self.rng.sample(range(len(listed)), min(len(listed), self.few(len(listed)))))]

    def needs(self, present: object, what: str) -> None:
        """Stop here, as not applicable, if the installed release does not have something.

        Raises
        ------
        NotApplicableError
            If it is not there.
        """
        if not present:
            raise NotApplicableError(f"this release has no {what}")

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Do something that must work: an exception out of the middleware is a finding, and the property goes on.

        Parameters
        ----------
        what : `str`
            What is done; goes into the findings made inside.
        """
        self._doing.append(what)
        try:
            yield
        except EnoughError:
            raise
        except NotApplicableError as error:
            self.skipped = str(error)
        except Exception as error:
            if not blame(error):
                raise
            self.blamed(error, what)
        finally:
            self._doing.pop()

    @contextlib.contextmanager
    def refused(self, what: str, *kinds: type[BaseException]) -> Iterator[None]:
        """Do something that must fail: no exception is a finding, and so is one of another kind than ``kinds``."""
        self.examined()
        try:
            yield
        except (EnoughError, NotApplicableError):
            raise
        except Exception as error:
            if not blame(error):
                raise
            if kinds and not isinstance(error, kinds):
                names = " or ".join(k.__name__ for k in kinds)
                self.record(Finding(f"{what}: raised another error", seen=short(error), expected=names))
            return
        self.record(Finding(f"{what}: was accepted", where="; ".join(self._doing), expected="an error"))

    @contextlib.contextmanager
    def unchanged(self, butler: Butler, what: str) -> Iterator[None]:
        """Do something that must leave no trace in a repository: rows of all tables, and files."""
        from .state import raw_state

        before = raw_state(butler)
        yield
        after = raw_state(butler)
        for name in sorted({*before, *after}):
            old, new = before.get(name, frozenset()), after.get(name, frozenset())
            self.equal(new, old, f"{what}: changed the repository", where=name)

    def blamed(self, error: Exception, what: str) -> None:
        """Record an exception of the middleware."""
        text = f"{type(error).__name__}: {short(error)}"
        doing = what or "; ".join(self._doing)
        self.examined()
        self.record(Finding(f"{doing + ': ' if doing else ''}raised {text}", where=blame(error)))

    def raise_later(self, error: Exception) -> None:
        """Remember an exception of the property's own code, which makes it unknown."""
        self.error = error

    # repositories ---------------------------------------------------------------------------------------------------

    def repository(
        self,
        name: str = "repo",
        *,
        world: bool = True,
        universe: int | None = None,
        config: Mapping[str, Any] | None = None,
        runs: Iterable[str] = (),
        types: Mapping[str, Any] | None = None,
    ) -> Butler:
        """Make a repository and open it for writing.

        Parameters
        ----------
        name : `str`, optional
            Its folder.
        world : `bool`, optional
            Whether it has the dimension records of `~harness.contract.world`.
        universe : `int`, optional
            Version of its dimension universe; by default that of the installed release.
        config : `~collections.abc.Mapping`, optional
            Configuration to make it with, added to the storage classes of `~harness.contract.things`.
        runs : `~collections.abc.Iterable` [`str`], optional
            RUN collections to register.
        types : `~collections.abc.Mapping`, optional
            Dataset types to register: dimensions by name, or dimensions and a storage class; a name that ends with
            ``calib`` is a calibration. The default storage class is ``StructuredDataDict``.

        Returns
        -------
        butler : `lsst.daf.butler.Butler`
            Closed when the property ends.
        """
        butler = self._make(name, world, universe, config)
        for run in runs:
            butler.registry.registerRun(run)
        for type_, what in (types or {}).items():
            dimensions, storage = what if what and isinstance(what[0], tuple) else (what, "StructuredDataDict")
            self.register_type(butler, type_, dimensions, storage)
        return butler

    def register_type(self, butler: Butler, name: str, dimensions: Iterable[str], storage: str) -> None:
        """Register a dataset type; a calibration if its name ends with ``calib``."""
        from lsst.daf.butler import DatasetType

        group = butler.dimensions.conform(dimensions)
        calibration = name.endswith("calib")
        butler.registry.registerDatasetType(DatasetType(name, group, storage, isCalibration=calibration))

    def _make(self, name: str, world: bool, universe: int | None, config: Mapping[str, Any] | None) -> Butler:
        from lsst.daf.butler import Butler, Config, DimensionConfig

        from .things import CONFIG
        from .world import insert_world

        target = self.root / name
        key = (world, universe, repr(config))
        if key in TEMPLATES and TEMPLATES[key].exists():
            shutil.copytree(TEMPLATES[key], target)
            return self.open(target, writeable=True)
        merged = Config(CONFIG)
        merged.update(Config(dict(config or {})))
        dimensions = DimensionConfig(old_universe(universe)) if universe is not None else None
        Butler.makeRepo(str(target), config=merged, dimensionConfig=dimensions)
        butler = self.open(target, writeable=True)
        if world:
            insert_world(butler)
        self._keep(key, target)
        return butler

    def prepared(self, name: str, make: Callable[[], tuple[Butler, Any]]) -> tuple[Butler, Any]:
        """Make a repository with contents, once in a process, and copy it afterwards.

        Parameters
        ----------
        name : `str`
            Its folder, and the name of what is made.
        make : `~collections.abc.Callable`
            Makes the repository in that folder; returns a butler and what else is known of it, which is not changed
            by anybody.

        Returns
        -------
        butler : `lsst.daf.butler.Butler`
            Writeable.
        known : `object`
            What ``make`` knows.
        """
        key = ("prepared", name)
        if key in TEMPLATES and TEMPLATES[key].exists():
            shutil.copytree(TEMPLATES[key], self.root / name)
            return self.open(self.root / name, writeable=True), KNOWN[key]
        butler, KNOWN[key] = make()
        self._keep(key, self.root / name)
        return butler, KNOWN[key]

    def _keep(self, key: tuple[Any, ...], folder: Path) -> None:
        """Keep a copy of a repository for others."""
        template = templates_folder() / f"{len(TEMPLATES)}"
        # SQLite needs no closing for a copy: nothing is being written
        shutil.copytree(folder, template)
        TEMPLATES[key] = template

    def open(self, root: Butler | Path | str, **kwargs: Any) -> Butler:
        """Open a repository by its folder, or once more by one of its butlers.

        Parameters
        ----------
        root : `~pathlib.Path`, `str` or `lsst.daf.butler.Butler`
            The folder, or a butler of `repository`.
        **kwargs
            Further arguments of ``Butler.from_config``.
        """
        from lsst.daf.butler import Butler

        folder = root if isinstance(root, Path | str) else repository_root(root)
        butler = Butler.from_config(str(folder), **kwargs)
        if hasattr(butler, "close"):
            self._exits.callback(butler.close)
        return butler


def repository_root(butler: Butler) -> Path:
    """Return the folder of a repository that is a local one."""
    return Path(butler._config.configDir.ospath)


def short(value: object) -> str:
    """Write a value in one line that is not too long."""
    if isinstance(value, set | frozenset):
        try:
            value = sorted(value)
        except TypeError:
            value = sorted(value, key=repr)
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _differences(seen: Any, expected: Any) -> tuple[Any, Any]:
    """Cut two unequal values down to what is different in them."""
    if isinstance(seen, set | frozenset) and isinstance(expected, set | frozenset):
        return seen - expected or "nothing more", expected - seen or "nothing more"
    if isinstance(seen, Mapping) and isinstance(expected, Mapping):
        keys = [k for k in {**seen, **expected} if k not in seen or k not in expected or seen[k] != expected[k]]
        return {k: seen[k] for k in keys if k in seen}, {k: expected[k] for k in keys if k in expected}
    return seen, expected


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the middleware logs and warns about off the terminal: the findings say what matters."""
    names = ("lsst", "py.warnings")
    before = {n: logging.getLogger(n).level for n in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
