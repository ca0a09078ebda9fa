from __future__ import annotations

import subprocess
import sys

import pytest

from harness.errors import HarnessError
from harness.stages import fingerprint as module
from harness.stages.builtin import STAGES
from harness.stages.fingerprint import fingerprint, source_digest, versions
from harness.stages.graph import StageGraph, parents


def prints(dataset, kit, engine="inprocess") -> dict[str, str]:
    out: dict[str, str] = {}
    for stage in StageGraph(STAGES, frozenset(kit.capabilities)).stages.values():
        out[stage.name] = fingerprint(stage, dataset, kit, engine, {p: out[p] for p in parents(stage)})
    return out


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_all_differ_and_repeat(dataset, kit) -> None:
    once = prints(dataset, kit)
    assert once == prints(dataset, kit)
    assert len(set(once.values())) == len(once)


def test_the_manifest_counts_everywhere(dataset, kit) -> None:
    other = dataset.model_copy(update={"scale": dataset.scale * 2})
    assert changed(prints(dataset, kit), prints(other, kit)) == set(prints(dataset, kit))


def test_the_engine_counts_where_quanta_are_executed(dataset, kit) -> None:
    moved = changed(prints(dataset, kit), prints(dataset, kit, "pipetask"))
    assert moved == {"process", "rerun", "roundtrip"}


def test_code_counts_where_it_is_used_and_after(dataset, kit, monkeypatch) -> None:
    before = prints(dataset, kit)
    real = module.source_digest
    monkeypatch.setattr(module, "source_digest", lambda m: "x" if m == "harness.bootstrap.visits" else real(m))
    assert changed(before, prints(dataset, kit)) == {"visits", "defaults", "process", "rerun", "roundtrip"}


def test_the_plugin_counts(dataset, kit, monkeypatch) -> None:
    before = prints(dataset, kit)
    real = module.source_digest
    plugin = kit.instrument_class.__module__.partition(".")[0]
    monkeypatch.setattr(module, "source_digest", lambda m: "x" if m == plugin else real(m))
    assert changed(before, prints(dataset, kit)) == set(before)


def test_versions_of_the_middleware_count(dataset, kit, monkeypatch) -> None:
    before = prints(dataset, kit)
    newer = {**versions(), "lsst-daf-butler": "99"}
    monkeypatch.setattr(module, "versions", lambda: newer)
    assert changed(before, prints(dataset, kit)) == set(before)


def test_digest_sees_every_file_of_a_package_without_importing_it(tmp_path, monkeypatch) -> None:
    package = tmp_path / "digested_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "inner" / "pipeline.yaml").write_text("a: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    first = source_digest("digested_package")
    (package / "inner" / "pipeline.yaml").write_text("a: 2\n")
    source_digest.cache_clear()
    assert source_digest("digested_package") != first


def test_a_module_without_source_is_named() -> None:
    with pytest.raises(HarnessError, match="no source for module 'harness_nowhere'"):
        source_digest("harness_nowhere")


def test_another_process_agrees() -> None:
    code = "from harness.stages.fingerprint import source_digest; print(source_digest('harness.sky'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == source_digest("harness.sky")
