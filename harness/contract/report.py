"""What came of properties, as text, JSON and JUnit."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..verdicts import Verdict
from .base import PropertyResult, overall

__all__ = ["PACKAGES", "as_json", "as_junit", "as_text", "environment"]

SCHEMA = 1
"""Version of the layout of the JSON."""

PACKAGES = ("lsst-daf-butler", "lsst-resources", "lsst-pipe-base", "lsst-ctrl-mpexec", "lsst-ctrl-bps", "sqlalchemy")
"""Packages whose versions are told."""

_MARKS = {"pass": "✓", "fail": "✗", "unknown": "?", "n/a": "-"}


def environment() -> dict[str, str]:
    """Return the versions of the `PACKAGES` that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def as_text(result: PropertyResult, *, verbose: bool = False) -> Iterable[str]:
    """Write a property in lines: one if all is well, and its findings if not.

    Parameters
    ----------
    result : `PropertyResult`
        What came of it.
    verbose : `bool`, optional
        Whether to add the traceback of a crash.

    Yields
    ------
    line : `str`
        Plain text.
    """
    item = result.result
    note = f"{item.examined} examined, {item.seconds:.1f} s" if result.applies else result.skipped
    yield f"{_MARKS[result.word]} {item.check.id}: {item.check.title} ({note})"
    for finding in item.findings:
        yield f"    {finding.message}"
        if finding.where:
            yield f"      in {finding.where}"
        if finding.seen or finding.expected:
            yield f"      seen {finding.seen or '-'}, expected {finding.expected or '-'}"
        if finding.look:
            yield f"      $ {finding.look}"
    if item.reason and result.applies and item.verdict is not Verdict.PASS:
        yield f"    {item.reason}"
        if verbose and item.traceback:
            yield from (f"      {line}" for line in item.traceback.splitlines())


def as_json(results: Iterable[PropertyResult], seed: int) -> str:
    """Write results as JSON.

    Parameters
    ----------
    results : `~collections.abc.Iterable` [`PropertyResult`]
        What came of the properties.
    seed : `int`
        The seed that they were run with.

    Returns
    -------
    text : `str`
        An object with ``schema``, ``verdict``, ``environment``, ``seed`` and ``properties``.
    """
    listed = list(results)
    return json.dumps(
        {
            "schema": SCHEMA,
            "verdict": overall(listed).value,
            "environment": environment(),
            "seed": seed,
            "properties": [_property(r) for r in listed],
        },
        indent=1,
        ensure_ascii=False,
    )


def _property(result: PropertyResult) -> Mapping[str, Any]:
    item = result.result
    return {
        "id": item.check.id,
        "title": item.check.title,
        "verdict": result.word,
        "examined": item.examined,
        "seconds": round(item.seconds, 3),
        "skipped": result.skipped,
        "reason": item.reason if result.applies else "",
        "traceback": item.traceback,
        "findings": [
            {**dataclasses.asdict(f), "data_id": {k: str(v) for k, v in f.data_id.items()}} for f in item.findings
        ],
    }


def as_junit(results: Iterable[PropertyResult]) -> str:
    """Write results as JUnit XML (`str`): a case for each property."""
    from xml.etree import ElementTree as Tree

    suite = Tree.Element("testsuite", name="harness.contract")
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for result in results:
        item = result.result
        counts["tests"] += 1
        case = Tree.SubElement(
            suite, "testcase", name=item.check.id, classname="harness.contract", time=f"{item.seconds:.3f}"
        )
        if not result.applies:
            counts["skipped"] += 1
            Tree.SubElement(case, "skipped", message=result.skipped)
        elif item.verdict is Verdict.FAIL:
            counts["failures"] += 1
            message = f"{len(item.findings)} findings: {item.findings[0].message}"
            Tree.SubElement(case, "failure", message=message).text = "\n".join(as_text(result))
        elif item.verdict is Verdict.UNKNOWN:
            counts["errors"] += 1
            Tree.SubElement(case, "error", message=f"unknown: {item.reason}").text = item.traceback
    suite.attrib.update({k: str(v) for k, v in counts.items()})
    return Tree.tostring(suite, encoding="unicode", xml_declaration=True)
