"""Pipelines for Hyper Suprime-Cam."""
