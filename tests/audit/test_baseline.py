from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audit.baseline import Accepted, Baseline, accept, read_baseline, write_baseline
from harness.audit.identity import Identity
from harness.errors import HarnessError
from harness.verdicts import Finding, Verdict

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ENTRIES = st.builds(
    Accepted,
    id=st.text("0123456789abcdef", min_size=12, max_size=12),
    check=st.just("a.b"),
    reason=TEXT.filter(str.strip),
    by=TEXT,
    on=st.dates(),
    content=st.text("0123456789abcdef", min_size=12, max_size=12),
    message=TEXT,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("baselines")


@pytest.mark.parametrize("name", ["b.toml", "b.json"])
@given(entries=st.lists(ENTRIES, max_size=3))
def test_what_is_written_is_read(folder: Path, name: str, entries: list[Accepted]) -> None:
    write_baseline(Baseline(entries), folder / name)
    assert list(read_baseline(folder / name).entries) == entries


def test_accepting_again_replaces(finds) -> None:
    once = accept(Baseline(), {"1": ("a.b", "x", "old"), "2": ("a.b", "y", "other")}, "known", by="me")
    twice = accept(once, {"1": ("a.b", "z", "new")}, "still known", by="you")
    assert [(e.id, e.content, e.reason, e.by) for e in twice.entries] == [
        ("1", "z", "still known", "you"),
        ("2", "y", "known", "me"),
    ]
    assert twice.entries[0].on == datetime.datetime.now(tz=datetime.UTC).date()


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_reason_is_needed(reason: str) -> None:
    with pytest.raises(HarnessError, match="no reason given"):
        accept(Baseline(), {"1": ("a.b", "x", "m")}, reason)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[accepted]\n", "cannot be read"),
        ("known = 1\n", "no list of 'accepted' findings"),
        ("[[accepted]]\nid = '1'\ncheck = 'a.b'\ncontent = 'x'\non = 2026-01-01\n", "entry 1: reason: Field required"),
        (
            "[[accepted]]\nid = '1'\ncheck = 'a.b'\ncontent = 'x'\non = 2026-01-01\nreason = ' '\n",
            "entry 1: reason: a reason is needed",
        ),
        (
            "[[accepted]]\nid = '1'\ncheck = 'a.b'\ncontent = 'x'\non = 2026-01-01\nreason = 'r'\nwhy = 1\n",
            "entry 1: why: Extra inputs are not permitted",
        ),
    ],
)
def test_a_bad_baseline_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "b.toml"
    path.write_text(text)
    with pytest.raises(HarnessError) as caught:
        read_baseline(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no\.toml cannot be read: No such file"):
        read_baseline(tmp_path / "no.toml")


def test_two_things_with_one_id_are_both_remembered() -> None:
    entries = [
        Accepted(id="1", check="a.b", reason="r", on=datetime.date(2026, 1, 1), content=content) for content in "xy"
    ]
    baseline = Baseline(entries)
    assert baseline.silences(Identity("1", "x"))
    assert baseline.silences(Identity("1", "y"))
    assert not baseline.silences(Identity("1", "z"))
    assert baseline.changed(Identity("1", "z"))
    assert not baseline.changed(Identity("2", "z"))


# --- in an audit ---------------------------------------------------------------------------------------


def test_a_known_finding_is_silent_until_it_changes(audited, small: Path, finds) -> None:
    def look(baseline: Baseline | None = None, late: int = 3, **request):
        lost = Finding("file 1 is lost", where="one/1")
        item = finds("datastore.example", lost, Finding(f"late by {late} s", where="two/1", seen=f"{late} s"))
        return audited(small, [item], baseline, **request)

    first = look()
    found = {f.id: ("datastore.example", f.content, f.finding.message) for f in first.checks[-1].findings}
    assert len(found) == 2
    assert first.verdict is Verdict.FAIL

    known = look(accept(Baseline(), found, "known"))
    assert (known.verdict, known.silenced, known.stale) == (Verdict.PASS, 2, ())

    changed = look(accept(Baseline(), found, "known"), late=4)
    (still,) = changed.checks[-1].findings
    assert (changed.verdict, changed.silenced, changed.stale) == (Verdict.FAIL, 1, ())
    assert still.changed
    assert still.finding.message == "late by 4 s"


def test_accepted_findings_take_no_room(audited, small: Path, finds) -> None:
    """With a limit of one the third finding is still told, when the first two are accepted."""
    item = finds("datastore.example", *(Finding("lost", where=f"one/{n}") for n in range(3)))
    found = {f.id: ("datastore.example", f.content, "lost") for f in audited(small, [item]).checks[-1].findings[:2]}
    last = audited(small, [item], accept(Baseline(), found, "known"), limit=1).checks[-1]
    assert [f.finding.where for f in last.findings] == ["one/2"]
    assert (last.result.more, last.silenced) == (0, 2)


def test_what_is_no_longer_found_is_stale(audited, small: Path, finds) -> None:
    item = finds("datastore.example", Finding("lost", where="one/1"))
    other = finds("time.example", Finding("late", where="exposure"))
    report = audited(small, [item, other])
    found = {f.id: (c.check.id, f.content, "m") for c in report.checks for f in c.findings}
    baseline = accept(Baseline(), found, "known")
    sound = [finds("datastore.example"), finds("time.example")]
    assert {e.check for e in audited(small, sound, baseline).stale} == {"datastore.example", "time.example"}
    assert {e.check for e in audited(small, sound, baseline, families=("time",)).stale} == {"time.example"}
    assert audited(small, sound, baseline, collections=("one",)).stale == (), "the rest was not looked at"
