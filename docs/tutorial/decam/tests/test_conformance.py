"""DECam passes the tests that every instrument must pass."""

from harness.conformance import *  # noqa: F403

INSTRUMENT = "DECam"
