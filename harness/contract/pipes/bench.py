"""A repository with raws, a pipeline of tiny tasks, and the commands of the middleware in this process."""

from __future__ import annotations

import collections
import contextlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..base import NotApplicableError, blame
from .model import INIT, LABELS, Outcome, Quantum, Row, freeze, quanta

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["ALL", "Bench", "has_option"]

ALL = "instrument = 'CamA' AND skymap = 'sky-x'"
"""The constraint without which the middleware takes two instruments together."""

RAWS = tuple(("CamA", e, d) for e in (11, 12, 13, 14) for d in (1, 2))
"""Raws of one instrument: instrument, exposure, detector."""

_CLASSES = {label: f"harness.contract.pipes.tasks.{label.capitalize()}Task" for label in LABELS}


class Bench:
    """A repository with raws and flats, a pipeline, and a folder of orders.

    Parameters
    ----------
    lab : `~harness.contract.lab.Lab`
        The property's.
    name : `str`, optional
        Folder of the repository.
    labels : `~collections.abc.Iterable` [`str`], optional
        Tasks of the pipeline.
    raws : `~collections.abc.Iterable` [`tuple`], optional
        Instrument, exposure and detector of each raw.
    universe : `int`, optional
        Version of the dimension universe.

    Attributes
    ----------
    butler : `lsst.daf.butler.Butler`
        Writeable.
    pipeline : `pathlib.Path`
        Its file.
    quanta : `list` [`~harness.contract.pipes.model.Quantum`]
        Those of the first instrument.
    """

    def __init__(
        self,
        lab: Lab,
        name: str = "repo",
        *,
        labels: Iterable[str] = ("isr", "char", "sum"),
        raws: Iterable[tuple[str, int, int]] = RAWS,
        universe: int | None = None,
    ) -> None:
        lab.needs(_importable("lsst.pipe.base"), "lsst.pipe.base")
        self.lab = lab
        self.labels = tuple(labels)
        self.raws = tuple(raws)
        types = {"raw": ("exposure", "detector"), "flatcalib": ("detector",)}
        self.butler = lab.repository(name, universe=universe, runs=["raws", "flats"], types=types)
        self.root = lab.root / name
        self._fill()
        self.folder = lab.root / f"{name}-orders"
        self.folder.mkdir()
        self.order({})
        self.pipeline = lab.root / f"{name}.yaml"
        lines = [f"  {label}: {_CLASSES[label]}" for label in self.labels]
        self.pipeline.write_text("\n".join(["description: tiny tasks", "tasks:", *lines, ""]), encoding="utf-8")
        self.quanta: list[Quantum] = quanta([r for r in self.raws if r[0] == "CamA"], self.labels)
        self.error: BaseException | None = None
        self.output = io.StringIO()
        self._read: Any = None

    def _fill(self) -> None:
        from lsst.daf.butler import CollectionType, Timespan

        # some releases load the class of an instrument when they execute quanta
        for record in list(self.butler.registry.queryDimensionRecords("instrument")):
            fields = {**record.toDict(), "class_name": f"harness.contract.pipes.instruments.{record.name}"}
            changed = type(record)(**fields)
            self.butler.registry.syncDimensionData("instrument", changed, update=True)
        self.butler.registry.registerCollection("calibs", CollectionType.CALIBRATION)
        flats = []
        for instrument, _, detector in sorted({(r[0], 0, r[2]) for r in self.raws}):
            content = {"flat": detector, "of": instrument}
            flats.append(self.butler.put(content, "flatcalib", instrument=instrument, detector=detector, run="flats"))
        for instrument, exposure, detector in self.raws:
            data_id = {"instrument": instrument, "exposure": exposure, "detector": detector}
            self.butler.put({"raw": data_id}, "raw", data_id, run="raws")
        self.butler.registry.certify("calibs", flats, Timespan(None, None))

    # what tasks do --------------------------------------------------------------------------------------------------

    def order(self, orders: Mapping[str, str]) -> None:
        """Say what quanta are to do (``fail``, ``nowork``, ``partial``, ``late``, ``kill`` …), by their names."""
        (self.folder / "orders.json").write_text(json.dumps(dict(orders)), encoding="utf-8")

    def executed(self) -> collections.Counter[str]:
        """Return how often each quantum was executed since the last call."""
        notes = self.folder / "executed"
        if not notes.exists():
            return collections.Counter()
        found = collections.Counter(notes.read_text(encoding="utf-8").splitlines())
        notes.unlink()
        return found

    # commands -------------------------------------------------------------------------------------------------------

    def pipetask(self, *arguments: object) -> bool:
        """Run a command of ``pipetask`` in this process; return whether it says that all is well.

        What it raised is left as ``error``.
        """
        if not _importable("lsst.ctrl.mpexec.cli.pipetask"):
            raise NotApplicableError("this release has no pipetask")
        from lsst.ctrl.mpexec.cli.pipetask import cli

        return self._command(cli, "pipetask", arguments)

    def command(self, *arguments: object) -> bool:
        """Run a command of ``butler`` in this process; return whether it says that all is well."""
        from lsst.daf.butler.cli.butler import cli

        return self._command(cli, "butler", arguments)

    def _command(self, command: Any, program: str, arguments: Iterable[object]) -> bool:
        import click

        words = [str(a) for a in arguments]
        self.error = None
        self.output = io.StringIO()
        with self.surroundings(), contextlib.redirect_stdout(self.output), contextlib.redirect_stderr(self.output):
            try:
                code = command.main(words, prog_name=program, standalone_mode=False)
            except click.UsageError as error:
                if isinstance(error, click.NoSuchOption) or "No such command" in error.message:
                    raise NotApplicableError(f"{program} {words[0]} {error.format_message()}") from error
                self.error = error
            except SystemExit as stop:
                code = stop.code
                if code:
                    self.error = stop
            except Exception as error:
                self.error = error
            else:
                if program == "pipetask" and isinstance(code, int) and code:
                    self.error = SystemExit(code)
        return self.error is None

    @contextlib.contextmanager
    def surroundings(self) -> Iterator[None]:
        """Let tasks find their orders, and commands set up logging as they like."""
        from ...engines.inprocess import own_logging
        from .tasks import ORDERS

        before = os.environ.get(ORDERS)
        os.environ[ORDERS] = str(self.folder)
        try:
            with own_logging():
                yield
        finally:
            os.environ.pop(ORDERS, None)
            if before is not None:
                os.environ[ORDERS] = before

    def run(self, *arguments: object, run: str = "out/1", output: str = "out", inputs: bool = True) -> bool:
        """Run the pipeline with ``pipetask run``; return whether it says that all is well.

        Versions of packages are not saved, for to find them takes as long as the rest; give ``--versions`` to save
        them.
        """
        words = [a for a in arguments if a != "--versions"]
        more = ["--register-dataset-types", *(["--no-versions"] if len(words) == len(arguments) else [])]
        return self.pipetask("run", *self.options(*words, *more, run=run, output=output, inputs=inputs))

    def options(self, *arguments: object, run: str = "out/1", output: str = "out", inputs: bool = True) -> list[object]:
        """Return the options of ``pipetask run`` and ``pipetask qgraph``."""
        where = ALL if {"warp", "coadd"} & {*self.labels} else "instrument = 'CamA'"
        made = ["-b", self.root, "-p", self.pipeline, "-o", output, "--output-run", run, "-d", where]
        made += ["-i", "raws,calibs"] if inputs else []
        return [*made, *arguments]

    def works(self, worked: bool, what: str) -> bool:
        """Expect that a command worked."""
        text = repr(self.error)
        place = blame(self.error) if self.error is not None else ""
        lines = [t for t in self.output.getvalue().splitlines() if t.strip()]
        return self.lab.expect(worked, f"{what}: failed", seen=f"{text} {lines[-1:]}", expected="success", where=place)

    # what is there --------------------------------------------------------------------------------------------------

    def datasets(self, run: str) -> dict[Row, str]:
        """Return the datasets of a run: type and data ID, with a digest of the value if a task wrote it."""
        return {row: text for row, (text, _) in self.holdings(run).items()}

    def holdings(self, run: str) -> dict[Row, tuple[str, str]]:
        """Return the datasets of a run, each with a digest of its value and its id."""
        from .tasks import digest

        found: dict[Row, tuple[str, str]] = {}
        butler = self._reader()
        registry = butler.registry
        if run not in set(registry.queryCollections()):
            return {}
        for kind in registry.queryDatasetTypes():
            own = kind.storageClass_name == "StructuredDataDict"
            for ref in registry.queryDatasets(kind.name, collections=run, findFirst=False):
                text = "not stored"
                if butler.stored(ref):
                    text = digest(butler.get(ref)) if own else ""
                found[kind.name, freeze(dict(ref.dataId.required))] = (text, str(ref.id))
        return found

    def chain(self, name: str = "out") -> tuple[str, ...]:
        """Return the children of a chain; nothing if there is none."""
        registry = self._reader().registry
        return tuple(registry.getCollectionChain(name)) if name in set(registry.queryCollections()) else ()

    def _reader(self) -> Any:
        """Return a butler that knows what other butlers have done by now."""
        if self._read is None:
            self._read = self.lab.open(self.root)
        self._read.registry.refresh()
        return self._read

    def predicted(self, outcome: Outcome, versions: bool = False) -> set[Row]:
        """Return the datasets that must be in a run: those of quanta, and those that are written once."""
        once: set[Row] = {("packages", ())} if versions else set()
        once |= {(f"{label}_config", ()) for label in self.labels}
        once |= {(name, ()) for label in self.labels for name in INIT.get(label, ())}
        return once | outcome.written


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def has_option(program: str, command: str, option: str) -> bool:
    """Whether a command of ``pipetask`` or ``butler`` has an option."""
    if program == "pipetask":
        from lsst.ctrl.mpexec.cli.pipetask import cli
    else:
        from lsst.daf.butler.cli.butler import cli
    import click

    found = cli.get_command(click.Context(cli), command)
    return found is not None and any(option in p.opts for p in found.params)
