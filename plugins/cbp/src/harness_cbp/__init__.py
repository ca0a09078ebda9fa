"""The collimated beam projector as a plugin of gen3-harness."""
