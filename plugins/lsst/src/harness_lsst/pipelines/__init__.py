"""Pipelines for Rubin's cameras."""
