"""What somebody has accepted, and why: findings that an audit does not report again until they change."""

from __future__ import annotations

import datetime
import getpass
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..errors import HarnessError

if TYPE_CHECKING:
    from .identity import Identity

__all__ = ["Accepted", "Baseline", "accept", "read_baseline", "write_baseline"]

HEADER = """\
# Findings that are known and accepted. Made by 'harness accept'; 'harness audit --baseline' does not report them
# until what they say changes. An entry may be removed by hand, or given another reason.
"""


class Accepted(BaseModel):
    """A finding that somebody has accepted.

    Parameters
    ----------
    id, content : `str`
        See `~harness.audit.identity.Identity`.
    check : `str`
        Id of the check.
    reason : `str`
        Why it is accepted; not empty.
    by : `str`
        Who accepted it.
    on : `datetime.date`
        When.
    message : `str`
        What it says, for who reads the file.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)

    id: str = Field(min_length=1)
    check: str = Field(min_length=1)
    reason: str
    by: str = ""
    on: datetime.date
    content: str = Field(min_length=1)
    message: str = ""

    @field_validator("reason")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value:
            raise ValueError("a reason is needed")
        return value


class Baseline:
    """Accepted findings, and which of them an audit met.

    Parameters
    ----------
    entries : `~collections.abc.Iterable` [`Accepted`]
        What is accepted.
    """

    def __init__(self, entries: Iterable[Accepted] = ()) -> None:
        self.entries = tuple(entries)
        self._contents: dict[str, set[str]] = {}
        for entry in self.entries:
            self._contents.setdefault(entry.id, set()).add(entry.content)
        self._met: set[str] = set()

    def silences(self, identity: Identity) -> bool:
        """Tell whether a finding is accepted as it is, and remember that it is still there."""
        if identity.id not in self._contents:
            return False
        self._met.add(identity.id)
        return identity.content in self._contents[identity.id]

    def changed(self, identity: Identity) -> bool:
        """Tell whether a finding was accepted, but says something else now."""
        return identity.content not in self._contents.get(identity.id, {identity.content})

    def stale(self, checks: Iterable[str]) -> tuple[Accepted, ...]:
        """Return what is accepted and no longer found, of checks that looked at everything."""
        looked = set(checks)
        return tuple(e for e in self.entries if e.check in looked and e.id not in self._met)


def accept(
    baseline: Baseline, found: Mapping[str, tuple[str, str, str]], reason: str, by: str | None = None
) -> Baseline:
    """Add findings to what is accepted, in place of what was accepted of them before.

    Parameters
    ----------
    baseline : `Baseline`
        What is accepted so far.
    found : `~collections.abc.Mapping` [`str`, `tuple`]
        Check, content and message by id.
    reason : `str`
        Why.
    by : `str`, optional
        Who; the user of this process by default.

    Raises
    ------
    HarnessError
        If there is no reason.
    """
    if not reason.strip():
        raise HarnessError("no reason given", remedy="--reason TEXT says why it is no fault", code="no-reason")
    kept = [e for e in baseline.entries if e.id not in found]
    today = datetime.datetime.now(tz=datetime.UTC).date()
    who = getpass.getuser() if by is None else by
    new = [
        Accepted(id=id_, check=check, reason=reason, by=who, on=today, content=content, message=message)
        for id_, (check, content, message) in found.items()
    ]
    return Baseline(sorted((*kept, *new), key=lambda e: (e.check, e.id)))


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Parameters
    ----------
    path : `~pathlib.Path`
        TOML with a table ``accepted`` for each entry; JSON with a list of that name if it is called ``*.json``.

    Raises
    ------
    HarnessError
        If it cannot be read, or an entry is not as it should be: a reason is missing, say.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:  # what JSON and TOML raise are ValueErrors
        why = error.strerror if isinstance(error, OSError) else error
        raise HarnessError(f"baseline {path} cannot be read: {why}", code="baseline") from error
    rows = content.get("accepted", []) if isinstance(content, dict) else None
    if not isinstance(rows, list) or set(content) - {"accepted"}:
        raise HarnessError(f"baseline {path} is no list of 'accepted' findings", code="baseline")
    entries = []
    for number, row in enumerate(rows, 1):
        try:
            entries.append(Accepted.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(p) for p in first["loc"])
            raise HarnessError(
                f"baseline {path}: entry {number}: {field}: {first['msg'].removeprefix('Value error, ')}",
                remedy="correct it, or make it again with 'harness accept'",
                code="baseline",
            ) from error
    return Baseline(entries)


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline whole or not at all; JSON if it is called ``*.json``, else TOML.

    Raises
    ------
    HarnessError
        If it cannot be written.
    """
    rows = [entry.model_dump(mode="json") for entry in baseline.entries]
    if path.suffix == ".json":
        text = json.dumps({"accepted": rows}, indent=1) + "\n"
    else:
        text = HEADER + "".join("\n[[accepted]]\n" + "".join(map(_toml, row.items())) for row in rows)
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise HarnessError(f"baseline {path} cannot be written: {error.strerror}", code="baseline") from error


def _toml(item: tuple[str, str]) -> str:
    """Write a key; strings of JSON are strings of TOML, but for a character that TOML wants escaped."""
    key, value = item
    if key == "on":
        return f"{key} = {value}\n"
    return f"{key} = {json.dumps(value, ensure_ascii=False)}\n".replace("\x7f", "\\u007f")
