"""Every command that the documentation shows is run, or at least understood by the command line."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from harness.cli.main import Harness, main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUICK = {"datasets", "checks", "defects", "plugins", "doctor"}


def commands() -> list[tuple[str, list[str]]]:
    """Return page and words of each indented ``./scripts/dev …`` or ``harness …`` line."""
    found = []
    for page in PAGES:
        for line in page.read_text().splitlines():
            match = re.match(r"\s+(?:\./scripts/dev|harness) (.*)", line)
            if match:
                found.append((page.name, shlex.split(match[1], comments=True)))
    return found


COMMANDS = commands()


def parse(words: list[str]) -> click.Context:
    """Parse a command line down to its subcommand, without running it."""
    group = main
    assert isinstance(group, Harness)
    context = group.make_context("harness", list(words), resilient_parsing=False)
    name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    return command.make_context(name, rest, parent=context)


def test_the_two_commands_are_shown() -> None:
    shown = [words for page, words in COMMANDS if page == "README.md"]
    assert shown[0] == ["run", "HSC"]
    assert shown[1] == ["test"]


@pytest.mark.parametrize("words", [w for _, w in COMMANDS if w[0] not in {"test", "env"}], ids=" ".join)
def test_understood(words: list[str]) -> None:
    parse(words)


@pytest.mark.parametrize("words", [w for _, w in COMMANDS if w[0] in QUICK], ids=" ".join)
def test_runs(words: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "HARNESS_WORK": str(tmp_path)}
    done = subprocess.run(
        ["harness", *words], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("words", [w for _, w in COMMANDS if w[0] == "test" and len(w) > 1], ids=" ".join)
def test_environments_exist(words: list[str]) -> None:
    listed = re.search(r"^env_list = (.*)$", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    assert listed
    wanted = words[words.index("-e") + 1].split(",")
    assert set(wanted) <= {name.strip() for name in listed[1].split(",")}


def test_layout_is_true() -> None:
    """Every file and folder that the layout in ARCHITECTURE.md names is there, and no package is left out."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    layout = text.partition("## Layout")[2].split("```")[1]
    named = set(re.findall(r"(?:^|\s)([a-z_]+/|[a-z_]+\.py)(?=\s)", layout))
    there = {p.name + "/" for p in (ROOT / "harness").iterdir() if (p / "__init__.py").exists()}
    there |= {p.name for p in (ROOT / "harness").glob("*.py") if not p.name.startswith("__")}
    assert there <= named, f"not in the layout: {sorted(there - named)}"
    gone = {n for n in named if n.endswith(".py") and n not in there and n != "tables.py"}
    assert not gone, f"in the layout, but not there: {gone}"


def test_every_benchmark_is_listed() -> None:
    folder = ROOT / "benchmarks"
    listed = set(re.findall(r"^\| `([a-z_]+\.py)`", (folder / "README.md").read_text(), re.MULTILINE))
    assert listed == {p.name for p in folder.glob("*.py")}
