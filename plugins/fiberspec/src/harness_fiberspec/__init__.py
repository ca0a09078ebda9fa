"""A plugin of gen3-harness."""

from __future__ import annotations

__all__ = ["load_translators"]


def load_translators() -> list[str]:
    """Import the header translators, which registers them, and return their names (`list` [`str`])."""
    return []
