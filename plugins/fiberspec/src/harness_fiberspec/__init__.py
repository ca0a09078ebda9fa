"""The calibration fiber spectrographs as a plugin of gen3-harness."""
