"""What holds for all tests, those of plugins too: how hypothesis tries examples, and how often garbage is collected."""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

from harness.repository import RARE

# Two workers share two cores with the middleware: how long an example takes says nothing about the code.
settings.register_profile("harness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time where nobody would look at a failure that does not come back.
settings.register_profile("ci", settings.get_profile("harness"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "harness")

# As the command line does (harness/cli/main.py).
gc.set_threshold(*RARE)
