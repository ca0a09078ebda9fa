"""Rubin's cameras for gen3-harness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .translators import load_translators

__all__ = ["load_translators"]


def __getattr__(name: str) -> Any:
    # Loading the entry point of the translators has to register them, by the field's convention; importing this
    # package, as every command of the harness does, must not cost the import of astropy.
    if name == "load_translators":
        from .translators import load_translators

        return load_translators
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
