"""Python types that no release of the middleware knows, with their storage classes and formatters."""

from __future__ import annotations

from typing import Any

from lsst.daf.butler import StorageClassDelegate

__all__ = ["CONFIG", "Pair", "PairDelegate"]

_HERE = "harness.contract.things"

CONFIG: dict[str, Any] = {
    "storageClasses": {
        "ContractPair": {
            "pytype": f"{_HERE}.Pair",
            "delegate": f"{_HERE}.PairDelegate",
            "components": {"left": "StructuredDataDict", "right": "StructuredDataList"},
            "derivedComponents": {"size": "ContractInt"},
            "parameters": ["head"],
        },
        "ContractInt": {"pytype": "int"},
    },
    "datastore": {
        "formatters": {
            "ContractPair": "lsst.daf.butler.formatters.pickle.PickleFormatter",
            "ContractInt": "lsst.daf.butler.formatters.json.JsonFormatter",
            "StructuredDataList": "lsst.daf.butler.formatters.json.JsonFormatter",
        },
    },
}
"""Configuration of the repositories of all properties."""


class Pair:
    """Something with two components and a derived one.

    Parameters
    ----------
    left : `dict`
        First component.
    right : `list`
        Second component.
    """

    def __init__(self, left: dict[str, Any] | None = None, right: list[Any] | None = None) -> None:
        self.left = left if left is not None else {}
        self.right = right if right is not None else []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pair) and (self.left, self.right) == (other.left, other.right)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Pair({self.left!r}, {self.right!r})"

    @property
    def size(self) -> int:
        """Number of values in both."""
        return len(self.left) + len(self.right)


class PairDelegate(StorageClassDelegate):
    """Takes a `Pair` apart and puts it together."""

    def assemble(self, components: dict[str, Any], pytype: type | None = None) -> Pair:  # noqa: ARG002
        """Make a pair of its components."""
        return Pair(components.get("left"), components.get("right"))

    def getComponent(self, composite: Any, componentName: str) -> Any:
        """Return a component."""
        return getattr(composite, componentName)

    def handleParameters(self, inMemoryDataset: Any, parameters: Any = None) -> Any:
        """Cut both components to their first values."""
        use = self.storageClass.filterParameters(parameters)
        head = (use or {}).get("head")
        if head is None:
            return inMemoryDataset
        if isinstance(inMemoryDataset, Pair):
            left = dict(list(inMemoryDataset.left.items())[:head])
            return Pair(left, inMemoryDataset.right[:head])
        return inMemoryDataset
