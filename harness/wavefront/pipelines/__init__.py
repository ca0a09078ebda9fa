"""Pipelines; instruments import them."""
