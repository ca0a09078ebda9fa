from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from harness.cli.main import main


@pytest.fixture
def harness(tmp_path: Path, monkeypatch):
    """Run the command line in this process, in an empty folder, and return exit status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_WORK", raising=False)

    def run(*words: str) -> SimpleNamespace:
        done = CliRunner().invoke(main, list(words))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)

    return run
