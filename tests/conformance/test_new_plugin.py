"""``harness new-plugin`` and ``harness check-plugin``, from a name to a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import main
from harness.cli.new_plugin import make_project


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, list(words))


def install(project: Path, name: str = "gen3-harness-mycam", module: str = "harness_mycam") -> dict[str, str]:
    """Lay out a project as if it were installed; return the environment that finds it."""
    info = project / "src" / f"{module}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(
        f"[gen3_harness]\nmycam = {module}.plugin\n[astro_metadata_translators]\nmycam = {module}.translator\n"
    )
    return {**os.environ, "PYTHONPATH": str(project / "src")}


def check(environment: dict[str, str], *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "check-plugin", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=cwd)


@pytest.mark.parametrize("name", ["", "2cam", "My-Cam", "my cam", "class", "ÅCam", "A" * 17, "../x"])
def test_bad_names_are_one_line(invoke: Callable[..., Result], tmp_path: Path, name: str) -> None:
    done = invoke("new-plugin", name)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert repr(name) in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_taken_name_and_a_folder_that_is_there_are_refused(invoke: Callable[..., Result], tmp_path: Path) -> None:
    done = invoke("new-plugin", "HSC")
    assert (done.exit_code, done.stderr) == (
        2,
        "harness: instrument 'HSC' is installed already (choose another name)\n",
    )
    (tmp_path / "gen3-harness-mycam").mkdir()
    done = invoke("new-plugin", "MyCam")
    assert done.exit_code == 2
    assert "gen3-harness-mycam is there already" in done.stderr
    assert invoke("new-plugin", "MyCam", "--path", "elsewhere").exit_code == 0
    assert (tmp_path / "elsewhere" / "pyproject.toml").is_file()
    done = invoke("new-plugin", "MyCam", "--path", "/dev/null/x")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


def test_the_project_is_complete(tmp_path: Path) -> None:
    project = make_project("MyCam", tmp_path / "p")
    files = {str(p.relative_to(project)) for p in project.rglob("*") if p.is_file()}
    package = "src/harness_mycam"
    modules = ("camera", "formatter", "instrument", "plugin", "translator", "writer")
    assert {f"{package}/{m}.py" for m in modules} <= files
    assert {"pyproject.toml", "tox.ini", "README.md", "tests/test_conformance.py"} <= files
    assert f"{package}/datasets/mycam_first/manifest.toml" in files
    assert not [f for f in files if "{{" in f or f.endswith(".jinja")]
    assert not [f for f in files if "{{" in (project / f).read_text()]
    lines = (project / "tests" / "test_conformance.py").read_text().splitlines()
    assert [x for x in lines if x and not x.startswith('"""')] == [
        "from harness.conformance import *",
        'INSTRUMENT = "MyCam"',
    ]


def test_from_the_first_day_to_the_last(tmp_path: Path) -> None:
    """As generated it passes, and is unknown for what is left; then it passes; then it is wrong, and fails."""
    project = make_project("MyCam", tmp_path / "mycam")
    environment = install(project)
    done = check(environment, str(project), cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert " failed" not in done.stdout
    left = [line for line in done.stdout.splitlines() if "REPLACE_ME" in line]
    assert len(left) >= 20
    camera = project / "src" / "harness_mycam" / "camera.py"
    number = next(i for i, x in enumerate(camera.read_text().splitlines(), 1) if x.startswith("PLATE_SCALE"))
    assert f"{camera}:{number}: PLATE_SCALE = 20.0  # REPLACE_ME: arcseconds per mm" in left
    assert f"{len(left)} values of gen3-harness-mycam are still the template's" in done.stderr

    for file in project.rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            file.write_text(file.read_text().replace("REPLACE_ME", "was"))
    translator = project / "src" / "harness_mycam" / "translator.py"
    translator.write_text(translator.read_text().replace("u.deg))\n", "u.deg)) * -1\n"))
    done = check(environment, "gen3_harness.MyCam".lower(), cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "test_rotation_is_the_observations" in done.stdout
    assert "(the sign is wrong)" in done.stdout
    assert "says nothing while test_rotation_is_the_observations fails" in done.stdout
    assert not [p for p in tmp_path.iterdir() if p != project], "nothing is left where it is run"


def test_what_cannot_be_tested_says_why(tmp_path: Path) -> None:
    project = make_project("MyCam", tmp_path / "mycam")
    environment = install(project)
    plugin = project / "src" / "harness_mycam" / "plugin.py"
    right = plugin.read_text()

    plugin.write_text(right.replace("def harness_instruments", "def harness_instrument"))
    done = check(environment, "gen3-harness-mycam", cwd=tmp_path)
    assert done.returncode == 1
    assert "mycam (gen3-harness-mycam 0.1.0) is quarantined: no such hook" in done.stderr
    assert "did you mean 'harness_instruments'?" in done.stderr

    plugin.write_text("from harness.hookspecs import hookimpl\n")
    for path in (project / "src" / "harness_mycam").rglob("*"):
        if path.is_file() and path != plugin:
            path.unlink()
    done = check(environment, "gen3-harness-mycam", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "provides no instrument" in done.stderr

    done = check(environment, "gen3-harness-micam", cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown distribution 'gen3-harness-micam' (did you mean 'gen3-harness-mycam'?" in done.stderr
    done = check(environment, "numpy", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "distribution numpy has no plugin" in done.stderr
    done = check(environment, "./nowhere", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot read nowhere/pyproject.toml" in done.stderr
