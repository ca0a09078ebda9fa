"""Integration-test harness for the Rubin/LSST Gen3 middleware."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("gen3-harness")
