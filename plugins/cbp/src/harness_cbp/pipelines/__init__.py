"""Pipelines of the collimated beam projector."""
