"""From the headers of DECam to the properties of an exposure: the translator of ``astro_metadata_translator``."""

from __future__ import annotations

from astro_metadata_translator.translators import DecamTranslator as Upstream

from harness.instrument.upstream import sees_simulation

DecamTranslator = sees_simulation(Upstream)
"""Upstream's translator, for which every file was observed, made to see that ours are simulated."""
