"""Pipelines of the fiber spectrographs."""
