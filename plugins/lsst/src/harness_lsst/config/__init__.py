"""Configurations of tasks for cameras that are calibrated with exposures of their own; read by the middleware."""
