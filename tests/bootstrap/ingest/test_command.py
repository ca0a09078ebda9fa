"""``harness ingest`` and the stage."""

from __future__ import annotations

import json
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from harness.bootstrap.ingest import stage
from harness.bootstrap.ingest.write import TRANSFERS
from harness.cli.ingest import command
from harness.errors import HarnessError
from harness.stage import StageContext


def test_help_names_every_transfer_mode():
    (option,) = [p for p in command.params if p.name == "transfer"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == TRANSFERS


def test_good_and_bad_files(repo, raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw()
    good = CliRunner().invoke(command, [str(repo), str(tmp_path / "in"), "--output-run", "mine"])
    assert good.exit_code == 0, good.output
    assert "1 ingested, 0 already there, 0 quarantined" in good.output
    assert not list(tmp_path.glob("*.jsonl"))
    raw(FILTER="mauve", EXPID=18)
    bad = CliRunner().invoke(command, [str(repo), str(tmp_path / "in"), "--output-run", "mine"])
    assert bad.exit_code == 1
    assert "filter mauve is not registered" in bad.output
    (entry,) = [json.loads(line) for line in (tmp_path / "ingest-quarantine.jsonl").read_text().splitlines()]
    assert entry["reason"] == "unknown-filter"


def context(repo, tmp_path):
    from madecams import CamATranslator

    messages: list[str] = []
    kit = SimpleNamespace(translator=CamATranslator)
    return StageContext(
        repo=repo,
        outputs=tmp_path / "outputs",
        inputs={"simulate": tmp_path / "simulated"},
        dataset=None,  # type: ignore[arg-type]
        kit=kit,  # type: ignore[arg-type]
        engine=None,  # type: ignore[arg-type]
        facts={},
        progress=messages.append,
    )


def test_stage(repo, raw, tmp_path):
    path = raw()
    folder = tmp_path / "simulated" / "raws"
    folder.mkdir(parents=True)
    path.rename(folder / "a.fits")
    facts = stage.run(context(repo, tmp_path))
    assert facts["ingested"] == 1
    assert json.loads(json.dumps(facts)) == facts
    (artifact,) = (p for p in (repo / "MadeCamA").rglob("*.fits"))
    assert artifact.samefile(folder / "a.fits")


def test_stage_fails_if_a_simulated_file_is_refused(repo, raw, tmp_path):
    path = raw(FILTER="mauve")
    folder = tmp_path / "simulated" / "raws"
    folder.mkdir(parents=True)
    path.rename(folder / "a.fits")
    with pytest.raises(HarnessError, match=r"1 of 1 raws refused.*mauve"):
        stage.run(context(repo, tmp_path))
    assert (tmp_path / "outputs" / "quarantine.jsonl").exists()


def test_no_links_between_file_systems(repo, raw, tmp_path, monkeypatch):
    import errno
    import os

    def refuse(*args, **kwargs):
        raise OSError(errno.EXDEV, "other device")

    raw()
    monkeypatch.setattr(os, "link", refuse)
    assert not stage._can_link(tmp_path / "in", repo)
