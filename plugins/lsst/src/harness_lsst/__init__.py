"""Rubin's cameras for gen3-harness."""

from __future__ import annotations

__all__ = ["load_translators"]


def load_translators() -> list[str]:
    """Import the header translators, which registers them, and return their names (`list` [`str`])."""
    from . import translators

    return [str(getattr(translators, name).name) for name in translators.__all__]
