"""The rerun matrix as data: what is done to outputs that are already there, and how it must end.

A cell is a sequence of actions on a fork of the processed repository. What each leaves is computed by
`harness.rerun.semantics.execute` from the state before; here is only what is done, and which failure is required.
Words in braces stand for collections: ``{a}`` and ``{b}`` for the runs of the cell, ``{output}`` for the chain that the
dataset was processed into, ``{inputs}`` for its inputs, ``{extra}`` for a run that the cell registers.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from .semantics import EMPTY, KILLED

__all__ = ["CELLS", "Cell", "Fault", "Invoke", "Prune", "Register", "Together"]


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong: see `~harness.rerun.injection.Injection`.

    Parameters
    ----------
    how : `str`
        One of `~harness.rerun.injection.HOW`.
    at : `str`, optional
        ``second``: the last quantum of the second task; ``first``: a quantum of the first task that it reads.
    after : `int`, optional
        How many outputs are written before.
    """

    how: str
    at: str = "second"
    after: int = 0


@dataclasses.dataclass(frozen=True)
class Invoke:
    """One invocation of the pipeline.

    Parameters
    ----------
    run : `str`, optional
        Output run of the cell, by a letter.
    flags : `tuple` [`tuple` [`str`, `~typing.Any`]], optional
        Fields of `~harness.engines.base.PipelineRun`.
    fault : `Fault`, optional
        What goes wrong.
    fails : `str`, optional
        What it must say why it fails; nothing if it must succeed.
    tasks : `str`, optional
        ``both``, ``first`` or ``second``; ``all``: the whole pipeline onto the outputs of the dataset itself.
    chain : `str`, optional
        Output chain of the cell, by a word.
    one : `bool`, optional
        Whether only the data IDs of the last quantum are asked for, by a table.
    other_config : `bool`, optional
        Whether the configuration of the second task is another.
    saved : `bool`, optional
        Whether the graph is kept, and executed again by the next such invocation for the same run.
    """

    run: str = "a"
    flags: tuple[tuple[str, Any], ...] = ()
    fault: Fault | None = None
    fails: str = ""
    tasks: str = "both"
    chain: str = "cell"
    one: bool = False
    other_config: bool = False
    saved: bool = False


@dataclasses.dataclass(frozen=True)
class Prune:
    """Somebody removes datasets of a run.

    Parameters
    ----------
    run : `str`
        The run.
    at : `tuple` [`str`]
        Whose: ``first`` and ``second`` as in `Fault`.
    what : `str`, optional
        ``all``, ``metadata``, or ``outputs``: what the task itself wrote.
    """

    run: str
    at: tuple[str, ...]
    what: str = "all"


@dataclasses.dataclass(frozen=True)
class Register:
    """Somebody registers a run of their own, ``{extra}``."""


@dataclasses.dataclass(frozen=True)
class Together:
    """Two invocations at the same time, each a process of its own."""

    both: tuple[Invoke, Invoke]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One way of running a pipeline again.

    Parameters
    ----------
    id : `str`
        Its name.
    title : `str`
        What must hold, as a sentence.
    rationale : `str`
        Who is hurt otherwise.
    actions : `tuple`
        What is done.
    engines : `frozenset` [`str`], optional
        The engines that it makes sense for; all by default.
    why : `str`, optional
        Why not for others.
    """

    id: str
    title: str
    rationale: str
    actions: tuple[Invoke | Prune | Register | Together, ...]
    engines: frozenset[str] = frozenset()
    why: str = ""


def _flags(**flags: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(flags.items())


NEW = Invoke()
EXTEND = _flags(extend_run=True)
RESCUE = Invoke(flags=_flags(extend_run=True, clobber_outputs=True))
FAILED = Invoke(fault=Fault("raise", "first"), fails="InjectedError")
DIRECT = frozenset({"inprocess", "pipetask"})

CELLS: tuple[Cell, ...] = (
    Cell(
        "done",
        "The whole pipeline onto its own outputs has nothing to do, says so, and changes not a byte",
        "After an interruption everybody runs the same command again; batch systems stop at its exit status.",
        (Invoke(tasks="all", flags=_flags(extend_run=True, skip_existing=True), fails=EMPTY),),
    ),
    Cell(
        "new-run",
        "A new run without flags runs every quantum again and shadows the old run, which stays",
        "Whoever reprocesses must get all of it from the new run, and still be able to compare with the old one.",
        (NEW, Invoke("b")),
    ),
    Cell(
        "extend-done",
        "Extending a complete run has nothing to do, says so, and changes not a byte",
        "See done.",
        (NEW, Invoke(flags=EXTEND, fails=EMPTY)),
    ),
    Cell(
        "extend",
        "--extend-run makes what is missing, in the same run, and skips what is done",
        "Days of processing are rescued in this way; a success run again would lose the provenance of what used it.",
        (NEW, Prune("a", ("first", "second")), Invoke(flags=EXTEND)),
    ),
    Cell(
        "extend-skip-existing",
        "--extend-run --skip-existing does the same as --extend-run",
        "The flag is in everybody's scripts.",
        (NEW, Prune("a", ("second",)), Invoke(flags=_flags(extend_run=True, skip_existing=True))),
    ),
    Cell(
        "extend-clobber",
        "--extend-run needs --clobber-outputs where a failed quantum has left something, and then replaces only that",
        "Leftovers of a failure must not be taken for results, nor a rescue touch those that are sound.",
        (
            Invoke(fault=Fault("raise", "second", after=1), fails="InjectedError"),
            Invoke(flags=EXTEND, fails="OutputExistsError"),
            RESCUE,
        ),
    ),
    Cell(
        "extend-clobber-done",
        "--extend-run --clobber-outputs runs no success again",
        "Users leave the flag on; if it made everything anew, each rescue would cost the whole processing.",
        (NEW, Prune("a", ("second",)), RESCUE, Invoke(flags=RESCUE.flags, fails=EMPTY)),
    ),
    Cell(
        "extend-clobber-skip-existing-in",
        "--extend-run --clobber-outputs --skip-existing-in skips what is done in either run",
        "A second step is rescued with the first one in another run.",
        (
            Invoke(tasks="first"),
            Invoke("b", _flags(skip_existing_in=("{a}",)), Fault("raise", "second", after=1), "InjectedError"),
            Invoke("b", _flags(extend_run=True, clobber_outputs=True, skip_existing_in=("{a}",))),
        ),
    ),
    Cell(
        "skip-existing-in",
        "--skip-existing-in leaves out the quanta that succeeded there, and reads what they wrote",
        "A later step is run into a run of its own.",
        (Invoke(tasks="first"), Invoke("b", _flags(skip_existing_in=("{a}",)))),
    ),
    Cell(
        "skip-existing-in-done",
        "--skip-existing-in a complete run has nothing to do, says so, and changes not a byte",
        "See done; a new run must not even be registered.",
        (NEW, Invoke("b", _flags(skip_existing_in=("{a}",)), fails=EMPTY)),
    ),
    Cell(
        "skip-existing-in-metadata",
        "With --skip-existing-in a quantum counts as done if its metadata are there, whatever else is",
        "Metadata are written last: outputs without them are of a quantum that was interrupted.",
        (NEW, Prune("a", ("first",), "metadata"), Invoke("b", _flags(skip_existing_in=("{a}",)))),
    ),
    Cell(
        "skip-existing-in-no-outputs",
        "What a quantum that counts as done has not written is not made, nor what depends on it",
        "A success without outputs is a success; making up for it would be a third way of running a quantum.",
        (
            Invoke(tasks="first"),
            Prune("a", ("first",), "outputs"),
            Invoke("b", _flags(skip_existing_in=("{a}",))),
        ),
    ),
    Cell(
        "replace",
        "--replace-run puts the new run in the place of the old one, which stays but is no longer found",
        "The chain decides what everybody finds.",
        (NEW, Invoke("b", _flags(replace_run=True))),
    ),
    Cell(
        "replace-unstore",
        "--replace-run --prune-replaced=unstore removes the files of the old run, and keeps its datasets on record",
        "Provenance outlives the files.",
        (NEW, Invoke("b", _flags(replace_run=True, prune_replaced="unstore"))),
    ),
    Cell(
        "replace-purge",
        "--replace-run --prune-replaced=purge removes the old run with all that it had",
        "Whoever purges counts on the space, and on the name.",
        (NEW, Invoke("b", _flags(replace_run=True, prune_replaced="purge"))),
    ),
    Cell(
        "replace-purge-other-inputs",
        "A purging replacement with other inputs is refused before anything is removed",
        "A typing mistake must not cost the only results.",
        (
            NEW,
            Register(),
            Invoke(
                "b",
                _flags(replace_run=True, prune_replaced="purge", inputs=("{extra}", "{inputs}")),
                fails="ValueError",
            ),
        ),
    ),
    Cell(
        "refused",
        "Flags that contradict what is there are refused, and change not a byte",
        "A run that exists is not written into, one that does not exist is not extended, inputs are not mixed.",
        (
            NEW,
            Register(),
            Invoke(fails="ValueError"),
            Invoke("b", EXTEND, fails="ValueError"),
            Invoke("b", _flags(inputs=("{extra}", "{inputs}")), fails="ValueError"),
        ),
    ),
    Cell(
        "refused-replacements",
        "--replace-run without a chain and --prune-replaced without --replace-run are refused, and change not a byte",
        "See refused.",
        (
            NEW,
            Invoke("b", _flags(replace_run=True), chain="other", fails="ValueError"),
            Invoke("b", _flags(prune_replaced="purge"), fails="ValueError"),
        ),
        DIRECT,
        "it has no --replace-run",
    ),
    Cell(
        "rebase",
        "--rebase puts other inputs after the runs of the chain, in front of the inputs that it had",
        "New calibrations must come before the old ones, and behind what was made.",
        (NEW, Register(), Invoke("b", _flags(rebase=True, inputs=("{extra}", "{inputs}")))),
    ),
    Cell(
        "other-config",
        "A run is not extended with another configuration of its tasks",
        "Nobody could say any more what a run was made with.",
        (NEW, Prune("a", ("second",)), Invoke(flags=EXTEND, other_config=True, fails="ConflictingDefinitionError")),
    ),
    Cell(
        "partial-raise",
        "Partial outputs are a failure by default; what was written is replaced by the rescue",
        "A failure that only looks like a success is found months later.",
        (Invoke(fault=Fault("partial", "second", after=1), fails="InjectedError"), RESCUE),
    ),
    Cell(
        "partial-no-raise",
        "With --no-raise-on-partial-outputs a quantum with partial outputs is a success, and is not run again",
        "Operations go on with what there is.",
        (
            Invoke(flags=_flags(raise_on_partial_outputs=False), fault=Fault("partial", "second", after=1)),
            Invoke(flags=EXTEND, fails=EMPTY),
        ),
    ),
    Cell(
        "partial-upstream",
        "With --no-raise-on-partial-outputs a quantum whose inputs were not written has nothing to do, and succeeds",
        "One bad detector must not block a night.",
        (
            Invoke(flags=_flags(raise_on_partial_outputs=False), fault=Fault("partial", "first")),
            Invoke(flags=EXTEND, fails=EMPTY),
        ),
    ),
    Cell(
        "failed-rescued",
        "A failed quantum blocks what depends on it and nothing else; the rescue makes both, and nothing else",
        "Counts of failed, blocked and recovered quanta are what operations go by.",
        (FAILED, RESCUE),
    ),
    Cell(
        "failed-rescued-in-new-run",
        "A rescue into a new run makes what failed or was blocked, and shadows what the failure left",
        "Batch systems rescue in this way.",
        (FAILED, Invoke("b", _flags(skip_existing_in=("{a}",)))),
    ),
    Cell(
        "out-of-memory",
        "A quantum that runs out of memory fails with MemoryError, and succeeds when it is given more",
        "Retries with more memory are automatic in batch systems.",
        (
            Invoke(flags=_flags(memory="1GB"), fault=Fault("memory", "second"), fails="MemoryError"),
            Invoke(flags=(*RESCUE.flags, ("memory", "4GB")), fault=Fault("memory", "second")),
        ),
    ),
    Cell(
        "killed",
        "A process killed in the middle of a quantum leaves whole quanta and one in part; extending it makes the rest",
        "Nodes die.",
        (Invoke(fault=Fault("kill", "second", after=1), fails=KILLED), RESCUE),
        DIRECT,
        "see killed-batch",
    ),
    Cell(
        "killed-batch",
        "A batch killed before its transfer leaves the repository as it was; its graph executed again completes it",
        "Nodes die, and batch systems submit the same jobs again.",
        (Invoke(fault=Fault("kill", "second", after=1), fails=KILLED, saved=True), Invoke(saved=True)),
        frozenset({"qbb"}),
        "it writes into the repository at once: see killed",
    ),
    Cell(
        "file-not-registered",
        "The file of an output that a crash left unregistered is replaced by the rescue",
        "Otherwise the place of the output is blocked for ever, or garbage is taken for it after the rescue.",
        (Invoke(fault=Fault("orphan", "second"), fails="InjectedError"), RESCUE),
    ),
    Cell(
        "file-lost",
        "An output whose file is gone counts as not written: what needs it has nothing to do, until it is made again",
        "A success on record must not be made again behind one's back, nor a file be made up.",
        (
            Invoke(fault=Fault("lost", "first")),
            Invoke(flags=EXTEND, fails=EMPTY),
            Prune("a", ("first", "second")),
            RESCUE,
        ),
    ),
    Cell(
        "update-graph-run",
        "A graph that is moved to another run with update-graph-run writes into that run, and nothing into its own",
        "Graphs of large campaigns are built once.",
        (Invoke(flags=_flags(planned_run="{a}/planned"), saved=True),),
    ),
    Cell(
        "data-id-table",
        "A table of data IDs limits what is run to these",
        "Lists of failures are rerun in this way.",
        (Invoke(one=True), Invoke(flags=EXTEND)),
    ),
    Cell(
        "together",
        "Two pipelines that are run into one repository at the same time do not disturb each other",
        "Everybody shares a repository.",
        (
            Together(
                (
                    Invoke(tasks="first", chain="one"),
                    Invoke("b", _flags(inputs=("{output}",)), tasks="second", chain="two"),
                )
            ),
        ),
        frozenset({"pipetask", "qbb"}),
        "it is one process",
    ),
)
