"""Interrupted, killed, out of space: nothing half-registered stays, and running again finishes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bootstrap.ingest import ingest
from harness.errors import HarnessError
from harness.repository import open_repository


def state(repo):
    with open_repository(repo) as butler:
        raws = butler.query_datasets("raw", collections="*", find_first=False, explain=False)
        stored = [r for r in raws if butler.stored(r)]
        exposures = butler.query_dimension_records("exposure", explain=False)
        return len(raws), len(stored), len(exposures)


def at_call(number, function, act):
    """Wrap a function of the operating system so that something happens at one of its calls."""
    calls = iter(range(number))

    def wrapped(*args, **kwargs):
        if next(calls, None) is None:
            act()
        return function(*args, **kwargs)

    return wrapped


KILLED = """
import os, shutil, signal, sys
repo, folder, transfer = sys.argv[1:]
module, name = (shutil, "copy") if transfer == "copy" else (os, "link")
function, calls = getattr(module, name), []

def fatal(*args, **kwargs):
    calls.append(args)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*args, **kwargs)

setattr(module, name, fatal)
from harness.bootstrap.ingest import ingest
from harness.repository import open_repository
with open_repository(repo, writeable=True) as butler:
    ingest(butler, [folder], transfer=transfer, batch=3)
"""


@pytest.mark.parametrize("transfer", ["copy", "move"])
def test_killed(repo, raw, transfer):
    """SIGKILL at the fifth file, in the second batch: the first batch is there, of the second nothing."""
    for exposure in (17, 18):
        for detector in range(3):
            raw(EXPID=exposure, DETNUM=detector)
    folder = raw(EXPID=19).parent
    content = {p.name: p.read_bytes() for p in folder.iterdir()}
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", KILLED, str(repo), str(folder), transfer]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert state(repo) == (3, 3, 1)
    with open_repository(repo, writeable=True) as butler:
        report = ingest(butler, [folder], transfer=transfer)
        assert not report.quarantined
        assert (report.ingested, report.skipped) == (4, 0 if transfer == "move" else 3)
        refs = butler.query_datasets("raw", collections="MadeCamA/raw/all")
        got = sorted(Path(butler.getURI(r).ospath).read_bytes() for r in refs)
    assert got == sorted(content.values())
    assert state(repo) == (7, 7, 3)


def test_interrupted(repo, raw, monkeypatch):
    folder = [raw(DETNUM=d).parent for d in range(4)][-1]

    def interrupt():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", at_call(2, os.link, interrupt))
        with pytest.raises(KeyboardInterrupt), open_repository(repo, writeable=True) as butler:
            ingest(butler, [folder], transfer="hardlink")
    assert state(repo) == (0, 0, 0)
    artifacts = [p for p in (repo / "MadeCamA").rglob("*") if p.is_file()]
    assert not artifacts
    with open_repository(repo, writeable=True) as butler:
        assert ingest(butler, [folder], transfer="hardlink").ingested == 4


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "disk-full"), (errno.EROFS, "no-write-access"),
                                              (errno.EXDEV, "cross-device")])  # fmt: skip
def test_storage_fails(repo, raw, monkeypatch, number, code):
    path = raw()

    def fail():
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "link", at_call(0, os.link, fail))
    with pytest.raises(HarnessError) as caught, open_repository(repo, writeable=True) as butler:
        ingest(butler, [path], transfer="hardlink")
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert state(repo)[0] == 0


def test_one_file_that_fails_stops_nothing_else(butler, raw, monkeypatch):
    paths = [raw(DETNUM=d) for d in range(4)]
    link = os.link

    def picky(source, target, **kwargs):
        if Path(source).name == paths[2].name:
            raise PermissionError(errno.EPERM, "refused", str(source))
        link(source, target, **kwargs)

    monkeypatch.setattr(os, "link", picky)
    report = ingest(butler, paths, transfer="hardlink")
    assert report.ingested == 3
    assert [(q.path, q.reason) for q in report.quarantined] == [(str(paths[2]), "transfer-failed")]


def test_record_made_by_another_process_meanwhile(butler, raw, monkeypatch):
    """Another ingest inserts the exposure between the look and the write: it is compared, not kept blindly."""
    from harness.bootstrap.ingest.write import Writer

    write_all = Writer._write_all
    done = []

    def race(self, files):
        if not done:
            done.append(True)
            fields = dict(files[0][0][1].records.exposure)
            for element, values in files[0][0][1].records.items():
                if element != "exposure":
                    self._butler.registry.insertDimensionData(element, dict(values))
            self._butler.registry.insertDimensionData("exposure", fields | {"target_name": "elsewhere"})
        write_all(self, files)

    monkeypatch.setattr(Writer, "_write_all", race)
    report = ingest(butler, [raw()])
    assert [q.reason for q in report.quarantined] == ["transfer-failed"]
    assert "elsewhere" in report.quarantined[0].message
