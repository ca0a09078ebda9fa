from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import pytest

from harness.audit.selection import Request, nanoseconds
from harness.errors import HarnessError
from harness.instrument.kit import Capability
from harness.verdicts import Finding, Verdict


def verdicts(report) -> dict[str, Verdict]:
    return {c.check.id: c.result.verdict for c in report.checks if c.check.family != "repository"}


def test_a_check_without_anything_to_look_at_has_no_say(audited, small: Path, finds) -> None:
    checks = [finds("time.idle", examined=0), finds("time.sound")]
    assert audited(small, checks).verdict is Verdict.PASS
    assert audited(small, checks, checks=("time.idle", "time.sound")).verdict is Verdict.UNKNOWN, "it was asked for"
    assert audited(small, checks[:1]).verdict is Verdict.UNKNOWN, "nothing at all was looked at"
    assert audited(small, checks[:1], families=("time",)).verdict is Verdict.UNKNOWN


def test_a_crash_is_unknown_and_a_finding_wins(audited, small: Path, finds) -> None:
    def crash(context):
        raise RuntimeError("broken")

    crashing = dataclasses.replace(finds("time.crash"), function=crash)
    report = audited(small, [crashing, finds("time.sound")])
    assert report.verdict is Verdict.UNKNOWN
    assert report.checks[-2].result.reason == "crashed: RuntimeError: broken"
    assert audited(small, [crashing, finds("time.bad", Finding("bad"))]).verdict is Verdict.FAIL


def test_what_compares_with_a_run_does_not_apply(audited, small: Path, finds) -> None:
    def compare(context):
        context.examined()
        yield from context.facts["somestage"]["changes"]

    item = dataclasses.replace(finds("rerun.compare"), function=compare)
    report = audited(small, [item, finds("time.sound")])
    assert report.verdict is Verdict.PASS
    idle = next(c for c in report.checks if c.check.id == "rerun.compare")
    assert idle.result.idle
    assert "somestage" in idle.result.reason


def test_which_checks_are_run(audited, small: Path, finds) -> None:
    checks = [
        finds("time.plain"),
        finds("time.deep", deep=True),
        finds("time.visits", needs=(Capability.VISITS,)),
        finds("time.foreign", needs=("projector",)),
        finds("visits.plain"),
    ]
    assert list(verdicts(audited(small, checks))) == ["time.plain", "time.visits", "visits.plain"]
    assert list(verdicts(audited(small, checks, deep=True))) == [
        "time.plain",
        "time.deep",
        "time.visits",
        "visits.plain",
    ]
    assert "time.deep" in verdicts(audited(small, checks, sample=1))
    assert list(verdicts(audited(small, checks, families=("visits",)))) == ["visits.plain"]
    assert list(verdicts(audited(small, checks, families=("visits",), checks=("time.deep",)))) == [
        "time.deep",
        "visits.plain",
    ]
    left_out = audited(small, checks).left_out
    assert left_out == {
        "opens files one by one: --deep or --sample N": ("time.deep",),
        "needs projector": ("time.foreign",),
    }


def test_what_is_asked_for_and_does_not_apply_is_unknown(audited, small: Path, finds) -> None:
    checks = [finds("time.sound"), finds("time.foreign", needs=("projector",))]
    report = audited(small, checks, checks=("time.sound", "time.foreign"))
    assert report.verdict is Verdict.UNKNOWN
    assert report.doubts == ["time.foreign was asked for and not run: needs projector"]


def test_a_configuration_outside_of_the_repository(audited, small: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    content = (small / "butler.yaml").read_text()
    (small / "butler.yaml").unlink()
    outside.write_text(f"root: {small}\n{content}")
    report = audited(outside, families=("datastore", "repository"))
    assert report.verdict is Verdict.PASS
    assert report.folder == str(small)


def test_scope(audited, small: Path, finds) -> None:
    seen = []

    def function(context):
        seen.append(context.scope)
        context.examined()
        return ()

    item = dataclasses.replace(finds("time.example"), function=function)
    audited(small, [item], collections=("t*", "one"), since="2026-11-25", sample=7)
    (scope,) = seen
    assert (scope.collections, scope.sample) == (("two", "one"), 7)
    # 2026-11-25 00:00:00 UTC: 20782 days since 1970, and TAI is 37 s ahead of UTC since 2017
    assert scope.since == (20782 * 86400 + 37) * 10**9


def test_a_chain_stands_for_what_it_leads_to(audited, small: Path, finds) -> None:
    from lsst.daf.butler import Butler, CollectionType

    with Butler.from_config(str(small), writeable=True) as butler:
        butler.collections.register("chain", CollectionType.CHAINED)
        butler.collections.redefine_chain("chain", ["two", "one"])
    assert audited(small, [finds("time.example")], collections=("chain",)).scope.collections == ("two", "one")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"families": ("tmie",)}, "unknown family 'tmie' (did you mean 'time'?)"),
        ({"checks": ("time.exampel",)}, "unknown check 'time.exampel' (did you mean 'time.example'?)"),
        ({"collections": ("onee",)}, "no collection is called 'onee' (did you mean 'one'?)"),
        ({"collections": ("x*",)}, "no collection is called 'x*'"),
        ({"since": "yesterday"}, "--since 'yesterday' is no date"),
    ],
)
def test_what_does_not_exist_is_named(audited, small: Path, finds, request_: dict, says: str) -> None:
    with pytest.raises(HarnessError) as caught:
        audited(small, [finds("time.example")], **request_)
    assert str(caught.value).startswith(says)


def test_times_of_day() -> None:
    assert nanoseconds("2026-11-25T12:00:00Z") - nanoseconds("2026-11-25") == 43200 * 10**9


def test_a_million_findings_cost_little(audited, small: Path, finds) -> None:
    """What is beyond the limit is counted, not kept."""

    def function(context):
        context.examined()
        for number in range(20_000):
            yield Finding(f"file {number} is lost", where=f"one/{number}", look="x" * 1000)

    item = dataclasses.replace(finds("time.many"), function=function)
    audited(small, [item], limit=10)
    tracemalloc.start()
    report = audited(small, [item], limit=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    last = report.checks[-1]
    assert (len(last.findings), last.count) == (10, 20_000)
    assert peak < 5_000_000, "20,000 findings with their texts are 25 MB"


def test_commands_name_the_real_database(audited, small: Path, finds) -> None:
    import yaml

    moved = small / "elsewhere.sqlite3"
    (small / "gen3.sqlite3").rename(moved)
    content = yaml.safe_load((small / "butler.yaml").read_text())
    content["registry"]["db"] = f"sqlite:///{moved}"
    (small / "butler.yaml").write_text(yaml.safe_dump(content))
    item = finds("time.example", Finding("m", look='sqlite3 -header {repo}/gen3.sqlite3 "SELECT 1"'))
    assert audited(small, [item]).checks[-1].findings[0].finding.look == f'sqlite3 -header {moved} "SELECT 1"'


def test_an_alias_of_the_repository_index(audited, small: Path, finds, monkeypatch, tmp_path: Path) -> None:
    index = tmp_path / "index.yaml"
    index.write_text(f"main: {small}\n")
    monkeypatch.setenv("DAF_BUTLER_REPOSITORY_INDEX", str(index))
    assert audited(Path("main"), [finds("time.example")]).verdict is Verdict.PASS


def test_the_default_keeps_a_thousand() -> None:
    assert Request().limit == 1000
