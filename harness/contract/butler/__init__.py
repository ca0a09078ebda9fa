"""Properties of ``lsst.daf.butler``."""
