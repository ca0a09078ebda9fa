from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.stages.snapshots import SnapshotStore

KEY = ("ci", "ingest", "0123456789abcdef0123")


def fill(store: SnapshotStore) -> None:
    with store.lock(*KEY), store.build(*KEY) as folder:
        (folder / "repo").mkdir()
        (folder / "facts.json").write_text('{"raws": 33}')


def test_found_when_whole(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    assert store.find(*KEY) is None
    fill(store)
    found = store.find(*KEY)
    assert found is not None
    assert found.facts == {"raws": 33}
    assert found.repo.is_dir()


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)

    def build() -> None:
        with store.lock(*KEY), store.build(*KEY) as folder:
            (folder / "facts.json").write_text("{}")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        build()
    assert store.find(*KEY) is None
    assert not [p for p in (tmp_path / "ci").iterdir() if p.is_dir()]


def test_a_killed_build_is_never_used_and_is_removed(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from harness.stages.snapshots import SnapshotStore
        store = SnapshotStore(Path({str(tmp_path)!r}))
        with store.lock(*{KEY!r}), store.build(*{KEY!r}) as folder:
            (folder / "facts.json").write_text("{{}}")
            os.kill(os.getpid(), signal.SIGKILL)
        """)
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9
    store = SnapshotStore(tmp_path)
    left = [p for p in (tmp_path / "ci").iterdir() if p.is_dir()]
    assert len(left) == 1
    assert store.find(*KEY) is None
    fill(store)  # the lock died with its process
    assert store.find(*KEY).facts == {"raws": 33}
    assert [p for p in (tmp_path / "ci").iterdir() if p.is_dir()] == [store.path(*KEY)]


def test_a_second_process_waits_and_finds(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from harness.stages.snapshots import SnapshotStore
        store = SnapshotStore(Path({str(tmp_path)!r}))
        print("ready", flush=True)
        with store.lock(*{KEY!r}):
            print(store.find(*{KEY!r}) is not None)
        """)
    with store.lock(*KEY), store.build(*KEY) as folder:
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline() == "ready\n"
        assert other.poll() is None
        (folder / "facts.json").write_text("{}")
    assert other.communicate(timeout=30)[0] == "True\n"


def test_discarding(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    fill(store)
    store.discard(*KEY)
    assert store.find(*KEY) is None
    store.discard(*KEY)  # what is not there needs no discarding


def test_pruning_spares_what_was_used(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    fill(store)
    long_ago = time.time() - 10 * 86400
    os.utime(store.path(*KEY), (long_ago, long_ago))
    assert store.find(*KEY)  # use renews it
    assert store.prune("ci", keep_days=7) == 0
    os.utime(store.path(*KEY), (long_ago, long_ago))
    assert store.prune("ci", keep_days=7) == 1
    assert store.find(*KEY) is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"cannot write to .*file/store: .* \(choose another folder with --work\)"):
        SnapshotStore(tmp_path / "file" / "store")
