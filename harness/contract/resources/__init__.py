"""Properties of ``lsst.resources``."""
