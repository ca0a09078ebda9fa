"""Manifests and the observations that they describe."""
