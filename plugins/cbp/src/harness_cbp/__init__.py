"""The collimated beam projector as a plugin of gen3-harness."""

from __future__ import annotations

__all__ = ["load_translators"]


def load_translators() -> list[str]:
    """Import the header translator, which registers it, and return its name (`list` [`str`])."""
    from .translator import CbpTranslator

    return [CbpTranslator.name]
