"""Several datasets in one repository: their order, what they share, and where each starts."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsst.daf.butler import Butler

from harness.datasets.manifest import Dataset
from harness.errors import HarnessError
from harness.hookspecs import hookimpl
from harness.plugins import Plugins
from harness.results import RunRecord
from harness.stage import SHARED, Stage
from harness.stages.campaign import Campaign, merged_config, with_needs
from harness.stages.snapshots import SnapshotStore
from harness.verdicts import Check


def named(dataset: Dataset, name: str, *needs: str, instrument: str = "One") -> Dataset:
    return dataset.model_copy(update={"name": name, "needs": needs, "instrument": instrument})


@given(st.lists(st.sets(st.integers(0, 5)), min_size=6, max_size=6), st.permutations(range(6)))
def test_each_dataset_comes_once_and_after_what_it_needs(
    dataset: Dataset, edges: list[set[int]], order: list[int]
) -> None:
    known = {str(i): named(dataset, str(i), *(str(j) for j in needs if j < i)) for i, needs in enumerate(edges)}
    found = [d.name for d in with_needs([known[str(i)] for i in order], known)]
    assert sorted(found) == sorted(known)
    assert all(found.index(n) < found.index(d) for d in found for n in known[d].needs)


def test_needs_that_cannot_be_met_are_named(dataset: Dataset) -> None:
    one = named(dataset, "one", "tow")
    with pytest.raises(HarnessError, match=r"dataset one needs 'tow': .*did you mean 'two'"):
        with_needs([one], {"one": one, "two": named(dataset, "two")})
    ring = {"a": named(dataset, "a", "b"), "b": named(dataset, "b", "a")}
    with pytest.raises(HarnessError, match="datasets need each other: a → b → a"):
        with_needs([ring["a"]], ring)


def kit(name: str, config: dict) -> SimpleNamespace:
    return SimpleNamespace(
        name=name,
        repository_config=config,
        instrument_class=Campaign,
        applicable=lambda dataset: frozenset(),
    )


def test_configurations_are_merged_and_conflicts_named() -> None:
    one = kit("One", {"storageClasses": {"A": {"pytype": "a"}, "S": {"pytype": "s"}}})
    two = kit("Two", {"storageClasses": {"B": {"pytype": "b"}, "S": {"pytype": "s"}}, "datastore": {"x": 1}})
    assert merged_config([one, two]) == {
        "storageClasses": {"A": {"pytype": "a"}, "S": {"pytype": "s"}, "B": {"pytype": "b"}},
        "datastore": {"x": 1},
    }
    assert one.repository_config == {"storageClasses": {"A": {"pytype": "a"}, "S": {"pytype": "s"}}}
    three = kit("Three", {"storageClasses": {"A": {"pytype": "other"}}})
    with pytest.raises(HarnessError, match=r"One and Three cannot share .*storageClasses.A.pytype is 'a'.*'other'"):
        merged_config([one, two, three])


class Two:
    """Stages that leave a collection named after their dataset."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.failing = ""

    def _stage(self, name: str):
        def run(context) -> dict:
            self.ran.append(f"{name}:{context.dataset.name}")
            if self.failing == self.ran[-1]:
                raise HarnessError("it fails")
            if name == "create":
                Butler.makeRepo(str(context.repo))
            else:
                with context.butler() as butler:
                    butler.collections.register(f"{name}/{context.dataset.name}")
            return {"base": str(context.base), "origin": str(context.origin)}

        return run

    @hookimpl
    def harness_stages(self):
        return [
            Stage("create", "", self._stage("create")),
            Stage("defaults", "", self._stage("defaults"), extends="create"),
            Stage("process", "", self._stage("process"), extends="defaults"),
            Stage("roundtrip", "", self._stage("roundtrip"), extends="process"),
            Stage("together", "", self._stage("together"), extends="process", capabilities=frozenset({SHARED})),
        ]

    @hookimpl
    def harness_checks(self):
        def looks(context):
            context.examined()
            alone = context.facts["defaults"]["base"] == "None"
            assert [d.name for d in context.others] == ([] if alone else ["a"])
            return []

        return [Check("collections.looks", "", "", "collections", "defaults", looks)]


@pytest.fixture
def two() -> Two:
    return Two()


@pytest.fixture
def run(two: Two, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plugins = Plugins()
    plugins.add("two", lambda: two, "two", "1")
    kits = {"One": kit("One", {}), "Other": kit("Other", {})}
    monkeypatch.setattr(plugins, "find", lambda what, name: kits[name])

    def execute(names: str, *, whole: bool) -> list[RunRecord]:
        datasets = [named(dataset, n, instrument="Other" if n == "b" else "One") for n in names]
        engine = SimpleNamespace(name="none")
        campaign = Campaign(plugins, datasets, engine, SnapshotStore(tmp_path / "store"), whole=whole)
        records = []
        for runner, stages in campaign.runners():
            now = datetime.datetime.now(datetime.UTC)
            record = RunRecord("r", tmp_path / "run" / runner.dataset.name, runner.dataset, "none", 8, {}, now)
            runner.execute(record, stages)
            assert not [r for r in record.results if r.reason], record.results
            records.append(record)
        return records

    return execute


def collections(record: RunRecord, stage: str) -> set[str]:
    with Butler.from_config(str(record.repos[stage])) as butler:
        return set(butler.collections.query("*"))


def test_the_second_is_added_to_what_the_first_left(two: Two, run) -> None:
    first, second = run("ab", whole=True)
    assert two.ran == [
        *("create:a", "defaults:a", "process:a"),
        *("defaults:b", "process:b", "roundtrip:b", "together:b"),
    ]
    assert collections(second, "process") == {"defaults/a", "process/a", "defaults/b", "process/b"}
    together = second.outcomes[-1]
    assert together.facts["base"] == str(first.repos["process"])
    assert together.facts["origin"] == str(second.repos["process"])


def test_what_is_only_needed_is_made_ready_and_not_processed(two: Two, run) -> None:
    _, second = run("ab", whole=False)
    assert two.ran[:2] == ["create:a", "defaults:a"]
    assert "process:a" not in two.ran
    assert collections(second, "process") == {"defaults/a", "defaults/b", "process/b"}


def test_alone_and_shared_are_different_states(two: Two, run) -> None:
    run("b", whole=True)
    run("ab", whole=True)
    assert two.ran.count("process:b") == 2
    again = len(two.ran)
    run("ab", whole=True)
    run("b", whole=True)
    assert len(two.ran) == again


def test_after_a_failure_nothing_is_added(two: Two, run) -> None:
    two.failing = "process:a"
    (only,) = run("ab", whole=True)
    assert only.failed_stage is not None
    assert dataclasses.asdict(only.failed_stage)["error"] == "it fails"
