"""What a property is, and how one is run."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..verdicts import Check, CheckResult, Finding, Verdict, run_check, worst

if TYPE_CHECKING:
    from .lab import Lab

__all__ = ["EnoughError", "NotApplicableError", "PropertyResult", "blame", "contract", "overall", "run_property"]


ROOM = 200_000_000
"""Free space (bytes) that the folder of files in memory must have to be used."""


class NotApplicableError(Exception):
    """The installed release has no such thing; the message names it."""


class EnoughError(Exception):
    """One finding is enough: the property is left."""


@dataclasses.dataclass(frozen=True)
class PropertyResult:
    """What came of a property.

    Parameters
    ----------
    result : `~harness.verdicts.CheckResult`
        Verdict and findings.
    skipped : `str`
        What the installed release does not have, if the property (or a part of it) does not apply for that.
    """

    result: CheckResult
    skipped: str = ""

    @property
    def applies(self) -> bool:
        """Whether anything was looked at."""
        return not (self.skipped and not self.result.findings and not self.result.examined)

    @property
    def word(self) -> str:
        """The verdict, or ``n/a``."""
        return self.result.verdict.value if self.applies else "n/a"


def contract(id: str, *, title: str, upstream: str = "") -> Callable[[Callable[[Lab], None]], Check]:
    """Make a property of a function; its docstring is the rationale.

    Parameters
    ----------
    id : `str`
        ``contract.AREA.what-must-hold``.
    title : `str`
        The property, as a sentence that is true of sound middleware.
    upstream : `str`, optional
        Documentation or wish that it answers.
    """

    def wrap(function: Callable[[Lab], None]) -> Check:
        rationale = " ".join((function.__doc__ or "").split())
        assert rationale, f"property {id} has no rationale"
        assert id.startswith("contract."), f"{id} is not contract.AREA.NAME"
        assert id.count(".") == 2, f"{id} is not contract.AREA.NAME"

        def run(context: Any) -> Iterable[Finding]:
            try:
                function(context)
            except EnoughError:
                pass
            except NotApplicableError as error:
                context.skipped = str(error)
            except Exception as error:
                if not blame(error):
                    context.raise_later(error)
                else:
                    with contextlib.suppress(EnoughError):
                        context.blamed(error, "")
            return context.findings

        return Check(id, title, rationale, "contract", "", run, upstream=upstream)

    return wrap


def blame(error: BaseException) -> str:
    """Name the place in the middleware that an exception came from; empty if it never went through the middleware.

    An exception that the middleware raised counts as its own even if a library below it raised it; one that is raised
    by calling it wrongly (`TypeError` for an argument that does not exist) has no frame of it.
    """
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.split(".")[0] == "lsst":
            place = f"{module}:{line}"
    return place


def run_property(
    item: Check, seed: int = 0, folder: Path | None = None, *, effort: float = 1.0, stop: bool = False
) -> PropertyResult:
    """Run one property in a folder of its own, which is removed afterwards.

    Parameters
    ----------
    item : `~harness.verdicts.Check`
        The property.
    seed : `int`, optional
        Seed of its random choices; the same seed makes the same choices.
    folder : `~pathlib.Path`, optional
        Where to make the folder; by default in memory (``/dev/shm``) if that can be written, for its commits are
        quick, else among the temporary files.
    effort : `float`, optional
        Part of the usual number of random cases that is tried.
    stop : `bool`, optional
        Whether to stop at the first finding.

    Returns
    -------
    result : `PropertyResult`
        Verdict and findings.
    """
    from .lab import Lab

    root = Path(tempfile.mkdtemp(prefix="harness-contract-", dir=folder or memory()))
    lab = Lab(root, f"{item.id}/{seed}", effort=effort, stop=stop)
    try:
        result = run_check(item, cast(Any, lab), "contract")
    finally:
        lab.close()
        shutil.rmtree(root, ignore_errors=True)
    if lab.error is not None:
        # what went wrong in the property's own code, or in calling the middleware
        verdict = Verdict.FAIL if result.findings else Verdict.UNKNOWN
        trace = "".join(traceback.format_exception(lab.error))
        reason = f"crashed: {type(lab.error).__name__}: {lab.error}"
        result = dataclasses.replace(result, verdict=verdict, reason=reason, traceback=trace)
    return PropertyResult(result, lab.skipped)


def memory() -> Path | None:
    """Return the folder of files in memory; `None` if there is none that can be written and has room."""
    folder = Path("/dev/shm")  # noqa: S108 - folders in it are made by tempfile
    if folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM:
        return folder
    return None


def overall(results: Iterable[PropertyResult]) -> Verdict:
    """Return the worst verdict of those that apply."""
    return worst(r.result.verdict for r in results if r.applies)
