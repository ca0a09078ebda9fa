"""The tests that every instrument must pass.

The whole test file of a plugin is an import and a declaration::

    from harness.conformance import *

    INSTRUMENT = "MyCam"

or, for several instruments in one file, a class for each::

    from harness.conformance import InstrumentConformance


    class TestMyCam(InstrumentConformance):
        instrument = "MyCam"

What a test needs beyond that comes from the instrument's kit and its first dataset. A test that needs a capability
which the kit does not declare is skipped and says so; a test that can say nothing while another one fails is skipped
and names it.

Reading order: ``requirement`` (what a test is), ``choice`` and ``subject`` (what is tested), then one module per
subject: ``registration``, ``geometry``, ``files``, ``claims``, ``headers``, ``values``, ``ingests``, ``badfiles``,
``reading``, ``onsky``, ``running``. The suite needs pytest: install ``gen3-harness[conformance]``.
"""

from __future__ import annotations

from .suite import InstrumentConformance, TestInstrument

__all__ = ["InstrumentConformance", "TestInstrument"]
