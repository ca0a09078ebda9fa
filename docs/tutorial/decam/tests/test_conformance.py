"""DECam passes the tests that every instrument must pass."""

from harness.conformance import *

INSTRUMENT = "DECam"
