"""The stage ``rerun``: run the pipeline again onto its outputs, in three ways, and compare what each leaves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..drp.stage import first_run
from ..transfer.capture import capture
from ..transfer.compare import Difference, compare
from ..transfer.content import content_digests
from .judge import differences, expected_at_the_end
from .model import flattened, remade
from .scope import choose, shapes

if TYPE_CHECKING:
    from ..engines.base import EngineResult, PipelineRun
    from ..stage import StageContext

__all__ = ["run"]


def run(context: StageContext) -> Mapping[str, Any]:
    """Run the pipeline again: with nothing left to do, after deleting some outputs, and replacing the run.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        ``context.repo`` is a copy of the processed repository, ``context.origin``.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``original``: path of the processed repository; ``output``, ``run``: its output collections;
        ``scope``: tasks, data query and number of quanta of the second and third rerun; for each of
        ``nothing``, ``extend`` and ``replace``: exit code and message of the engine, differences from the
        expected state, and seconds; for ``extend`` also ids of the datasets that were ``removed``; for
        ``replace`` also its ``output`` chain, the new ``run`` and ids of the datasets ``like`` which it should
        have some.

    Raises
    ------
    HarnessError
        If the repository has no outputs to be made again.
    """
    from lsst.daf.butler import Butler, CollectionType

    first = first_run(context)
    original = context.origin
    assert original is not None
    assert first.output_run is not None
    with Butler.from_config(str(original), writeable=False) as butler:
        before = capture(butler)
        scope = choose(butler, before, shapes(butler, first.pipeline), first.output_run, first.where)
        removed = scope.ids(before, first.output_run, scope.removed)
        like = sorted({*scope.ids(before, first.output_run, scope.quanta), *scope.init_ids(before, first.output_run)})
        contents = content_digests(butler, like)
    labels = [task.label for task in scope.tasks]
    narrow = dataclasses.replace(
        first, pipeline=f"{first.pipeline.partition('#')[0]}#{','.join(labels)}", where=scope.where
    )
    facts: dict[str, Any] = {
        "original": str(original),
        "output": first.output,
        "run": first.output_run,
        "scope": {"tasks": labels, "where": scope.where, "quanta": len(scope.quanta)},
        "extend": {"removed": removed, "quanta": [_name(*q) for q in scope.removed]},
        "replace": {"output": f"{first.output}/again", "run": f"{first.output}/again/second", "like": like},
    }

    context.progress("nothing left to do")
    outcome = _Outcome(context, dataclasses.replace(first, extend_run=True, skip_existing=True), "nothing")
    with context.butler(writeable=False) as butler:
        facts["nothing"] = outcome.facts(compare(before, capture(butler)))

    context.progress(f"extending after {len(scope.removed)} of {len(scope.quanta)} quanta were removed")
    with context.butler() as butler:
        refs = butler.get_many_datasets(removed)
        butler.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)
    outcome = _Outcome(context, dataclasses.replace(narrow, extend_run=True, skip_existing=True), "extend")
    with context.butler(writeable=False) as butler:
        facts["extend"] |= outcome.facts(differences(butler, remade(before, removed, contents)))

    context.progress(f"replacing the run for {len(scope.quanta)} quanta")
    new = facts["replace"]
    with context.butler() as butler:
        # In a chain of its own, which begins with the same run: whoever uses the first one must not notice.
        butler.collections.register(new["output"], CollectionType.CHAINED)
        butler.collections.redefine_chain(new["output"], flattened(before, first.output))
    replacing = dataclasses.replace(narrow, replace_run=True, output=new["output"], output_run=new["run"])
    outcome = _Outcome(context, replacing, "replace")
    with context.butler(writeable=False) as butler:
        facts["replace"] |= outcome.facts(differences(butler, expected_at_the_end(before, facts, contents)))
    return facts


class _Outcome:
    """One invocation of the engine: its answer is written down, and judged by the checks."""

    def __init__(self, context: StageContext, request: PipelineRun, name: str) -> None:
        self.result: EngineResult = context.engine.run(request, context.log(f"rerun-{name}.log"))
        self.ended = time.perf_counter()

    def facts(self, found: list[Difference]) -> dict[str, Any]:
        return {
            "exit_code": self.result.exit_code,
            "message": self.result.message,
            "log": self.result.log.name,
            "differences": [d.to_facts() for d in found],
            "seconds": round(self.result.seconds, 3),
            "compare_seconds": round(time.perf_counter() - self.ended, 3),
        }


def _name(label: str, data_id: Mapping[str, Any]) -> str:
    return f"{label} {{{', '.join(f'{k}: {v}' for k, v in data_id.items())}}}"
