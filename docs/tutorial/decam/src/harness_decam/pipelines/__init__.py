"""Pipelines of DECam."""
