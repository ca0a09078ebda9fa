"""``harness explain-empty``: why a quantum graph is empty."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode, UsageError

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..explain.explain import Answer

__all__ = ["command"]


@click.command("explain-empty")
@click.argument("repo")
@click.argument("pipeline")
@click.argument("query", default="")
@click.option(
    "-i", "--input", "inputs", metavar="COLLECTIONS", help="Input collections.  [default: INSTRUMENT/defaults, if any]"
)
@click.option("--skip-existing-in", metavar="COLLECTIONS", default="", help="As for pipetask.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(
    context: click.Context, repo: str, pipeline: str, query: str, inputs: str | None, skip_existing_in: str, form: str
) -> None:
    """Say why a pipeline would have nothing to do.

    PIPELINE is a URI, with #SUBSET if wanted, or the name of an instrument; QUERY is what pipetask is given as -d.
    The exit status is 0 if there are quanta, else 1.
    """
    from ..explain.explain import explain
    from ..explain.question import ask
    from ..repository import open_repository

    with open_repository(repo) as butler:
        names = _collections(butler, inputs)
        skip = _split(skip_existing_in)
        _existing(butler, skip)
        answer = explain(ask(butler, _pipeline(pipeline), query, names, skip))
    if form == "json":
        click.echo(json.dumps(_as_json(answer), indent=1))
    else:
        for line in _lines(answer, repo, names):
            click.echo(line)
    if answer.empty:
        context.exit(int(ExitCode.FAIL))


def _pipeline(name: str) -> str:
    """Return the URI of a pipeline, or of the first one of an instrument."""
    from ..plugins import load_plugins

    label, _, subset = name.partition("#")
    kit = load_plugins().instruments().get(label)
    if kit is None:
        return name
    if not kit.pipelines:
        raise UsageError(f"{label} has no pipeline", remedy="give the URI of one")
    uri = next(iter(kit.pipelines.values()))
    return f"{uri}#{subset}" if subset else uri


def _collections(butler: Butler, inputs: str | None) -> list[str]:
    if inputs is not None:
        names = _split(inputs)
        _existing(butler, names)
        return names
    chosen = list(butler.collections.defaults) or list(butler.collections.query("*/defaults"))
    if not chosen:
        raise UsageError("no input collections", remedy="name some with --input")
    return chosen


def _existing(butler: Butler, names: list[str]) -> None:
    from ..errors import nearest

    known = set(butler.collections.query("*"))
    for name in names:
        if name not in known:
            raise nearest("collection", name, known)


def _split(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _lines(answer: Answer, repo: str, inputs: list[str]) -> list[str]:
    if not answer.empty:
        total = sum(answer.built.quanta.values())
        counts = ", ".join(f"{label}: {n}" for label, n in answer.built.quanta.items())
        return [f"{total} quanta from {', '.join(inputs)}: {counts}", *answer.built.said]
    lines = [f"no quanta from {', '.join(inputs)}:"]
    for number, cause in enumerate(answer.causes, 1):
        where = " ".join(f"{k}={v}" for k, v in cause.data_id.items())
        lines.append(f"{number}. {cause.message}" + (f" ({where})" if where else ""))
        lines += [
            f"   {label}: {text.replace('{repo}', repo)}"
            for label, text in (("here", cause.seen), ("look", cause.look), ("do", cause.remedy))
            if text
        ]
    return lines


def _as_json(answer: Answer) -> dict[str, object]:
    import dataclasses

    return {
        "quanta": dict(answer.built.quanta),
        "causes": [dataclasses.asdict(c) for c in answer.causes],
        "said": list(answer.built.said),
        "error": answer.built.error,
    }
