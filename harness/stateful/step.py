"""What a step is, and the two ways in which it is not done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from .model import Model
    from .world import World

__all__ = ["Inapplicable", "Refused", "Step"]


class Inapplicable(Exception):  # noqa: N818 - no error: the step makes no sense in this state and is passed over
    """The step makes no sense in this state, and neither the model nor the middleware says what it would do."""


class Refused(Exception):  # noqa: N818 - no error of ours: what the middleware must do
    """The middleware must refuse the step with one of some errors, and nothing may change.

    Parameters
    ----------
    *names : `str`
        Names of the errors.
    known : `str`, optional
        What releases are known to change all the same; a strict comparison does not allow it.
    effect : `~collections.abc.Callable`, optional
        Does that to a model.
    """

    def __init__(self, *names: str, known: str = "", effect: Callable[[Model], None] | None = None) -> None:
        super().__init__(", ".join(names))
        self.names = names
        self.known = known
        self.effect = effect


@dataclasses.dataclass(frozen=True)
class Step:
    """One step; its fields are its arguments."""

    name: ClassVar[str] = ""

    def plan(self, model: Model) -> None:
        """Do it to the model.

        Raises
        ------
        Inapplicable
            If it makes no sense; the model is unchanged.
        Refused
            If it must fail; the model is unchanged.
        """
        raise NotImplementedError

    def do(self, world: World) -> None:
        """Do it to the repository."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON-serializable values; `step_from` is the inverse."""
        return {"step": self.name, **dataclasses.asdict(self)}

    def __str__(self) -> str:
        """Write it as a call."""
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in dataclasses.asdict(self).items())})"
