"""The commands of docs/audit.md do what the page says, one after the other."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


def test_the_page_can_be_followed(harness, small: Path) -> None:
    """With the page's repository, collections and finding replaced by real ones, and few checks to be quick."""
    (small / "two" / "stray").write_text("x")
    lines = re.findall(r"^    harness (.*)$", PAGE.read_text(), re.MULTILINE)
    assert len(lines) == 11
    codes = []
    for line in lines:
        words = [str(small) if word == "/repo/main" else word for word in shlex.split(line)]
        words = ["one" if word.startswith("HSC/") else word for word in words]
        if words[0] == "accept":
            report = json.loads(Path("report.json").read_text())
            (found,) = [f["id"] for c in report["checks"] for f in c["findings"]]
            words[2] = found
        elif not {"--family", "--check"} & set(words):
            words += ["--family", "datastore"]
        done = harness(*words)
        assert done.code in {0, 1}, (words, done.err)
        codes.append(done.code)
    assert codes[0] == 1
    assert codes[-2:] == [0, 0], "accepted, it is silent"
    assert {p.name for p in Path.cwd().iterdir()} >= {"report.json", "audit.xml", "remedies.sh", "known.toml"}
