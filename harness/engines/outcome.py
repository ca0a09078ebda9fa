"""Why an invocation of ``pipetask`` failed, read from its log."""

from __future__ import annotations

import re

__all__ = ["EMPTY", "LOG_OPTIONS", "failure"]

LOG_OPTIONS = ("--long-log", "--no-log-tty", "--log-file")
"""Options given before ``run``, followed by the log file: only the long format shows where a record begins."""

EMPTY = "QuantumGraph was empty"
"""How messages begin when there was nothing to do."""

_RECORD = re.compile(r"^(?P<level>[A-Z]+) \d{4}-\d\d-\d\dT\S+ (?P<logger>[\w.]+) .*? - (?P<text>.*)$")
_QUANTUM = re.compile(r"\((?P<label>\w+)@(?P<id>\{.*\})\) failed;")
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Warning|Failure|Exit|Interrupt|Found|Raised)?\b.*$")


def failure(text: str) -> str:
    """Say in one line why ``pipetask`` failed.

    Parameters
    ----------
    text : `str`
        Its log (long format), followed by what it wrote on standard error.

    Returns
    -------
    message : `str`
        The exception of the first failed quantum, with label and data ID, and how many more failed; else
        the last exception; else the last error record. Empty if the log has none of these.
    """
    first = last = error = ""
    failed = 0
    records = _records(text)
    for level, head, rest in records:
        exception = _exception(rest)
        if quantum := _QUANTUM.search(head):
            failed += 1
            if not first:
                first = f"{quantum['label']} {quantum['id']}: {exception or 'failed'}"
        if exception:
            last = exception
        if level in ("ERROR", "CRITICAL", "FATAL"):
            error = head
    if first:
        more = failed - 1
        return f"{first} (and {more} more failed quanta)" if more > 1 else first + " (and 1 more)" * more
    usage = _usage(text)
    if usage.startswith(EMPTY) and error:
        return f"{EMPTY}: {error}"
    return usage or last or error


def _records(text: str) -> list[tuple[str, str, list[str]]]:
    """Split a log into (level, first line, following lines)."""
    out: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if match := _RECORD.match(line):
            out.append((match["level"], match["text"], []))
        elif out:
            out[-1][2].append(line)
        else:
            out.append(("", "", [line]))
    return out


def _exception(lines: list[str]) -> str:
    """Return the last ``Type: message`` line of the first traceback in some lines, without its module."""
    inside = False
    found = ""
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and line and not line[0].isspace() and _EXCEPTION.match(line):
            name, _, message = line.partition(":")
            if name.replace(".", "").replace("_", "").isalnum():
                found = name.rpartition(".")[2] + (":" + message if message else "")
    return found


def _usage(text: str) -> str:
    """Return click's own error line (``Error: …``), if that is how the command ended."""
    lines = [line for line in text.splitlines() if line.startswith("Error: ")]
    return lines[-1].removeprefix("Error: ") if lines else ""
