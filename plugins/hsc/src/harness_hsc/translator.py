"""The upstream translator, taught to see that a file is simulated."""

from __future__ import annotations

from typing import Any, ClassVar

from astro_metadata_translator import cache_translation
from astro_metadata_translator.translators import HscTranslator as _Upstream

__all__ = ["SIMULATED_KEY", "HscTranslator"]

SIMULATED_KEY = "SIMULATE"
"""Header key that is true in simulated files; the name that Rubin's cameras use for it."""


class HscTranslator(_Upstream):
    """The upstream HSC translator, except for ``has_simulated_content``.

    Upstream never looks for simulated content and always says no: no key that a file could carry changes
    that. Everything else is upstream's, which reads the files of `~harness_hsc.writer.write_raw` as well.
    """

    # Without a name the class is not registered: in a process that imports this plugin, "HSC" keeps meaning the
    # upstream translator. The name is put back below, since corrections of headers are looked up by it.
    name: ClassVar[str | None] = None

    @cache_translation
    def to_has_simulated_content(self) -> bool:
        """Return whether the file says that it was simulated (`bool`)."""
        header: Any = self._header
        if SIMULATED_KEY not in header:
            return False
        self._used_these_cards(SIMULATED_KEY)
        return bool(header[SIMULATED_KEY])


HscTranslator.name = _Upstream.name
