"""Simulation: from observations to raw files, byte for byte the same for the same seed."""
