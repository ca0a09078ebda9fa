"""Why pipetask failed, told in one line from its log."""

from __future__ import annotations

from harness.engines.outcome import failure

STAMP = "2026-11-24T04:26:52.580+00:00"


def record(level: str, text: str, logger: str = "lsst.pipe.base.mp_graph_executor") -> str:
    return f"{level} {STAMP} {logger} (isr:{{instrument: 'X'}})(file.py:1) - {text}\n"


def failed(label: str, detector: int, error: str) -> str:
    head = f"0198-ab ({label}@{{instrument: 'X', detector: {detector}}}) failed; processing will continue."
    return record("ERROR", head) + f'Traceback (most recent call last):\n  File "x.py", line 1\n    boom()\n{error}\n'


def test_the_first_failed_quantum_is_named_and_the_others_counted() -> None:
    log = record("INFO", "Executing") + failed("isr", 3, "harness.errors.HarnessError: no overscan: really")
    assert failure(log) == "isr {instrument: 'X', detector: 3}: HarnessError: no overscan: really"
    assert failure(log + failed("isr", 4, "ValueError: y")).endswith("no overscan: really (and 1 more)")
    assert failure(log + 2 * failed("isr", 4, "ValueError: y")).endswith("(and 2 more failed quanta)")


def test_a_chained_exception_gives_the_last_one_of_its_traceback() -> None:
    chain = (
        record("CRITICAL", "Caught an exception, details are in traceback:", "lsst.daf.butler.cli.utils")
        + "Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 'a'\n\n"
        + "The above exception was the direct cause of the following exception:\n\n"
        + 'Traceback (most recent call last):\n  File "x.py", line 2\na.b.QueryError: no such thing\n'
    )
    assert failure(chain) == "QueryError: no such thing"


def test_an_empty_graph_says_why() -> None:
    log = record("ERROR", "Initial data ID query returned no rows.") + "To reproduce this query:\n"
    text = failure(log + "Error: QuantumGraph was empty; ERROR logs above should provide details.\n")
    assert text == "QuantumGraph was empty: Initial data ID query returned no rows."


def test_warnings_and_indented_text_are_not_errors() -> None:
    assert failure(record("WARNING", "SomethingError: not at all") + "  IndentedError: x\n") == ""
