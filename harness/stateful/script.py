"""A sequence of steps as a file, to be done again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import HarnessError
from .compare import Mismatch
from .step import Step
from .steps import step_from

if TYPE_CHECKING:
    from .world import World

__all__ = ["Outcome", "Script", "replay"]

FORMAT = "harness-steps-1"


@dataclasses.dataclass(frozen=True)
class Script:
    """Steps, and what was wrong after the last one.

    Parameters
    ----------
    steps : `tuple` [`~harness.stateful.steps.Step`]
        The steps.
    strict : `bool`
        Whether what releases are known to do wrong counted as wrong.
    differences : `tuple` [`str`]
        What was wrong; empty if nothing was.
    """

    steps: tuple[Step, ...]
    strict: bool = False
    differences: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Write it to a file, with the version of the middleware."""
        from importlib.metadata import version

        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n  ".join(json.dumps(s.to_json()) for s in self.steps)
        head = {"format": FORMAT, "lsst-daf-butler": version("lsst-daf-butler"), "strict": self.strict}
        body = json.dumps({**head, "differences": list(self.differences)}, indent=1)
        path.write_text(f'{body[:-2]},\n "steps": [\n  {lines}\n ]\n}}\n', encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Script:
        """Read what `write` wrote.

        Raises
        ------
        HarnessError
            If it cannot be read, or is something else.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise HarnessError(f"{path} cannot be read: {error.strerror}", code="script") from error
        except ValueError as error:
            raise HarnessError(f"{path} is no script of steps: {error}", code="script") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise HarnessError(
                f"{path} is no script of steps: its format is not {FORMAT!r}", remedy="harness explore makes one"
            )
        try:
            steps = tuple(step_from(s) for s in data["steps"])
        except (KeyError, TypeError, AttributeError) as error:
            raise HarnessError(f"{path} has a step that does not exist: {error}", code="script") from error
        return cls(steps, bool(data.get("strict")), tuple(data.get("differences", ())))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one step.

    Parameters
    ----------
    step : `~harness.stateful.steps.Step`
        The step.
    done : `bool`
        False if it makes no sense in this state.
    differences : `tuple` [`str`]
        What is wrong after it; the last outcome then.
    """

    step: Step
    done: bool
    differences: tuple[str, ...] = ()


def replay(script: Script, world: World) -> Iterator[Outcome]:
    """Do the steps of a script again.

    Parameters
    ----------
    script : `Script`
        The steps.
    world : `~harness.stateful.world.World`
        A new world.

    Yields
    ------
    outcome : `Outcome`
        Of each step, up to the first after which something is wrong.
    """
    for step in script.steps:
        try:
            yield Outcome(step, world.step(step))
        except Mismatch as mismatch:
            yield Outcome(step, True, tuple(mismatch.differences))
            return
