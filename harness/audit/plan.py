"""A plan of remedies: a shell script for a person to read, of which nothing is ever run from here."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .running import AuditReport

__all__ = ["in_shell", "plan_lines"]

PROGRAMS = ("butler", "harness", "pipetask")

ADDITIVE = frozenset(
    {
        "associate",
        "certify-calibrations",
        "config-validate",
        "define-visits",
        "export-calibs",
        "ingest",
        "ingest-files",
        "ingest-raws",
        "register-dataset-type",
        "register-instrument",
        "retrieve-artifacts",
        "transfer-datasets",
        "write-curated-calibrations",
    }
)
"""Commands that add, and take nothing away; all those called ``query-…`` only look."""

WIDTH = 110


def in_shell(command: str, folder: str) -> str:
    """Put a repository into a command, quoted as its place asks for.

    Parameters
    ----------
    command : `str`
        A shell command in which ``{repo}`` stands for the repository, bare or between single quotes.
    folder : `str`
        The repository.
    """
    bare, inside = shlex.quote(folder), folder.replace("'", "'\"'\"'")
    out, *rest = command.split("{repo}")
    quotes = out.count("'")
    for part in rest:
        out += (inside if quotes % 2 else bare) + part
        quotes += part.count("'")
    return out


def plan_lines(report: AuditReport) -> Iterator[str]:
    """Write the remedies of an audit as a shell script.

    Parameters
    ----------
    report : `~harness.audit.running.AuditReport`
        What was found.

    Yields
    ------
    line : `str`
        Each remedy once, below the checks whose findings it puts right. Commands that may take something away are
        commented out; what is no command is a comment.
    """
    yield "#!/bin/sh"
    yield f"# Remedies for {_comment(report.repository)}, of the audit of {report.started:%Y-%m-%d %H:%M} UTC."
    yield "# Read before you run it: each command is a proposal, and none has been run. Those that may take something"
    yield "# away are commented out."
    yield "set -eu"
    seen: set[str] = set()
    for item in report.checks:
        remedies: dict[str, list[str]] = {}
        for found in item.findings:
            if found.finding.remedy:
                remedies.setdefault(found.finding.remedy, []).append(found.id)
        fresh = {text: ids for text, ids in remedies.items() if text not in seen}
        seen.update(fresh)
        if not item.findings:
            continue
        yield ""
        yield f"# --- {item.check.id}: {_comment(item.check.title)}"
        if item.result.more:
            yield f"# {item.result.more} more findings are not in this plan: raise --limit"
        if not remedies:
            yield "# no remedy is known; see its findings"
        for text, ids in fresh.items():
            yield f"# for {', '.join(ids[:6])}{f' and {len(ids) - 6} more' if len(ids) > 6 else ''}"
            yield from _remedy(text, report.folder)
        if remedies and not fresh:
            yield "# the same as above"


def _remedy(text: str, folder: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] not in PROGRAMS:
            yield from (f"# {part}" for part in _wrapped(_comment(line.replace("{repo}", folder))))
            continue
        command = in_shell(line, folder)
        verb = words[1] if len(words) > 1 else ""
        if verb in ADDITIVE or verb.startswith("query-"):
            yield command
        else:
            yield f"# '{words[0]} {verb}' may take something away: look first, then remove the #"
            yield f"#{_comment(command)}"


def _comment(text: str) -> str:
    """Return a text that cannot end the comment that it is put into."""
    return " ".join(text.splitlines())


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH) or [""]
