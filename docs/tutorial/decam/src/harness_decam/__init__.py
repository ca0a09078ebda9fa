"""DECam as a plugin of gen3-harness."""
