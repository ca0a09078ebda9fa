"""``harness check-plugin``: the conformance suite for what an installed distribution provides."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from ..errors import ExitCode, HarnessError, UsageError, nearest
from ..plugins import Plugins, PluginState

__all__ = ["command"]

MARK = "REPLACE_ME"
"""What the template of `harness new-plugin` writes beside values that an author must replace."""

_READ = {".py", ".toml", ".yaml", ".json", ".md", ".cfg", ".txt"}
_OUTCOMES = {0: ExitCode.PASS, 1: ExitCode.FAIL, 2: ExitCode.INTERRUPTED, 4: ExitCode.USAGE}
"""What pytest's exit codes mean; others say that nothing is known."""


@click.command("check-plugin")
@click.argument("distribution", metavar="DISTRIBUTION|FOLDER")
@click.option("-v", "--verbose", is_flag=True, help="One line per test.")
@click.pass_obj
def command(plugins: Plugins, distribution: str, verbose: bool) -> None:
    """Run the conformance suite for every instrument of an installed plugin.

    DISTRIBUTION is its name, as in 'harness plugins', or the FOLDER of its project. Exit status: 0 pass, 1 fail or
    quarantined, 2 wrong usage or environment, 3 unknown: it provides no instrument, or has values of the template left.
    """
    states = _states(plugins, _name(distribution))
    instruments = [name for state in states for name in _instruments(plugins, state)]
    broken = [s for s in states if s.reason]
    for state in broken:
        click.echo(f"{state.name} ({state.distribution} {state.version}) is quarantined: {state.reason}", err=True)
    codes = [ExitCode.FAIL] if broken else []
    if not instruments and not broken:
        click.echo(f"{states[0].distribution} provides no instrument: there is nothing to test", err=True)
        codes.append(ExitCode.UNKNOWN)
    if instruments:
        codes.append(_run(instruments, verbose))
    left = [line for state in states for line in _left(state)]
    for line in left:
        click.echo(line)
    if left:
        click.echo(f"{len(left)} values of {states[0].distribution} are still the template's", err=True)
        codes.append(ExitCode.UNKNOWN)
    for code in (ExitCode.INTERRUPTED, ExitCode.USAGE, ExitCode.FAIL, ExitCode.UNKNOWN):
        if code in codes:
            raise SystemExit(int(code))


def _name(distribution: str) -> str:
    """Return the name of a distribution, also of one that is named by its project's folder."""
    folder = Path(distribution)
    if not (os.sep in distribution or folder.is_dir()):
        return distribution
    file = folder / "pyproject.toml"
    try:
        name = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"]
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", remedy="name a project's folder") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{file} names no project: {error}") from error
    return str(name)


def _states(plugins: Plugins, name: str) -> list[PluginState]:
    """Return the plugins of a distribution.

    Raises
    ------
    UsageError
        If it is not installed, or has none.
    """
    wanted = _normal(name)
    found = [s for s in plugins.states if _normal(s.distribution) == wanted]
    if found:
        return found
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        error = nearest("distribution", name, {s.distribution for s in plugins.states})
        error.remedy += "; is it installed in this environment?"
        raise error from None
    raise UsageError(
        f"distribution {name} has no plugin",
        remedy="it has no entry point of the group 'gen3_harness'",
        code="no-plugin",
    )


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _instruments(plugins: Plugins, state: PluginState) -> list[str]:
    """Return the names of the instruments that a plugin provides."""
    return [name for name in plugins.instruments() if plugins.owner("harness_instruments", name) == state.name]


def _run(instruments: list[str], verbose: bool) -> ExitCode:
    """Run the suite in a process and a folder of its own, as an author's own test file would."""
    for module in ("pytest",):
        if importlib.util.find_spec(module) is None:
            raise HarnessError(
                f"{module} is not installed", remedy="pip install 'gen3-harness[conformance]'", code="no-pytest"
            )
    with tempfile.TemporaryDirectory(prefix="check-plugin-") as folder:
        root = Path(folder)
        (root / "pytest.ini").write_text("[pytest]\n")  # so that no configuration of a folder above is used
        for number, name in enumerate(instruments):
            text = f'from harness.conformance import *\n\nINSTRUMENT = "{name}"\n'
            (root / f"test_{number}.py").write_text(text)
        options = ["-p", "no:cacheprovider", "--color=no", "--tb=short", "-ra", "-v" if verbose else "-q"]
        command = [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "--rootdir",
            folder,
            "-c",
            str(root / "pytest.ini"),
            folder,
        ]
        environment = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
        code = subprocess.run(command, check=False, cwd=folder, env=environment).returncode
    return _OUTCOMES.get(code, ExitCode.UNKNOWN)


def _left(state: PluginState) -> Iterator[str]:
    """Yield ``file:line: text`` of each line of a plugin's package that is still the template's."""
    for entry in importlib.metadata.entry_points(group="gen3_harness", name=state.name):
        if entry.dist is None or entry.dist.name != state.distribution:
            continue
        spec = importlib.util.find_spec(entry.module.partition(".")[0])
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for file in sorted(Path(place).rglob("*")):
                if file.suffix not in _READ:
                    continue
                for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                    if MARK in line:
                        yield f"{file}:{number}: {line.strip()}"
