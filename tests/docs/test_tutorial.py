"""The tutorial is true: what it shows is in the files, and its plugin passes suite and run, installed nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.cli.check_plugin import MARK
from harness.cli.new_plugin import make_project

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PROJECT = TUTORIAL / "decam"
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
BLOCKS = [m.groupdict() for m in BLOCK.finditer((TUTORIAL / "README.md").read_text())]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the plugin can be found, as an editable installation would do it."""
    folder = tmp_path_factory.mktemp("tutorial")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    info = folder / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder / "site"), str(PROJECT / "src")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HARNESS_WORK": str(folder / "work"),
    }


def run(environment: dict[str, str], cwd: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_shows_every_file_that_an_author_changes() -> None:
    assert BLOCKS
    assert all(b["file"] for b in BLOCKS), "a block without the file that it is of"
    shown = {b["file"] for b in BLOCKS}
    modules = {"translator", "camera", "formatter", "instrument", "writer", "plugin"}
    assert {f"src/harness_decam/{name}.py" for name in modules} <= shown


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: str(b["file"]))
def test_blocks_are_in_the_files(block: dict[str, str]) -> None:
    """Line by line; indentation aside, which ruff takes away where a block begins within a function."""
    shown, there = (
        "\n".join(line.strip() for line in text.splitlines())
        for text in (block["text"], (PROJECT / block["file"]).read_text())
    )
    assert shown in there


def test_the_project_is_what_new_plugin_makes(tmp_path: Path) -> None:
    """The same files, apart from those that the page renames; nothing made up is left."""
    made = make_project("DECam", tmp_path / "decam")

    def names(folder: Path) -> set[str]:
        files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        return {f for f in files if not f.startswith((".", "datasets"))}

    renamed = {"pipelines/process.yaml": "pipelines/DRP.yaml", "datasets/decam_first": "datasets/decam"}
    expected = names(made)
    for old, new in renamed.items():
        expected = {f.replace(old, new) for f in expected}
    assert names(PROJECT) == expected | {"tests/test_camera.py"}
    left = [p for p in PROJECT.rglob("*.*") if p.suffix in {".py", ".toml", ".yaml", ".md"} and MARK in p.read_text()]
    assert not left


def test_it_is_not_installed() -> None:
    """Everything else is tested without it."""
    from harness.plugins import load_plugins

    assert "DECam" not in load_plugins().instruments()


def test_the_projects_own_tests_pass(environment: dict[str, str], tmp_path: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider")
    out = run(environment, tmp_path, "pytest", *options, str(PROJECT / "tests" / "test_camera.py"))
    assert re.search(r"\d+ passed", out), out
    # its conformance suite is run below, by check-plugin
    out = run(environment, tmp_path, "pytest", *options, "--collect-only", str(PROJECT / "tests"))
    assert "test_every_raw_is_ingested" in out


def test_check_plugin_finds_nothing_left(environment: dict[str, str], tmp_path: Path) -> None:
    run(environment, tmp_path, "harness", "check-plugin", "gen3-harness-decam")


def test_the_run_passes(environment: dict[str, str], tmp_path: Path) -> None:
    out = run(environment, tmp_path, "harness", "run", "DECam")
    assert re.search(r"✓ PASS  decam: 12 stages, \d+ checks pass", out), out
