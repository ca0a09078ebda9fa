"""Hyper Suprime-Cam as a plugin of gen3-harness."""
