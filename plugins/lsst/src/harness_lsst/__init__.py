"""Rubin's cameras for gen3-harness."""
