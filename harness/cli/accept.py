"""``harness accept``: silence findings that are known, with a reason, until they change."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from .audit import installed, progress_display

__all__ = ["command"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("accept")
@click.argument("repo")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--reason", required=True, help="Why each of them is no fault.")
@click.option("--baseline", type=_FILE, required=True, metavar="FILE", help="Where to note it: TOML, or *.json.")
@click.option("--report", type=_FILE, metavar="FILE", help="JSON of an audit, in place of another audit.")
@click.option("--deep", is_flag=True, help="The findings are of checks that open files.")
@click.pass_context
def command(
    context: click.Context,
    repo: str,
    ids: tuple[str, ...],
    reason: str,
    baseline: Path,
    report: Path | None,
    deep: bool,
) -> None:
    """Accept findings of an audit: they are not reported again until what they say changes.

    ID is what the audit prints before a finding, or its beginning. REPO is audited again to see what it says, unless
    there is a report. Nothing is changed in REPO.
    """
    from ..audit.baseline import Baseline, accept, read_baseline, write_baseline
    from ..report.audit_files import read_report

    known = read_baseline(baseline) if baseline.exists() else Baseline()
    accept(known, {}, reason)  # an empty reason is refused before a long audit
    found = read_report(report) if report else _audit(context, repo, ids, deep)
    chosen: dict[str, tuple[str, str, str]] = {}
    for given in ids:
        fits = [id_ for id_ in found if id_.startswith(given)]
        if len(fits) != 1:
            what = "no finding has" if not fits else f"{len(fits)} findings have"
            remedy = "see 'harness audit'" if not fits else f"write more of it: {', '.join(sorted(fits)[:4])}"
            raise UsageError(f"{what} the id {given!r}", remedy=remedy, code="unknown-finding")
        chosen[fits[0]] = found[fits[0]]
    write_baseline(accept(known, chosen, reason), baseline)
    for id_, (check, _, message) in chosen.items():
        click.echo(f"accepted {id_} {check}: {message}")
    click.echo(f"noted in {baseline}; use it with: harness audit {repo} --baseline {baseline}")


def _audit(context: click.Context, repo: str, ids: tuple[str, ...], deep: bool) -> dict[str, tuple[str, str, str]]:
    """Find the findings anew."""
    from ..audit.running import audit
    from ..audit.selection import Request
    from ..report.audit_text import printable

    plugins = installed(context)
    with progress_display(plain=False) as progress:
        done = audit(
            repo,
            plugins.checks(),
            plugins.instruments(),
            Request(deep=deep),
            progress=progress,
            keep=lambda id_: id_.startswith(ids),
        )
    return {f.id: (c.check.id, f.content, printable(f.finding.message)) for c in done.checks for f in c.findings}
