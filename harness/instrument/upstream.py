"""Translators of the field's own package, for instruments that have one already."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator

__all__ = ["SIMULATED_KEY", "sees_simulation"]

SIMULATED_KEY = "SIMULATE"
"""Header key that is true in simulated files; the name that Rubin's cameras use for it."""


def sees_simulation(upstream: type[MetadataTranslator], key: str = SIMULATED_KEY) -> type[MetadataTranslator]:
    """Return a translator that is another one, except that it sees when a file says that it is simulated.

    Most translators never look: files that the harness simulates would count as observed. The new class is not
    registered; the name of the instrument keeps meaning the upstream translator for everybody else.

    Parameters
    ----------
    upstream : `type` [`astro_metadata_translator.MetadataTranslator`]
        The translator.
    key : `str`, optional
        Header key that is true in simulated files.
    """
    from astro_metadata_translator import cache_translation

    @cache_translation
    def to_has_simulated_content(self: Any) -> bool:
        """Return whether the file says that it was simulated."""
        if key not in self._header:
            return False
        self._used_these_cards(key)
        return bool(self._header[key])

    # Without a name the class is not registered when it is made; corrections of headers are looked up by the name.
    body = {"name": None, "to_has_simulated_content": to_has_simulated_content, "__doc__": upstream.__doc__}
    made: Any = types.new_class(upstream.__name__, (upstream,), exec_body=lambda namespace: namespace.update(body))
    made.name = upstream.name
    return made
