"""The upstream translator, taught to see that a file is simulated."""

from __future__ import annotations

from astro_metadata_translator.translators import HscTranslator as _Upstream

from harness.instrument.upstream import SIMULATED_KEY, sees_simulation

__all__ = ["SIMULATED_KEY", "HscTranslator"]

HscTranslator = sees_simulation(_Upstream)
"""Everything is upstream's, which reads the files of `~harness_hsc.writer.write_raw` as well."""
